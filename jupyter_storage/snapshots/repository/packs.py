"""Packs: many blobs in one object.

A pack is ``sealed blobs ‖ sealed header ‖ length of the sealed header (u32, little-endian)``.
Data and trees lie in packs of their own. Source: restic's design document, "Pack Format".
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.compression import CHECK, compress, decompress
from jupyter_storage.snapshots.repository.crypto import OVERHEAD, Keys, digest

__all__ = [
    "TARGET",
    "BlobType",
    "Pack",
    "PackedBlob",
    "Packer",
    "choose_form",
    "decode_header",
    "header_length",
    "open_blob",
    "pack_size",
    "seal_blobs",
]

TARGET = 16 * 2**20
"""Size at which a pack is full, in bytes."""

# A header that lists more than this would be larger than restic likes to read at once.
_MOST_BLOBS = 10_000
_HEADER = 2**19  # bytes; enough for that
_FEW_PAGES = 2**21  # bytes
_ROOM = TARGET + 2**23 + 2**12  # bytes; the last blob comes when the pack is nearly full

# Of blobs from this size on, a few pieces tell whether it is worthwhile to compress the whole: of
# images, archives and random numbers it is work for nothing.
_LARGE = 2**18  # bytes
_SAMPLE = 2**13  # bytes of a piece
_SAMPLES = 5

BlobType = Literal["data", "tree"]

_PLAIN = struct.Struct("<BI32s")
_COMPRESSED = struct.Struct("<BII32s")
_KINDS: dict[BlobType, int] = {"data": 0, "tree": 1}
_NAMES: tuple[BlobType, BlobType] = ("data", "tree")
_LENGTH = struct.Struct("<I")


class PackedBlob(NamedTuple):
    """Where a blob lies in its pack.

    Attributes
    ----------
    id : bytes
        SHA-256 of the plain blob.
    offset, length : int
        Of the sealed blob, in bytes.
    uncompressed : int
        Bytes of the plain blob if it is compressed, else 0.
    """

    id: bytes
    type: BlobType
    offset: int
    length: int
    uncompressed: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A finished pack."""

    id: bytes
    type: BlobType
    content: memoryview
    blobs: tuple[PackedBlob, ...]


def choose_form(kind: BlobType, plain: bytes) -> tuple[bytes, int]:
    """Compress a blob where that is worthwhile.

    Returns
    -------
    tuple
        What is to be sealed, and the length of the plain blob if that is compressed, else 0.
    """
    if kind == "data" and len(plain) >= _LARGE and not _shrinks(plain):
        return plain, 0
    compressed = compress(plain)
    if len(compressed) < len(plain) or kind == "tree":
        return compressed, len(plain)
    return plain, 0


def _shrinks(plain: bytes) -> bool:
    """Whether pieces of a large blob, from its beginning to its end, can be compressed."""
    step = (len(plain) - _SAMPLE) // (_SAMPLES - 1)
    starts = range(0, len(plain) - _SAMPLE + 1, step)
    sample = b"".join([plain[start : start + _SAMPLE] for start in starts])
    return len(compress(sample)) < len(sample)


def seal_blobs(keys: Keys, plains: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Compress blobs of data where that is worthwhile, and seal them: many small ones.

    Returns
    -------
    list of tuple
        Of each the sealed blob, and the length of the plain one if it was compressed, else 0.
    """
    formed = [choose_form("data", plain) for plain in plains]
    sealed = keys.seal_all([form for form, _ in formed])
    return [(blob, uncompressed) for blob, (_, uncompressed) in zip(sealed, formed, strict=True)]


def open_blob(keys: Keys, identifier: str, sealed: bytes | memoryview, uncompressed: int) -> bytes:
    """Undo :func:`seal_blobs`; raises ChecksumMismatch if the blob is not what its ID says."""
    plain = keys.open(sealed)
    if uncompressed:
        plain = decompress(plain, uncompressed, identifier)
    if digest(plain).hex() != identifier:
        raise ChecksumMismatch("A blob is damaged", path=identifier, hint=CHECK)
    return plain


def _memory(size: int) -> memoryview:
    """Memory for a pack; where nobody writes to it, it takes none."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A full pack is thousands of small pages, which are handed out one by one.
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE, _FEW_PAGES, size - _FEW_PAGES)
    return memoryview(memory)


