"""What all object stores have in common: directories that are prefixes of keys."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotFound,
    StorageError,
    Unsupported,
)
from jupyter_storage.paths import TEMPORARY_PREFIX, basename, is_below, join
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.cloud_errors import root_code
from jupyter_storage.stores.directories import Directories, Names
from jupyter_storage.stores.objects import Found, Span, entry_of, visible
from jupyter_storage.stores.store import Progress, Store
from jupyter_storage.stores.streams import Stream

__all__ = ["ObjectStore"]

PAGE = 1000  # keys that one listing or one deletion takes
RENAMES = 8  # copies at once while a directory is renamed


class ObjectStore(Store):
    """A prefix in a bucket.

    Nothing outside of the prefix is ever asked for, so credentials that reach nothing else do.
    Directories come into being with what is in them; an empty one is an object of no bytes whose
    key ends with a slash.

    Parameters
    ----------
    scheme, bucket : str
    prefix : str
        Key of the root, without slashes around it.
    """

    def __init__(self, scheme: str, bucket: str, prefix: str) -> None:
        super().__init__(join(f"{scheme}://{bucket}", prefix))
        self.bucket, self.prefix = bucket, prefix
        self._directories = Directories(self._names_in, self._is_directory)
        self._conditions: bool | None = None
        self._conditions_lock = threading.Lock()

    # What each service does in its own way

    @abstractmethod
    def _head(self, key: str) -> Entry:
        """Describe a file, or raise NotFound."""

    @abstractmethod
    def _found(
        self,
        key: str,
        prefix: str,
        *,
        flat: bool,
        cursor: str | None,
        limit: int,
        after: str = "",
    ) -> tuple[Sequence[Found], str | None]:
        """Ask for one page of what begins with a prefix, and for the cursor of the next.

        With ``flat``, everything; else one level, with the directories in it. With ``after``, a
        service may leave out the keys up to that one.
        """

    @abstractmethod
    def _get(self, key: str, span: Span | None) -> tuple[Stream, Callable[[], None]]:
        """Begin to fetch a file, or a range of it.

        Returns
        -------
        tuple
            The stream, and what gives its connection back.
        """

    @abstractmethod
    def _put_if_absent(self, key: str) -> None:
        """Create an empty object by the service's own condition; AlreadyExists if it refuses."""

    @abstractmethod
    def _put_marker(self, key: str) -> None:
        """Make the object that stands for an empty directory."""

    @abstractmethod
    def _delete_object(self, key: str) -> None:
        """Delete one file that exists."""

    @abstractmethod
    def _delete_objects(self, object_keys: Sequence[str]) -> None:
        """Delete up to a page of objects by their keys in the bucket."""

    @abstractmethod
    def _copy(
        self,
        source: Mapping[str, str],
        key: str,
        size: int,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Copy an object (``Bucket``, ``Key``) inside the service; ``key`` may end with a slash."""

    # Looking

    def stat(self, key: str) -> Entry:
        if not key:
            self.check()
            return Entry("", "", "directory")
        with suppress(NotFound):
            return self._head(key)
        if self._is_directory(key):
            return Entry(key, basename(key), "directory")
        raise NotFound("No such file or directory", path=key)

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        base = self._base(key)
        found, more = self._found(
            key, base, flat=False, cursor=cursor, limit=max(1, min(limit, PAGE))
        )
        if not found and not cursor and not more and key:
            self._refuse_listing(key)
        entries = []
        for item in sorted(found, key=lambda item: item.key):
            relative = item.key[len(base) :]
            child = visible(relative)
            if child is not None:
                entries.append(entry_of(join(key, child), relative.endswith("/"), item))
        return Page(tuple(entries), more)

    def walk(self, key: str = "") -> Iterator[Entry]:
        start, above = len(self._base(key)), f"{key}/" if key else ""
        empty = True
        for item in self._all(key):
            empty = False
            relative = item.key[start:]
            child = visible(relative)
            if child is not None:
                yield entry_of(above + child, relative[-1] == "/", item)
        if empty and key:
            self._refuse_listing(key)

    def local_path(self, key: str) -> Path | None:
        return None

    # Bytes

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        if length is not None and length <= 0:
            self._file_stat(key)
            yield iter(())
            return
        span = None
        if offset or length is not None:
            span = Span(offset, None if length is None else offset + length)
        try:
            with self._looked(key):
                stream, release = self._get(key, span)
        except StorageError as error:
            if root_code(error) in {"416", "InvalidRange"}:
                # Nothing is beyond the end.
                yield iter(())
                return
            raise
        try:
            yield stream
        finally:
            release()

    # Changing

    def creates_exclusively(self) -> bool:
        with self._conditions_lock:
            if self._conditions is None:
                self._conditions = self._heeds_conditions()
            return self._conditions

    def _heeds_conditions(self) -> bool:
        """Whether the service refuses to create what exists; some services just write it."""
        key = f"{TEMPORARY_PREFIX}{uuid4().hex}"
        try:
            self._put_if_absent(key)
            try:
                self._put_if_absent(key)
            except AlreadyExists:
                return True
            finally:
                with suppress(StorageError):
                    self._delete_object(key)
        except StorageError:
            # It says no to something else: then we look before we write.
            return False
        return False

    def make_directory(self, key: str) -> None:
        if not key:
            return
        with suppress(NotFound):
            self._head(key)
            raise AlreadyExists("A file has that name", path=key)
        if not self._is_directory(key):
            self._put_marker(key)
        self._directories.add(key)

    def delete(self, key: str) -> None:
        # Some services say nothing when there was nothing to delete.
        self._file_stat(key)
        self._delete_object(key)

    def delete_files(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), PAGE):
            self._delete_objects([self._key(key) for key in keys[start : start + PAGE]])

    def delete_empty(self, key: str) -> None:
        page = self.list(key, limit=1)
        if not page.entries and page.cursor is None:
            # Only its marker: what comes into being at this moment stays.
            self._delete_objects([self._key(key) + "/"])

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        files = 0
        empty = True
        batch: list[str] = []

        def flush() -> None:
            nonlocal files
            self._delete_objects(batch)
            done = sum(not object_key.endswith("/") for object_key in batch)
            batch.clear()
            files += done
            if progress:
                progress(done)

        for item in self._all(key):
            empty = False
            batch.append(item.key)
            if len(batch) == PAGE:
                flush()
        if batch:
            flush()
        if empty and key:
            self._refuse_listing(key)
        return files

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        if not isinstance(source, ObjectStore) or not self.can_copy_from(source):
            raise Unsupported("This store copies inside of its own service only", path=key)
        size = source._file_stat(source_key).size or 0
        if not key or self._directories.has(key):
            raise IsADirectory("A directory has that name", path=key)
        if exclusive:
            self._refuse_existing(key)
        origin = {"Bucket": source.bucket, "Key": source._key(source_key)}
        self._copy(origin, key, size, exclusive=exclusive, progress=progress)
        entry = self._head(key)
        if entry.size != size:
            raise Conflict(
                f"It changed while it was copied: {size:,} bytes before, {entry.size:,} now",
                path=key,
                hint="Copy it again.",
            )
        return entry

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        if is_below(to, key):
            raise InvalidRequest("It cannot move into itself", path=key)
        entry = self.stat(key)
        if not to or self._is_directory(to):
            raise AlreadyExists("A directory has that name", path=to)
        if not entry.is_directory:
            self.copy_from(self, key, to, exclusive=exclusive)
            self._delete_object(key)
            return
        self._refuse_existing(to)
        base = self._base(key)
        items = list(self._all(key))

        def copy(item: Found) -> None:
            target = f"{to}/{item.key[len(base) :]}"
            self._copy({"Bucket": self.bucket, "Key": item.key}, target, item.size)

        try:
            with ThreadPoolExecutor(RENAMES) as pool:
                for _ in pool.map(copy, items):
                    continue
        except BaseException:
            # The source is whole; what was copied was not there before.
            with suppress(StorageError):
                self.delete_directory(to)
            raise
        self._directories.add(to)
        for start in range(0, len(items), PAGE):
            self._delete_objects([item.key for item in items[start : start + PAGE]])

    def check(self) -> None:
        self._found("", self._base(""), flat=True, cursor=None, limit=1)

    # Keys

    def _key(self, key: str) -> str:
        return join(self.prefix, key)

    def _base(self, key: str) -> str:
        """Prefix of all that is in a directory, and of nothing else."""
        full = self._key(key)
        return f"{full}/" if full else ""

    def _outside(self, object_key: str) -> str:
        """A key in the bucket as callers know it."""
        return object_key[len(self._base("")) :]

    def _all(self, key: str) -> Iterator[Found]:
        """Everything in a directory, markers and oddly named objects too."""

        def page(cursor: str | None) -> tuple[Sequence[Found], str | None]:
            return self._found(key, self._base(key), flat=True, cursor=cursor, limit=PAGE)

        found, cursor = page(None)
        if cursor is None:
            yield from found
            return
        # The next page is on its way while this one is worked on.
        with ThreadPoolExecutor(1, "jupyter-storage-list") as pool:
            while cursor is not None:
                coming = pool.submit(page, cursor)
                yield from found
                found, cursor = coming.result()
        yield from found

    def _is_directory(self, key: str) -> bool:
        found, _ = self._found(key, self._base(key), flat=True, cursor=None, limit=1)
        return bool(found)

    def _names_in(self, directory: str, start: str) -> Names:
        """Names of the directories in one, of a page that begins there."""
        base = self._base(directory)
        after = base + start if start else ""
        found, more = self._found(directory, base, flat=False, cursor=None, limit=PAGE, after=after)
        last = max((item.key for item in found), default=base) if more else None
        names = {basename(item.key.rstrip("/")) for item in found if item.key.endswith("/")}
        return Names(names, None if last is None else last[len(base) :])

    def _file_stat(self, key: str) -> Entry:
        entry = self.stat(key)
        if entry.is_directory:
            raise IsADirectory("It is a directory", path=key)
        return entry

    @contextmanager
    def _looked(self, key: str) -> Iterator[None]:
        """Ask about a file; where it is not found, say whether it is a directory."""
        if not key:
            raise IsADirectory("It is a directory", path=key)
        try:
            yield
        except NotFound:
            self._file_stat(key)
            raise

    def _refuse_existing(self, key: str) -> None:
        with suppress(NotFound):
            self._head(key)
            raise AlreadyExists("It exists already", path=key)

    def _refuse_listing(self, key: str) -> None:
        """Say why there is nothing in a directory."""
        with suppress(NotFound):
            self._head(key)
            raise NotADirectory("It is a file", path=key)
        raise NotFound("No such directory", path=key)
