"""Pieces of a file as they come from a service."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from jupyter_storage.errors import ChecksumMismatch, Unreachable

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
    md5 : str or None
        Of all the pieces, in hexadecimal digits, where the service has it.
    confirm : callable, optional
        Where ``md5`` may be something else: gives ``md5:…`` if it is not, or None.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        key: str,
        *,
        expected: int | None,
        version: str | None,
        md5: str | None = None,
        confirm: Callable[[], str | None] | None = None,
    ) -> None:
        self.version = version
        self._read, self._key = read, key
        self._expected, self._done = expected, 0
        self._md5, self._confirm = md5, confirm
        self._digest = hashlib.md5(usedforsecurity=False)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._read()
        if piece:
            self._done += len(piece)
            if self._md5 is not None:
                self._digest.update(piece)
            return piece
        if self._expected is not None and self._done != self._expected:
            raise Unreachable(
                f"The stream ended after {self._done:,} of {self._expected:,} bytes",
                path=self._key,
            )
        if self._md5 is not None and self._is_wrong():
            raise ChecksumMismatch(
                "The bytes that arrived are not the ones that are stored", path=self._key
            )
        raise StopIteration

    def _is_wrong(self) -> bool:
        found = self._digest.hexdigest()
        if found == self._md5:
            return False
        known = self._confirm() if self._confirm else f"md5:{self._md5}"
        return known is not None and known != f"md5:{found}"
