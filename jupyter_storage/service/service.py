"""The facade that every face calls: a request in, a record out; wires what lies below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.config import Settings
from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.paths import parent
from jupyter_storage.records import ConflictPolicy, Entry, InTheWay, TierRecord
from jupyter_storage.service.adding import Adding
from jupyter_storage.service.base import Listener
from jupyter_storage.service.experiments import Experiments
from jupyter_storage.service.files import Files, relabel
from jupyter_storage.service.nodes import NodeMounts
from jupyter_storage.service.snapshots import Snapshots
from jupyter_storage.tiers import Health
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.archives import Archive
    from jupyter_storage.uploads import BatchFile, Uploads

__all__ = ["Service"]


class Service(Files, Experiments, Snapshots, NodeMounts, Adding):
    """Everything that a face can ask for.

    All methods block and may be called from several threads; each raises a
    :class:`~jupyter_storage.errors.StorageError` whose path is the one that the caller gave.

    Parameters
    ----------
    settings : Settings
        From :func:`jupyter_storage.config.resolve`.
    listener : callable, optional
        Hears of changes, from any thread.
    """

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._health = Health(self._locations.open_tier, settings.check_timeout)
        self._uploads: Uploads | None = None

    # Files

    def drop(
        self, path: str, *, recursive: bool = False, permanent: bool = False, force: bool = False
    ) -> None:
        """Delete such that it can be undone, where its tier has a trash.

        Parameters
        ----------
        path : str
        recursive : bool
            Needed for directories.
        permanent : bool
            For good, although there is a trash.
        force : bool
            Also system data, which is deleted for good.
        """
        if permanent or force or not self.trash_at_once(path, recursive=recursive):
            self.delete(path, recursive=recursive, force=force)

    # Tiers

    def tiers(self, *, wait: float | None = None) -> Sequence[TierRecord]:
        """Describe all tiers as they are now, within the configured time limit.

        Parameters
        ----------
        wait : float, optional
            Seconds after which those that may still answer are said to be ``checking``.
        """
        looked = self._health.look(self._locations.tiers.values(), wait=wait)
        return [self._with_usage(record) for record in looked]

    def tier(self, name: str) -> TierRecord:
        """Describe one tier as it is now."""
        return self._with_usage(self._health.look([self._locations.tier(name)])[0])

    def tier_names(self) -> Sequence[str]:
        """Names of the tiers, without looking at any."""
        return list(self._locations.tiers)

    def prepare(self) -> None:
        """Make the directories of tiers that lie below the root, and their links in ``/mnt``.

        What cannot be made is left: the tier says why when it is looked at.
        """
        for tier in self._locations.tiers.values():
            path = tier.path or tier.mounted
            if path is None or not self._is_below_root(path):
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                # A mount that hangs must not be looked at.
                with suppress(FileExistsError):
                    path.mkdir()
                if tier.alias is not None and not tier.alias.is_symlink():
                    tier.alias.symlink_to(path, target_is_directory=True)
            except OSError:
                continue

    def environment(self) -> dict[str, str]:
        """Variables for kernels and terminals."""
        return self.settings.environment()

    # Uploads and archives

    @property
    def uploads(self) -> Uploads:
        """Resumable uploads."""
        from jupyter_storage.uploads import Uploads

        with self._lock:
            if self._uploads is None:
                directory = self.settings.data_directory / "uploads"
                self._uploads = Uploads(directory, self._upload_target, self._engine)
            return self._uploads

    def commit_upload(self, identifier: str) -> Entry:
        """Publish a complete upload under its name."""
        place = self._locations.place(self.uploads.get(identifier).path)
        entry = self.uploads.commit(identifier)
        self._changed(place)
        return relabel(replace(entry, path=place.key), place)

    def write_batch(
        self, files: Sequence[BatchFile], conflict: ConflictPolicy
    ) -> list[StorageError | None]:
        """Write many small files; see :func:`jupyter_storage.uploads.write_batch`."""
        from jupyter_storage.uploads import write_batch

        resolve = self._upload_targets()
        errors = write_batch(files, resolve, conflict, concurrency=self.settings.concurrency)
        written = [file.path for file, error in zip(files, errors, strict=True) if error is None]
        places = [self._locations.place(path) for path in written]
        for place in {place.at(parent(place.key)) for place in places}:
            self._changed(place, itself=True)
        return errors

    def in_the_way(self, directory: str, paths: Sequence[str]) -> list[InTheWay]:
        """Say which targets of an upload into a directory exist."""
        from jupyter_storage.uploads import find_in_the_way

        return find_in_the_way(self._locations.place(directory), paths, self._upload_targets())

    def archive(self, paths: Sequence[str], *, name: str | None = None) -> Archive:
        """Zip files and directories as a stream.

        Parameters
        ----------
        paths : sequence of str
            Each appears under its own name.
        name : str, optional
            File name of the zip; from the first path unless told.

        Raises
        ------
        NotFound
            If one of them is not there.
        """
        from jupyter_storage.archives import Archive

        if not paths:
            raise InvalidRequest("Nothing to zip", hint="Name at least one file or directory.")
        items = []
        for path in paths:
            place = self._locations.place(path)
            with place.naming():
                place.store.stat(place.key)
            items.append((place.store, place.key, place.name))
        return Archive(items, name or f"{items[0][2]}.zip")

    # Life

    def close(self) -> None:
        """Stop transfers and give back connections. Snapshots are stopped by who started them."""
        if self._started is not None:
            self._started.close()
        self._stop_counting()
        self._locations.close()

    def _upload_target(self, path: str) -> Place:
        return self._upload_targets()(path)

    def _upload_targets(self) -> Callable[[str], Place]:
        """Give what says where the files of one request land, or why one may not be written."""
        protection = self._locations.protection()

        def resolve(path: str) -> Place:
            place = self._locations.place(path)
            protection.check(place)
            return place

        return resolve

    def _is_below_root(self, path: Path) -> bool:
        return self.settings.root in path.parents
