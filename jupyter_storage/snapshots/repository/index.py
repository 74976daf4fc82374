"""The index: which blob lies where.

Index files are JSON: ``{"packs": [{"id", "blobs": [{"id", "type", "offset", "length",
"uncompressed_length"}]}]}``. Source: restic's design document, "Indexing".
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.packs import BlobType, PackedBlob

__all__ = ["MOST_BLOBS", "Index", "Location", "decode_index", "encode_index"]

MOST_BLOBS = 50_000
"""Most blobs in an index file."""

# Pack, offset, length and plain length of a blob: 16 bytes instead of a tuple of four integers.
_PLACE = struct.Struct("<IIII")
_TYPES: tuple[BlobType, BlobType] = ("data", "tree")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a blob lies.

    Attributes
    ----------
    pack : str
        ID of the pack.
    offset, length : int
        Of the sealed blob, in bytes.
    uncompressed : int
        Bytes of the plain blob if it is compressed, else 0.
    """

    pack: str
    offset: int
    length: int
    uncompressed: int


class Index:
    """All index files of a repository, merged. Reading and adding are safe between threads."""

    def __init__(self) -> None:
        self._packs: list[str] = []
        self._places: dict[BlobType, dict[bytes, bytes]] = {"data": {}, "tree": {}}

    def __contains__(self, blob: tuple[BlobType, bytes]) -> bool:
        return blob[1] in self._places[blob[0]]

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def find(self, kind: BlobType, identifier: bytes) -> Location | None:
        """Say where a blob lies; None for one that is not in the repository."""
        place = self._places[kind].get(identifier)
        if place is None:
            return None
        pack, offset, length, uncompressed = _PLACE.unpack(place)
        return Location(self._packs[pack], offset, length, uncompressed)

    def add(self, pack: str, blobs: Iterable[PackedBlob]) -> None:
        """Add the blobs of one pack."""
        self._packs.append(pack)
        number = len(self._packs) - 1
        for blob in blobs:
            place = _PLACE.pack(number, blob.offset, blob.length, blob.uncompressed)
            self._places[blob.type][blob.id] = place

    @property
    def packs(self) -> frozenset[str]:
        """IDs of all packs that are listed."""
        return frozenset(self._packs)


def decode_index(content: bytes) -> list[tuple[str, list[PackedBlob]]]:
    """Read which packs an index file lists, and their blobs.

    Raises
    ------
    ChecksumMismatch
        If it is none.
    """
    try:
        packs = json.loads(content)["packs"] or []
        return [(pack["id"], [*map(_decoded, pack["blobs"] or [])]) for pack in packs]
    except (ValueError, KeyError, TypeError) as error:
        raise ChecksumMismatch(
            "An index of the repository cannot be read",
            hint="Rebuild it with 'restic rebuild-index'.",
        ) from error


def _decoded(wire: dict[str, object]) -> PackedBlob:
    kind = wire["type"]
    return PackedBlob(
        bytes.fromhex(str(wire["id"])),
        _TYPES[_TYPES.index(kind)],
        int(str(wire["offset"])),
        int(str(wire["length"])),
        int(str(wire.get("uncompressed_length", 0))),
    )


_Packs = Sequence[tuple[str, Sequence[PackedBlob]]]


def encode_index(packs: _Packs) -> Iterator[tuple[_Packs, bytes]]:
    """Make index files for packs, each with at most :data:`MOST_BLOBS` blobs or one pack.

    Yields
    ------
    tuple
        The packs that it lists, and the content.
    """
    part: list[tuple[str, Sequence[PackedBlob]]] = []
    count = 0
    for identifier, blobs in packs:
        if part and count + len(blobs) > MOST_BLOBS:
            yield part, _file(part)
            part, count = [], 0
        part.append((identifier, blobs))
        count += len(blobs)
    if part:
        yield part, _file(part)


def _file(packs: _Packs) -> bytes:
    wire = [{"id": name, "blobs": [_encoded(blob) for blob in blobs]} for name, blobs in packs]
    return json.dumps({"packs": wire}, separators=(",", ":")).encode()


def _encoded(blob: PackedBlob) -> dict[str, object]:
    wire: dict[str, object] = {
        "id": blob.id.hex(),
        "type": blob.type,
        "offset": blob.offset,
        "length": blob.length,
    }
    if blob.uncompressed:
        wire["uncompressed_length"] = blob.uncompressed
    return wire
