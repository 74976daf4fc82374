"""Pieces of a file as they come from a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jupyter_storage.errors import Unreachable
from jupyter_storage.stores.checksums import Checksum

__all__ = ["Stream"]


class Stream:
    """An iterator over pieces that notices when bytes are missing or wrong.

    Parameters
    ----------
    read : callable
        Gives the next piece, empty at the end. Raises our errors.
    key : str
        The file, for errors.
    expected : int or None
        Bytes that are to come.
    version : str or None
        What the service calls this version of the content; who reads on after a break compares.
    checksum : Checksum or None
        Of all the pieces, where the service has one.
    confirm : callable, optional
        Where ``checksum`` may be something else: gives what it is, or None.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        key: str,
        *,
        expected: int | None,
        version: str | None,
        checksum: Checksum | None = None,
        confirm: Callable[[], Checksum | None] | None = None,
    ) -> None:
        self.version = version
        self._read, self._key = read, key
        self._expected, self._done = expected, 0
        self._checksum, self._confirm = checksum, confirm
        self._digest = None if checksum is None else checksum.begin()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._read()
        if piece:
            self._done += len(piece)
            if self._digest is not None:
                self._digest.update(piece)
            return piece
        if self._expected is not None and self._done != self._expected:
            raise Unreachable(
                f"The stream ended after {self._done:,} of {self._expected:,} bytes",
                path=self._key,
            )
        if self._checksum is not None and self._digest is not None:
            found, self._digest = self._digest.digest(), None
            if found != self._checksum.value:
                known = self._confirm() if self._confirm else self._checksum
                if known is not None:
                    known.compare(found, self._key)
        raise StopIteration
