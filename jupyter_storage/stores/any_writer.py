"""Files on their way into any file system of fsspec."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from jupyter_storage.errors import AlreadyExists, ChecksumMismatch, IsADirectory, NotFound
from jupyter_storage.paths import TEMPORARY_PREFIX, join, parent
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Writer

if TYPE_CHECKING:
    from jupyter_storage.stores.any import AnyStore

__all__ = ["AnyWriter"]


class AnyWriter(Writer):
    """Writes beside the target under a hidden name, and renames it last."""

    def __init__(self, store: AnyStore, key: str, exclusive: bool) -> None:
        self._store, self._key, self._exclusive = store, key, exclusive
        self._temporary = store._path(join(parent(key), f"{TEMPORARY_PREFIX}{uuid4().hex}"))
        self._file: IO[bytes] = store._try(lambda: store._fs.open(self._temporary, "wb"), key)
        self._written = 0
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._store._try(lambda: self._file.write(data), self._key)
        self._written += len(data)

    def commit(self) -> Entry:
        store = self._store
        store._try(self._file.close, self._key)
        size = store._try(lambda: store._fs.info(self._temporary), self._key).get("size")
        if size != self._written:
            raise ChecksumMismatch(
                f"{self._written:,} bytes were written and {size} arrived", path=self._key
            )
        with suppress(NotFound):
            found = store.stat(self._key)
            if found.is_directory:
                raise IsADirectory("A directory has that name", path=self._key)
            if self._exclusive:
                raise AlreadyExists("It exists already", path=self._key)
        store._move(self._temporary, self._key)
        self._open = False
        return store.stat(self._key)

    def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        with suppress(Exception):
            self._file.close()
        with suppress(Exception):
            self._store._fs.rm_file(self._temporary)
