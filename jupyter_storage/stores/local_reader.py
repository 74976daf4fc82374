"""Files of this machine on their way out, with as few calls as that takes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

from jupyter_storage.errors import InvalidRequest, IsADirectory, os_errors
from jupyter_storage.paths import basename, parent
from jupyter_storage.stores.store import CHUNK, Store

__all__ = ["SmallFiles", "open_file", "pieces", "read_whole"]

_LEAST = 2**16  # bytes asked for where hardly any should come: files grow, and /proc tells no sizes


_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe must not wait for its other end


class SmallFiles:
    """Reads one small file after the other; a directory is looked up once for all that is in it."""

    def __init__(self) -> None:
        self._at: tuple[Store, str] | None = None
        self._descriptor = -1

    def read(self, store: Store, key: str) -> tuple[bytes, int] | None:
        """Give a file's bytes and its mode; None for what is no plain file, as a link."""
        with os_errors(key):
            if (store, parent(key)) != self._at:
                self._enter(store, parent(key))
            try:
                descriptor = os.open(basename(key), _FLAGS | os.O_NOFOLLOW, dir_fd=self._descriptor)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                return None
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or status.st_size > CHUNK:
                    return None
                return os.read(descriptor, status.st_size), status.st_mode
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Let go of the directory."""
        if self._at is not None:
            os.close(self._descriptor)
            self._at = None

    def _enter(self, store: Store, directory: str) -> None:
        self.close()
        path = store.local_path(directory)
        assert path is not None  # noqa: S101  only asked for what is on this machine
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        self._at = store, directory


def open_file(path: Path, key: str, *, follow: bool = True) -> tuple[int, int]:
    """Open a file for reading.

    Parameters
    ----------
    path : Path
    key : str
        As callers know it.
    follow : bool
        Whether a link is followed; without, it is an OSError (``ELOOP``).

    Returns
    -------
    tuple of int
        A descriptor, and the file's size.

    Raises
    ------
    IsADirectory, InvalidRequest
        The second for a device or a pipe.
    """
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectory("It is a directory", path=key)
    raise InvalidRequest("It is a device or a pipe, not a file", path=key)


def read_whole(descriptor: int, length: int | None, expected: int) -> bytes:
    """Read a file to its end, or ``length`` bytes of it at most, and close it.

    So many bytes are ``expected``: they come in one piece, which nothing has to put together.
    """
    read = []
    left = length
    try:
        while left is None or left > 0:
            size = max(expected, _LEAST) + 1
            piece = os.read(descriptor, size if left is None else min(size, left))
            if not piece:
                break
            read.append(piece)
            expected -= len(piece)
            if left is not None:
                left -= len(piece)
    finally:
        os.close(descriptor)
    return b"".join(read)


def pieces(file: RawIOBase, length: int | None, expected: int) -> Iterator[bytes]:
    """Read a file in pieces, ``length`` bytes of it at most; so many are ``expected``."""
    left = length
    while left is None or left > 0:
        size = _room(expected)
        piece = file.read(size if left is None else min(size, left))
        if not piece:
            return
        yield piece
        expected -= len(piece)
        if left is not None:
            left -= len(piece)


def _room(expected: int) -> int:
    """Bytes to ask for: room for a whole piece costs more than to read a small file."""
    return min(CHUNK, max(expected, _LEAST) + 1)