class Packer:
    """Collects the sealed blobs of one type until a pack is full. Not thread-safe.

    Blobs are sealed where they will lie: a copy of each would cost as much as sealing it.

    Parameters
    ----------
    keys : Keys
        Of the repository.
    kind : str
        Type of its blobs.
    first : int
        Bytes of its first blob, sealed; it may be larger than a usual pack.
    """

    def __init__(self, keys: Keys, kind: BlobType, first: int) -> None:
        self.kind: BlobType = kind
        self.unfilled = 0
        """Places that were reserved and are not filled yet, as whoever fills them counts."""
        self._keys = keys
        self._room = max(_ROOM, first)
        self._content = _memory(self._room + _HEADER)
        self._blobs: list[PackedBlob] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it is time to finish the pack."""
        return self._size >= TARGET or len(self._blobs) >= _MOST_BLOBS

    def fits(self, length: int) -> bool:
        """Whether there is a place for a sealed blob."""
        return self._size + length <= self._room

    def reserve(self, identifier: bytes, length: int, uncompressed: int) -> memoryview:
        """Give the place for a sealed blob; ``uncompressed`` is 0 where it was not compressed."""
        start = self._size
        self._blobs.append(PackedBlob(identifier, self.kind, start, length, uncompressed))
        self._size += length
        return self._content[start : self._size]

    def finish(self) -> Pack:
        """Make the pack. All places must be filled, and nothing may be added any more."""
        header = self._keys.seal(b"".join(map(_entry, self._blobs)))
        tail = header + _LENGTH.pack(len(header))
        content = self._content[: self._size + len(tail)]
        content[self._size :] = tail
        return Pack(digest(content), self.kind, content.toreadonly(), tuple(self._blobs))


def _entry(blob: PackedBlob) -> bytes:
    kind = _KINDS[blob.type]
    if blob.uncompressed:
        return _COMPRESSED.pack(kind + 2, blob.length, blob.uncompressed, blob.id)
    return _PLAIN.pack(kind, blob.length, blob.id)


def pack_size(blobs: Iterable[PackedBlob]) -> int:
    """Bytes of a whole pack with these blobs."""
    size = OVERHEAD + _LENGTH.size
    for blob in blobs:
        size += blob.length + (_COMPRESSED if blob.uncompressed else _PLAIN).size
    return size


def header_length(tail: bytes) -> int:
    """Bytes at the end of a pack that are its sealed header and the length of that.

    Parameters
    ----------
    tail : bytes
        The last bytes of the pack, four at least.

    Raises
    ------
    ChecksumMismatch
        If this is no pack.
    """
    if len(tail) < _LENGTH.size:
        raise ChecksumMismatch("A pack is cut short")
    length: int = _LENGTH.unpack(tail[-_LENGTH.size :])[0]
    return length + _LENGTH.size


def decode_header(keys: Keys, tail: bytes) -> list[PackedBlob]:
    """Read which blobs a pack holds.

    Parameters
    ----------
    keys : Keys
    tail : bytes
        The end of the pack, as long as :func:`header_length` says.

    Raises
    ------
    ChecksumMismatch
        If it is damaged.
    """
    header = keys.open(memoryview(tail)[: -_LENGTH.size])
    blobs: list[PackedBlob] = []
    place = offset = 0
    try:
        while place < len(header):
            kind = header[place]
            if kind in (2, 3):
                _, length, uncompressed, identifier = _COMPRESSED.unpack_from(header, place)
                place += _COMPRESSED.size
            else:
                _, length, identifier = _PLAIN.unpack_from(header, place)
                uncompressed = 0
                place += _PLAIN.size
            name: BlobType = _NAMES[kind % 2]
            blobs.append(PackedBlob(identifier, name, offset, length, uncompressed))
            offset += length
    except struct.error as error:
        raise ChecksumMismatch("The header of a pack makes no sense") from error
    return blobs
