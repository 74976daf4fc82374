"""Files and directories, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_storage.config import Settings
from jupyter_storage.errors import InvalidRequest, IsADirectory, StorageError
from jupyter_storage.listings import Listings, SortKey
from jupyter_storage.paths import join
from jupyter_storage.records import Entry, Page
from jupyter_storage.service.base import Base, Listener
from jupyter_storage.stores.store import Writer
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from jupyter_storage.records import Finding, Preview

__all__ = ["Files", "relabel"]


class Files(Base):
    """The service's part that looks at files and changes them."""

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._listings = Listings()

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
            return relabel(place.store.stat(place.key), place)

    def list(
        self,
        path: str,
        *,
        cursor: str | None = None,
        limit: int = 1000,
        sort: SortKey = "name",
        descending: bool = False,
        matching: str = "",
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
                matching=matching,
            )
        return Page(tuple(relabel(entry, place) for entry in page.entries), page.cursor)

    def walk(self, path: str, *, together: bool = False) -> Iterator[Entry]:
        """Yield everything below a directory; see :meth:`Store.walk`.

        Parameters
        ----------
        path : str
        together : bool
            List several directories of object storage at the same time; some that are only
            implied come too.
        """
        place = self._locations.place(path)
        store, key = place.store, place.key
        with place.naming():
            if together:
                from jupyter_storage.transfers.walking import walk_together

                entries = walk_together(store, key, concurrency=self.settings.concurrency)
            else:
                entries = store.walk(key)
            for entry in entries:
                yield relabel(entry, place)

    def preview(self, path: str) -> Preview:
        """Show what is in a file; see :func:`jupyter_storage.previews.preview`."""
        from jupyter_storage.previews import preview

        place = self._locations.place(path)
        with place.naming():
            shown = preview(place.store, place.key)
        return replace(shown, entry=relabel(shown.entry, place))

    def find(self, path: str, matching: str, *, limit: int) -> Generator[Finding]:
        """Look for names in a directory and all those below it.

        Parameters
        ----------
        path : str
        matching : str
            As in :meth:`list`.
        limit : int
            Most entries in all.

        Yields
        ------
        Finding
            A few times a second, also where nothing was found yet.
        """
        from jupyter_storage.finding import find, with_directories
        from jupyter_storage.listings import name_filter
        from jupyter_storage.stores.local import LocalStore
        from jupyter_storage.transfers.walking import walk_together

        place = self._locations.place(path)
        store, key, unlisted = place.store, place.key, list[StorageError]()
        with place.naming():
            if isinstance(store, LocalStore):
                # One directory that may not be read does not hide the others.
                entries = store.walk(key, on_error=unlisted.append)
            else:
                together = walk_together(store, key, concurrency=self.settings.concurrency)
                entries = with_directories(key, together)
            wanted = name_filter(matching)
            for step in find(entries, wanted, limit=limit, unlisted=unlisted):
                found = tuple(relabel(entry, place) for entry in step.entries)
                yield replace(step, entries=found)

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

    def reference(self, path: str, *, to_write: bool = False) -> tuple[str, Mapping[str, Any]]:
        """Say where a path is such that another process can open it.

        Parameters
        ----------
        path : str
        to_write : bool
            Whether it is to be written to, which system data refuses.

        Returns
        -------
        tuple
            A URI, and the options of its store, which hold no secret.
        """
        if to_write:
            self._locations.guard(self._locations.place(path), force=False)
        return self._locations.reference(path)

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
            entry = relabel(place.store.stat(place.key), place)
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
            entry = relabel(target.store.stat(target.key), target)
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

    def _is_link(self, place: Place) -> bool:
        local = place.store.local_path(place.key)
        return local is not None and local.is_symlink()


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
            entry = relabel(entry, self._place)
        self._changed(self._place)
        return entry

    def abort(self) -> None:
        self._writer.abort()


def relabel(entry: Entry, place: Place) -> Entry:
    """Describe a file by the path that the caller knows."""
    # Of each line of a listing one is made: dataclasses.replace takes ten times as long.
    return Entry(
        place.label + entry.path,
        entry.name or place.at("").name,
        entry.type,
        entry.size,
        entry.modified,
        entry.checksum,
        entry.link,
    )
