"""A file that is read in places, and only so much of it."""

from __future__ import annotations

import io
from typing import Any

from jupyter_storage.errors import StorageError
from jupyter_storage.stores.store import Store

__all__ = ["Source", "TooMuch"]

_AHEAD = 64 * 2**10  # bytes; a request for fewer costs as much


class TooMuch(StorageError):
    """More would have to be read than a preview may."""


class Source(io.RawIOBase):
    """A file of a store as Python reads files: each place that is read is one ranged request.

    Parameters
    ----------
    store : Store
    key : str
    size : int
    most : int
        Bytes that may be read in all.
    """

    def __init__(self, store: Store, key: str, size: int, most: int) -> None:
        self._store, self._key, self.length = store, key, size
        self._left = most
        self._at = 0
        self._held = b""
        self._held_at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        """Bytes of the file."""
        return self.length

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.length}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Read from here on; see :class:`io.RawIOBase`."""
        wanted = self.length - self._at if size is None or size < 0 else size
        wanted = max(0, min(wanted, self.length - self._at))
        if not self._held_at <= self._at <= self._held_at + len(self._held) - wanted:
            self._fetch(wanted)
        start = self._at - self._held_at
        data = self._held[start : start + wanted]
        self._at += len(data)
        return data

    def _fetch(self, wanted: int) -> None:
        length = min(max(wanted, _AHEAD), self.length)
        if length > self._left:
            raise TooMuch("More of the file would have to be read than a preview may")
        # At the end, where formats keep their contents and read them in steps, what lies before.
        at = min(self._at, self.length - length)
        self._held = self._store.read(self._key, offset=at, length=length)
        self._held_at = at
        self._left -= len(self._held)
