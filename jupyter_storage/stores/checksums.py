"""Checksums that services keep of their files, computed here of the bytes that come or go.

A service keeps what it likes: the checksum of the whole content, or of the checksums of the parts
in which it came. The CRCs cost next to nothing, and those of ranges that arrive in any order can be
put together; so they come first where there are several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from jupyter_storage.errors import ChecksumMismatch

__all__ = ["Checksum", "Digest", "combined"]

_CRCS = {"crc32c": ("CRC32C", 4), "crc64nvme": ("CRC64-NVME", 8), "crc32": ("CRC32", 4)}
_HASHES = {"sha256": 32, "sha1": 20, "md5": 16}
_SIZES = {**{name: size for name, (_, size) in _CRCS.items()}, **_HASHES}
_ORDER = tuple(_SIZES)

_Bytes = bytes | bytearray | memoryview


class Digest(Protocol):
    """Takes bytes as they come, and tells their checksum."""

    def update(self, data: _Bytes, /) -> None:
        """Add bytes at the end."""

    def digest(self) -> bytes:
        """The checksum; to be asked once, after the last byte."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a store knows of a file's content.

    Attributes
    ----------
    algorithm : {'crc32c', 'crc64nvme', 'crc32', 'sha256', 'sha1', 'md5'}
    value : bytes
    part : int or None
        Where the value is that of the parts' own values one after the other: bytes of each part,
        the last one may be shorter. None where it is that of the content.
    """

    algorithm: str
    value: bytes
    part: int | None = None

    def __str__(self) -> str:
        parts = f" of parts of {self.part:,} bytes" if self.part else ""
        return f"{self.algorithm}:{self.value.hex()}{parts}"

    @property
    def cost(self) -> tuple[bool, int]:
        """Sorts: what is cheap to compare comes first."""
        return self.part is not None, _ORDER.index(self.algorithm)

    @property
    def combines(self) -> bool:
        """Whether those of ranges can be put together, see :func:`combined`."""
        return self.part is None and self.algorithm in _CRCS

    @property
    def text(self) -> str | None:
        """As :class:`~jupyter_storage.records.Entry` has it; None where it is one of parts."""
        return None if self.part else f"{self.algorithm}:{self.value.hex()}"

    @classmethod
    def known(cls, algorithm: str, value: bytes, part: int | None = None) -> Checksum | None:
        """Make one of what a service says; None where that cannot be one."""
        if _SIZES.get(algorithm) != len(value):
            return None
        return cls(algorithm, value, part)

    @classmethod
    def parse(cls, text: str | None) -> Checksum | None:
        """Read what :attr:`text` wrote; None where it cannot be understood."""
        algorithm, _, value = (text or "").partition(":")
        try:
            return cls.known(algorithm, bytes.fromhex(value))
        except ValueError:
            return None

    @classmethod
    def of(cls, algorithm: str, data: _Bytes) -> Checksum:
        """Compute one."""
        digest = _digest(algorithm)
        digest.update(data)
        return cls(algorithm, digest.digest())

    def begin(self) -> Digest:
        """Begin to compute the same of other bytes."""
        return _digest(self.algorithm) if self.part is None else _Parts(self.algorithm, self.part)

    def matches(self, pieces: Iterable[_Bytes]) -> bool:
        """Whether the pieces of a file have this checksum; all are read."""
        digest = self.begin()
        for piece in pieces:
            digest.update(piece)
        return digest.digest() == self.value

    def compare(self, found: bytes, key: str) -> None:
        """Fail unless what was computed of a file's bytes is this."""
        if found != self.value:
            raise ChecksumMismatch(
                "The bytes that arrived are not the ones that are stored", path=key
            )


def combined(algorithm: str, ranges: Mapping[int, tuple[bytes, int]]) -> bytes:
    """Put the CRCs of ranges together to that of the whole.

    Parameters
    ----------
    algorithm : str
        Of a checksum that combines.
    ranges : mapping
        From where each range begins to its CRC and its length.
    """
    model, whole = _model(algorithm), 0
    for start in sorted(ranges):
        value, length = ranges[start]
        whole = model.combine(whole, int.from_bytes(value, "big"), length)
    return whole.to_bytes(_SIZES[algorithm], "big")


def _digest(algorithm: str) -> Digest:
    if algorithm in _CRCS:
        return _CRC(algorithm)
    digest: Digest = hashlib.new(algorithm, usedforsecurity=False)
    return digest


class _CRC:
    def __init__(self, algorithm: str) -> None:
        self._model, self._size = _model(algorithm), _SIZES[algorithm]
        self._value = 0

    def update(self, data: _Bytes) -> None:
        if len(data):
            self._value = self._model.calc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _Parts:
    """The checksum of the parts' checksums."""

    def __init__(self, algorithm: str, part: int) -> None:
        self._algorithm, self._part = algorithm, part
        self._whole, self._current = _digest(algorithm), _digest(algorithm)
        self._left = part

    def update(self, data: _Bytes) -> None:
        view = memoryview(data)
        while view:
            if not self._left:
                self._whole.update(self._current.digest())
                self._current, self._left = _digest(self._algorithm), self._part
            piece = view[: self._left]
            self._current.update(piece)
            self._left -= len(piece)
            view = view[len(piece) :]

    def digest(self) -> bytes:
        self._whole.update(self._current.digest())
        return self._whole.digest()


@cache
def _model(algorithm: str) -> Any:
    from anycrc import Model  # a tenth of a second, which not every command needs

    return Model(_CRCS[algorithm][0])
