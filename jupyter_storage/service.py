"""The facade that every face calls: a request in, a record out; wires what lies below."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.config import Settings, key_part
from jupyter_storage.errors import InvalidRequest, IsADirectory
from jupyter_storage.listings import Listings, SortKey
from jupyter_storage.locations import PRIVATE_PREFIX, Locations
from jupyter_storage.paths import join, parent
from jupyter_storage.records import (
    Change,
    ConflictPolicy,
    Entry,
    Page,
    Plan,
    SnapshotRecord,
    TierRecord,
    TransferRecord,
)
from jupyter_storage.stores.store import Writer
from jupyter_storage.tiers import Health, workload_prefix
from jupyter_storage.tiers.registry import options_for
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.jobs import Jobs
from jupyter_storage.transfers.progress import Meter

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from jupyter_storage.archives import Archive
    from jupyter_storage.snapshots.history import History
    from jupyter_storage.snapshots.upkeep import Upkeep
    from jupyter_storage.snapshots.workspace import Workspace
    from jupyter_storage.uploads import Uploads

__all__ = ["Listener", "Service"]

Listener = Callable[[str, object], None]
"""Called with 'transfer', 'snapshot' or 'change' and the record."""


class Service:
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
        self.settings = settings
        self._listener = listener
        self._locations = Locations(settings)
        self._health = Health(self._locations.open_tier, settings.check_timeout)
        self._listings = Listings()
        self._engine = Engine(concurrency=settings.concurrency)
        self._jobs = Jobs(listener=lambda record: self._tell("transfer", record))
        # Made when first asked for, since a command needs neither; and not twice.
        self._lock = threading.Lock()
        self._uploads: Uploads | None = None
        self._snapshots: Workspace | None = None
        self._history: History | None = None

    # Tiers

    def tiers(self, *, wait: float | None = None) -> Sequence[TierRecord]:
        """Describe all tiers as they are now, within the configured time limit.

        Parameters
        ----------
        wait : float, optional
            Seconds after which those that may still answer are said to be ``checking``.
        """
        return self._health.look(self._locations.tiers.values(), wait=wait)

    def tier(self, name: str) -> TierRecord:
        """Describe one tier as it is now."""
        return self._health.look([self._locations.tier(name)])[0]

    def tier_names(self) -> Sequence[str]:
        """Names of the tiers, without looking at any."""
        return list(self._locations.tiers)

    def prepare(self) -> None:
        """Make the directories of tiers that lie below the root, and their links in ``/mnt``.

        What cannot be made is left: the tier says why when it is looked at.
        """
        for tier in self._locations.tiers.values():
            if tier.path is None or not self._is_below_root(tier.path):
                continue
            try:
                tier.path.mkdir(parents=True, exist_ok=True)
                if tier.alias is not None and not tier.alias.is_symlink():
                    tier.alias.symlink_to(tier.path, target_is_directory=True)
            except OSError:
                continue

    def environment(self) -> dict[str, str]:
        """Variables for kernels and terminals."""
        return self.settings.environment()

    # Looking

    def stat(self, path: str) -> Entry:
        """Describe one file or directory.

        Parameters
        ----------
        path : str
            ``tier:relative/path``, a URI or a local path.

        Returns
        -------
        Entry
            Its ``path`` is spelled as the caller spelled the root.

        Raises
        ------
        NotFound
        """
        place = self._locations.place(path)
        with place.naming():
            return _relabel(place.store.stat(place.key), place)

    def list(
        self,
        path: str,
        *,
        cursor: str | None = None,
        limit: int = 1000,
        sort: SortKey = "name",
        descending: bool = False,
    ) -> Page:
        """List one page of a directory; see :meth:`jupyter_storage.listings.Listings.page`."""
        place = self._locations.place(path)
        with place.naming():
            page = self._listings.page(
                place.store,
                place.key,
                cursor=cursor,
                limit=limit,
                sort=sort,
                descending=descending,
            )
        return Page(tuple(_relabel(entry, place) for entry in page.entries), page.cursor)

    def walk(self, path: str) -> Iterator[Entry]:
        """Yield everything below a directory; see :meth:`Store.walk`."""
        place = self._locations.place(path)
        with place.naming():
            for entry in place.store.walk(place.key):
                yield _relabel(entry, place)

    @contextmanager
    def open(
        self, path: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Stream a file or a range of it."""
        place = self._locations.place(path)
        with place.naming(), place.store.open(place.key, offset=offset, length=length) as pieces:
            yield pieces

    def filesystem(self, path: str) -> tuple[AbstractFileSystem, str]:
        """Give an fsspec file system for a person's own code, and the path's own path in it."""
        place = self._locations.place(path)
        with place.naming():
            filesystem, root = place.store.filesystem()
        return filesystem, join(root.rstrip("/"), place.key) or "/"

    def local_path(self, path: str) -> Path | None:
        """Path on this machine, or None for object storage."""
        place = self._locations.place(path)
        with place.naming():
            return place.store.local_path(place.key)

    def url(self, path: str, *, expires: int = 3600) -> str:
        """Make a link to a file that works without credentials for ``expires`` seconds."""
        place = self._locations.place(path)
        with place.naming():
            if place.store.stat(place.key).is_directory:
                raise IsADirectory(
                    "A link leads to one file, and this is a directory",
                    path=place.path,
                    hint="Zip it first: jupyter storage zip.",
                )
            return place.store.url(place.key, expires=expires)

    # Changing

    def create(
        self,
        path: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
        force: bool = False,
    ) -> Writer:
        """Begin to write a file; it appears when the writer commits.

        Raises
        ------
        AlreadyExists
            With ``exclusive``, if it is there.
        Protected
            For system data without ``force``.
        """
        place = self._locations.place(path)
        with place.naming():
            if not place.key or place.directory:
                raise IsADirectory("A file's name is missing", path=place.path)
            self._locations.guard(place, force=force)
            writer = place.store.create(
                place.key, exclusive=exclusive, size=size, modified=modified
            )
        return _NamedWriter(writer, place, self._changed)

    def make_directory(self, path: str) -> Entry:
        """Make a directory and those above it."""
        place = self._locations.place(path)
        with place.naming():
            self._locations.guard(place, force=False)
            place.store.make_directory(place.key)
            entry = _relabel(place.store.stat(place.key), place)
        self._changed(place)
        return entry

    def rename(self, path: str, to: str, *, overwrite: bool = False, force: bool = False) -> Entry:
        """Rename a file or directory inside its tier.

        Raises
        ------
        InvalidRequest
            If the two are in different tiers: that is a move.
        """
        source, target = self._locations.place(path), self._locations.place(to)
        with source.naming():
            if source.store is not target.store:
                raise InvalidRequest(
                    "A rename stays inside one tier",
                    path=target.path,
                    hint="Move it instead: jupyter storage mv.",
                )
            self._locations.guard(source, force=force, deletes=True)
            self._locations.guard(target, force=force)
            source.store.rename(source.key, target.key, exclusive=not overwrite)
            entry = _relabel(target.store.stat(target.key), target)
        self._changed(source)
        self._changed(target)
        return entry

    def delete(self, path: str, *, recursive: bool = False, force: bool = False) -> int:
        """Delete a file, or a directory with all that is in it.

        Parameters
        ----------
        path : str
        recursive : bool
            Needed for directories.
        force : bool
            Also system data.

        Returns
        -------
        int
            Number of files that are gone.
        """
        place = self._locations.place(path)
        with place.naming():
            self._locations.guard(place, force=force, deletes=True)
            if not place.store.stat(place.key).is_directory or self._is_link(place):
                place.store.delete(place.key)
                files = 1
            elif not recursive:
                raise IsADirectory("It is a directory", path=place.path)
            else:
                files = place.store.delete_directory(place.key)
        self._changed(place)
        return files

    # Transfers

    def estimate(
        self,
        sources: Sequence[str],
        destination: str,
        *,
        recursive: bool = False,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
    ) -> Plan:
        """Say what :meth:`copy` would do, without doing it."""
        return self._engine.estimate(
            [self._locations.place(source) for source in sources],
            self._locations.place(destination),
            recursive=recursive,
            policy=conflict,
            into=into,
        )

    def copy(
        self,
        sources: Sequence[str],
        destination: str,
        *,
        recursive: bool = False,
        move: bool = False,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
        force: bool = False,
    ) -> TransferRecord:
        """Start to copy or move; ``docs/transfers.md`` says what lands where.

        Returns
        -------
        TransferRecord
            Of a transfer that runs in the background: see :meth:`wait`.
        """
        places = [self._locations.place(source) for source in sources]
        target = self._locations.place(destination)
        if move:
            for place in places:
                self._locations.guard(place, force=force, deletes=True)
        self._locations.guard(target, force=force)

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                self._engine.copy(
                    places,
                    target,
                    recursive=recursive,
                    policy=conflict,
                    move=move,
                    into=into,
                    meter=meter,
                    cancel=cancel,
                )
            finally:
                self._changed(target, itself=True)
                if move:
                    for place in places:
                        self._changed(place)

        return self._jobs.start("move" if move else "copy", sources, destination, work)

    def remove(
        self, paths: Sequence[str], *, recursive: bool = False, force: bool = False
    ) -> TransferRecord:
        """Start to delete, as a transfer with progress."""
        places = [self._locations.place(path) for path in paths]
        for place in places:
            self._locations.guard(place, force=force, deletes=True)

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                self._engine.delete(places, recursive=recursive, meter=meter, cancel=cancel)
            finally:
                for place in places:
                    self._changed(place)

        return self._jobs.start("delete", paths, None, work)

    def transfers(self) -> Sequence[TransferRecord]:
        """List transfers of this process, newest first."""
        return self._jobs.list()

    def transfer(self, identifier: str) -> TransferRecord:
        """Describe one transfer."""
        return self._jobs.get(identifier)

    def wait(self, identifier: str, timeout: float | None = None) -> TransferRecord:
        """Wait for a transfer to end, for at most ``timeout`` seconds."""
        return self._jobs.wait(identifier, timeout)

    def cancel(self, identifier: str) -> TransferRecord:
        """Ask a transfer to stop."""
        return self._jobs.cancel(identifier)

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
        return _relabel(replace(entry, path=place.key), place)

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

    # Snapshots

    @property
    def snapshots(self) -> Workspace:
        """Snapshots of the project directory."""
        with self._lock:
            if self._snapshots is None:
                self._snapshots = self._open_workspace(self.settings)
            return self._snapshots

    @property
    def history(self) -> History:
        """What snapshots hold, and what differs between them."""
        from jupyter_storage.snapshots.history import History

        workspace = self.snapshots
        with self._lock:
            if self._history is None:
                self._history = History(workspace)
            return self._history

    @property
    def upkeep(self) -> Upkeep:
        """Retention, pruning, checks, keys and pins."""
        from jupyter_storage.snapshots.upkeep import Upkeep

        return Upkeep(self.snapshots, self.settings.snapshot_retention)

    def stop_snapshots(self) -> None:
        """Take the last snapshot, if snapshots were begun."""
        with self._lock:
            workspace = self._snapshots
        if workspace is not None:
            workspace.stop(self.settings.snapshot_shutdown_timeout)

    def clone(self, snapshot: str, identifier: str) -> SnapshotRecord:
        """Begin a new workspace, in the same bucket, with a snapshot of this one.

        Parameters
        ----------
        snapshot : str
            ID, the beginning of one, ``latest``, or a time such as ``10 minutes ago``.
        identifier : str
            Of the new workspace: a server that is started with it has the files.
        """
        if key_part(identifier) != identifier or identifier == self.settings.workload_id:
            raise InvalidRequest(
                f"'{identifier}' cannot be the ID of a new workspace",
                hint="It has letters, digits and any of '._@+-', and is not this one's.",
            )
        settings = replace(self.settings, workload_id=identifier, workload_id_chosen=True)
        return self.snapshots.clone(snapshot, self._open_workspace(settings))

    def _open_workspace(self, settings: Settings) -> Workspace:
        from jupyter_storage.snapshots.workspace import Workspace

        prefix = workload_prefix(settings, "").rstrip("/")
        uri = join(settings.snapshot_uri or settings.system_uri, prefix)
        tiers = [tier.path for tier in self._locations.tiers.values() if tier.path]
        inside = [settings.root, settings.data_directory, *tiers]
        fallback = join(settings.artifacts, PRIVATE_PREFIX, prefix)
        return Workspace(
            project=settings.project,
            workspace=settings.workload_id,
            uri=uri,
            options=options_for(uri, settings),
            fallback_uri=None if settings.snapshot_uri else fallback,
            state=settings.data_directory / "snapshots" / settings.workload_id,
            password_file=None
            if settings.snapshot_no_password
            else settings.snapshot_password_file,
            interval=settings.snapshot_interval,
            gitignore=settings.snapshot_gitignore,
            bandwidth=settings.snapshot_bandwidth,
            retention=settings.snapshot_retention,
            enabled=settings.snapshots,
            excluded=[path for path in inside if settings.project in path.resolve().parents],
            listener=lambda status: self._tell("snapshot", status),
        )

    def restore(
        self,
        snapshot: str,
        target: str,
        *,
        paths: Sequence[str] = (),
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        exact: bool = False,
    ) -> TransferRecord:
        """Start to restore a snapshot into a directory, as a transfer with progress.

        Parameters
        ----------
        snapshot : str
            ID, the beginning of one, ``latest``, or a time such as ``10 minutes ago``.
        target : str
            Directory, relative to the project directory or absolute.
        paths : sequence of str
            Files and directories, relative to the project directory; all unless given.
        conflict : ConflictPolicy
            What is done where a file exists.
        exact : bool
            Whether files that the snapshot lacks are removed; in the project directory only.
        """
        directory = self.settings.project / target

        def work(meter: Meter, cancel: threading.Event) -> None:
            meter.run()
            chosen = self.snapshots.find(snapshot)
            if not paths:
                meter.expect(chosen.bytes or 0, chosen.files or 0)

            def progress(size: int, files: int) -> None:
                meter.add(size)
                meter.done(files)

            result = self.snapshots.restore(
                chosen.id,
                directory,
                paths=paths,
                policy=conflict,
                exact=exact,
                saved=meter.undoable,
                progress=progress,
                cancel=cancel,
            )
            meter.skip(result.skipped)
            for failure in result.failures:
                meter.fail(failure)

        return self._jobs.start("restore", [snapshot], str(directory), work)

    def close(self) -> None:
        """Stop transfers and give back connections. Snapshots are stopped by who started them."""
        self._jobs.close()
        self._locations.close()

    def _upload_target(self, path: str) -> Place:
        place = self._locations.place(path)
        self._locations.guard(place, force=False)
        return place

    def _is_link(self, place: Place) -> bool:
        local = place.store.local_path(place.key)
        return local is not None and local.is_symlink()

    def _is_below_root(self, path: Path) -> bool:
        return self.settings.root in path.parents

    def _changed(self, place: Place, *, itself: bool = False) -> None:
        if place.label.endswith(":"):
            directory = place.key if itself else parent(place.key)
            self._tell("change", Change(place.label[:-1], directory))
            if itself:
                self._tell("change", Change(place.label[:-1], parent(place.key)))

    def _tell(self, kind: str, record: object) -> None:
        if self._listener is not None:
            self._listener(kind, record)


class _NamedWriter(Writer):
    """A writer that speaks of the file by the path that the caller knows."""

    def __init__(self, writer: Writer, place: Place, changed: Callable[[Place], None]) -> None:
        self._writer, self._place, self._changed = writer, place, changed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        with self._place.naming():
            self._writer.write(data)

    def commit(self) -> Entry:
        with self._place.naming():
            entry = self._writer.commit()
            if entry.modified is None:
                entry = self._place.store.stat(self._place.key)
            entry = _relabel(entry, self._place)
        self._changed(self._place)
        return entry

    def abort(self) -> None:
        self._writer.abort()


def _relabel(entry: Entry, place: Place) -> Entry:
    return replace(entry, path=place.label + entry.path, name=entry.name or place.at("").name)
