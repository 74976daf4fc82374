"""Which ranges of a pack are read for some of its blobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from jupyter_storage.snapshots.repository.index import Location

__all__ = ["ranges"]

Uses = TypeVar("Uses")
Wanted = tuple[str, Location, Uses]

_GAP = 256 * 2**10  # bytes worth reading too much of to save a request
_RANGE = 8 * 2**20  # bytes of a request


def ranges(blobs: Mapping[str, tuple[Location, Uses]]) -> list[list[Wanted[Uses]]]:
    """Put the blobs of one pack together into ranges that are worth one request each."""
    ordered = sorted(
        ((name, place, uses) for name, (place, uses) in blobs.items()),
        key=lambda blob: blob[1].offset,
    )
    found: list[list[Wanted[Uses]]] = []
    for blob in ordered:
        if found:
            first, last = found[-1][0][1], found[-1][-1][1]
            end = blob[1].offset + blob[1].length
            near = blob[1].offset - last.offset - last.length <= _GAP
            if near and end - first.offset <= _RANGE:
                found[-1].append(blob)
                continue
        found.append([blob])
    return found
