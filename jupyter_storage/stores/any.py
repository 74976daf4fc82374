"""Every other protocol that fsspec knows, as a store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem
from fsspec.utils import get_protocol

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotConfigured,
    NotFound,
    StorageError,
    Unsupported,
)
from jupyter_storage.paths import basename, is_below, is_temporary, join, parent
from jupyter_storage.records import Entry, Page
from jupyter_storage.redact import redact
from jupyter_storage.stores.any_protocols import entry_of, installation
from jupyter_storage.stores.any_writer import AnyWriter
from jupyter_storage.stores.cloud_errors import from_cloud_error
from jupyter_storage.stores.store import CHUNK, Progress, Store, Writer
from jupyter_storage.stores.streams import Stream

__all__ = ["AnyStore"]

T = TypeVar("T")

_WEB = frozenset({"http", "https"})
_READ_ONLY = _WEB | frozenset({"github", "git", "zip", "tar", "reference", "data"})


class AnyStore(Store):
    """A directory behind an fsspec file system as a store.

    Such a file system promises less than the other stores: listings come whole before they are
    paged, and an exclusive creation is a look and then a rename.

    Parameters
    ----------
    uri : str
        For example ``sftp://host/directory`` or ``az://container/prefix``.
    options : mapping, optional
        Arguments of the file system.

    Raises
    ------
    NotConfigured
        If the protocol is unknown, or its package is not installed.
    """

    def __init__(self, uri: str, options: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(uri)
        self._protocol = get_protocol(uri)
        self._host = urlsplit(uri).hostname or uri
        self._fs: AbstractFileSystem
        try:
            self._fs, self._root = fsspec.url_to_fs(
                uri, **{"use_listings_cache": False, "skip_instance_cache": True, **options}
            )
        except (ImportError, ValueError) as error:
            raise NotConfigured(
                f"The protocol '{self._protocol}' cannot be used: {redact(str(error))}",
                path=redact(uri),
                hint=installation(self._protocol),
            ) from error
        except Exception as error:
            raise self._translated(error, "") from error
        self._root = self._root.rstrip("/")

    # Looking

    def stat(self, key: str) -> Entry:
        try:
            info = self._try(lambda: self._fs.info(self._path(key)), key)
        except NotFound:
            if key:
                raise
            # A root that nobody has written to yet is an empty directory.
            return Entry("", "", "directory")
        return entry_of(key, info)

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        children = self._children(key)
        start = bisect_right([entry.name for entry in children], cursor) if cursor else 0
        chosen = children[start : start + limit]
        more = start + limit < len(children)
        return Page(tuple(chosen), chosen[-1].name if more else None)

    def walk(self, key: str = "") -> Iterator[Entry]:
        pending = [iter(self._in_order(key))]
        while pending:
            entry = next(pending[-1], None)
            if entry is None:
                pending.pop()
                continue
            yield entry
            if entry.is_directory:
                with suppress(NotFound):
                    pending.append(iter(self._in_order(entry.path)))

    def creates_exclusively(self) -> bool:
        return False

    def local_path(self, key: str) -> Path | None:
        return None

    # Bytes

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        entry = self.stat(key)
        if entry.is_directory:
            raise IsADirectory("It is a directory", path=key)
        left = length
        if entry.size is not None:
            rest = max(0, entry.size - offset)
            left = rest if length is None else min(length, rest)
        if left == 0:
            yield iter(())
            return
        expected = left if entry.size is not None else None
        # Not every web server gives ranges: from the beginning, a file is asked for in one go.
        how: dict[str, Any] = {"cache_type": "none"}
        if self._protocol in _WEB and not offset:
            how["block_size"] = 0
        file: IO[bytes] = self._try(lambda: self._fs.open(self._path(key), "rb", **how), key)

        def read() -> bytes:
            nonlocal left
            size = CHUNK if left is None else min(CHUNK, left)
            piece: bytes = self._try(lambda: file.read(size), key) if size else b""
            if left is not None:
                left -= len(piece)
            return piece

        with file:
            if offset:
                self._try(lambda: file.seek(offset), key)
            yield Stream(read, key, expected=expected, version=None)

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        self._writable(key)
        if not key:
            raise IsADirectory("It is the root of the tier", path=key)
        with suppress(NotFound):
            found = self.stat(key)
            if found.is_directory:
                raise IsADirectory("A directory has that name", path=key)
            if exclusive:
                raise AlreadyExists("It exists already", path=key)
        self._make_parents(key)
        return AnyWriter(self, key, exclusive)

    # Changing

    def make_directory(self, key: str) -> None:
        self._writable(key)
        if not key:
            return
        with suppress(NotFound):
            if not self.stat(key).is_directory:
                raise AlreadyExists("A file has that name", path=key)
            return
        self._make_parents(key)
        self._try(lambda: self._fs.makedirs(self._path(key), exist_ok=True), key)

    def delete(self, key: str) -> None:
        self._writable(key)
        if self.stat(key).is_directory:
            raise IsADirectory("It is a directory", path=key)
        self._try(lambda: self._fs.rm_file(self._path(key)), key)

    def delete_empty(self, key: str) -> None:
        page = self.list(key, limit=1)
        if not page.entries and page.cursor is None:
            self._remove_directory(key)

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        self._writable(key)
        entries = list(self.walk(key))
        files = 0
        for entry in reversed(entries):
            path = self._path(entry.path)
            if entry.is_directory:
                self._remove_directory(entry.path)
            else:
                self._try(partial(self._fs.rm_file, path), entry.path)
                files += 1
                if progress:
                    progress(1)
        if key:
            self._remove_directory(key)
        return files

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        self._writable(key)
        if is_below(to, key):
            raise InvalidRequest("It cannot move into itself", path=key)
        entry = self.stat(key)
        with suppress(NotFound):
            if exclusive or entry.is_directory or self.stat(to).is_directory:
                self.stat(to)
                raise AlreadyExists("It exists already", path=to)
        self._make_parents(to)
        if entry.is_directory:
            self._move_directory(key, to)
        else:
            self._move(self._path(key), to)

    # The rest

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self._fs, self._root

    def url(self, key: str, *, expires: int = 3600) -> str:
        if self._protocol in _WEB:
            return self._path(key)
        try:
            return str(self._fs.sign(self._path(key), expiration=expires))
        except Exception:
            return super().url(key, expires=expires)

    def check(self) -> None:
        if self._protocol in _WEB:
            self._try(lambda: self._fs.exists(self._root), "")
            return
        with suppress(NotFound):
            self._try(lambda: self._fs.ls(self._root, detail=False), "")

    # For the writer too

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root or self._fs.root_marker

    def _try(self, work: Callable[[], T], key: str) -> T:
        try:
            return work()
        except Exception as error:
            raise self._translated(error, key) from error

    def _translated(self, error: Exception, key: str) -> StorageError:
        return from_cloud_error(error, key=key, bucket=self._host, endpoint=self._host)

    def _writable(self, key: str) -> None:
        if self._protocol in _READ_ONLY:
            raise Unsupported(f"'{self._protocol}' can only be read from", path=key)

    def _children(self, key: str) -> Sequence[Entry]:
        path = self._path(key)
        try:
            found = self._try(lambda: self._fs.ls(path, detail=True), key)
        except NotFound:
            if key:
                raise
            return []
        entries = {}
        for info in found:
            full = str(info["name"]).rstrip("/")
            name = basename(full)
            if full == path.rstrip("/") and len(found) == 1 and info.get("type") == "file":
                raise NotADirectory("It is a file", path=key)
            if name and name not in {".", ".."} and not is_temporary(name) and full != path:
                entries[name] = entry_of(join(key, name), info)
        if not found and key and not self.stat(key).is_directory:
            raise NotADirectory("It is a file", path=key)
        return [entries[name] for name in sorted(entries)]

    def _in_order(self, key: str) -> Sequence[Entry]:
        return sorted(
            self._children(key),
            key=lambda entry: entry.name + "/" if entry.is_directory else entry.name,
        )

    def _make_parents(self, key: str) -> None:
        above = parent(key)
        at = above
        while at:
            with suppress(NotFound):
                if not self.stat(at).is_directory:
                    raise NotADirectory("Part of the path is a file, not a directory", path=at)
                break
            at = parent(at)
        if at != above or not above:
            with suppress(AlreadyExists):
                self._try(lambda: self._fs.makedirs(self._path(above), exist_ok=True), above)

    def _remove_directory(self, key: str) -> None:
        # It may have gone with the last file in it.
        with suppress(NotFound):
            self._try(lambda: self._fs.rmdir(self._path(key)), key)

    def _move(self, source: str, to: str) -> None:
        """Move one file: by a rename where the file system has one, else by a copy."""
        target = self._path(to)
        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._try(lambda: self._fs.mv(source, target), to)
            return
        # fsspec's own mv would take '*', '?' and '[' in names for patterns.
        self._try(lambda: self._fs.cp_file(source, target), to)
        self._try(lambda: self._fs.rm_file(source), to)

    def _move_directory(self, key: str, to: str) -> None:
        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._try(lambda: self._fs.mv(self._path(key), self._path(to), recursive=True), to)
            return
        entries = list(self.walk(key))
        self.make_directory(to)
        for entry in entries:
            target = to + entry.path[len(key) :]
            if entry.is_directory:
                self.make_directory(target)
            else:
                self._make_parents(target)
                self._try(
                    partial(self._fs.cp_file, self._path(entry.path), self._path(target)), target
                )
        self.delete_directory(key)
