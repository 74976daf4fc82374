"""How much lies below a directory, and below those in it: files, and their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_storage.paths import join
from jupyter_storage.records import Entry

__all__ = ["Sum", "Sums"]


@dataclass(slots=True)
class Sum:
    """What lies below one directory."""

    path: str
    files: int = 0
    size: int = 0


class Sums:
    """Adds up entries by directory. Parts that others added up can be put together.

    Parameters
    ----------
    top : str
        Key of the directory.
    depth : int
        Levels below it of which each directory has a sum of its own.
    """

    def __init__(self, top: str, depth: int) -> None:
        self._top, self._depth = top, depth
        self._total = Sum(top)
        self._below: dict[str, Sum] = {}

    def add(self, entries: Iterable[Entry]) -> Sums:
        """Add entries with their keys; a directory counts nothing, but is there."""
        for entry in entries:
            above = self._above(entry)
            if entry.is_directory:
                continue
            for each in (self._total, *above):
                each.files += 1
                each.size += entry.size or 0
        return self

    def merge(self, part: Sums) -> None:
        """Add what was added up elsewhere, of other files of the same directory."""
        for found in (part._total, *part._below.values()):
            mine = self._total if found is part._total else self._sum(found.path)
            mine.files += found.files
            mine.size += found.size

    def rows(self) -> list[Sum]:
        """Give the sums, the largest first, and last that of all."""
        below = sorted(self._below.values(), key=lambda each: (-each.size, each.path))
        return [*below, self._total]

    def _above(self, entry: Entry) -> list[Sum]:
        inside = entry.path[len(self._top) :].strip("/") if self._top else entry.path
        parts = inside.split("/") if entry.is_directory else inside.split("/")[:-1]
        return [
            self._sum(join(self._top, *parts[: level + 1]))
            for level in range(min(len(parts), self._depth))
        ]

    def _sum(self, key: str) -> Sum:
        if key not in self._below:
            self._below[key] = Sum(key)
        return self._below[key]
