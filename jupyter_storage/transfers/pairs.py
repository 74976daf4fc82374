"""Two listings side by side: what is on both sides, and what on one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jupyter_storage.errors import Unsupported
from jupyter_storage.records import Entry

__all__ = ["Pair", "pairs"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One name below two directories.

    Attributes
    ----------
    name : str
        Path below the directory; a directory's own has no slash at its end.
    source, target : Entry or None
        What is there; None on the side where nothing has this name and is of this kind.
    """

    name: str
    source: Entry | None
    target: Entry | None


def pairs(
    source: Iterable[Entry], target: Iterable[Entry], source_base: str, target_base: str
) -> Iterator[Pair]:
    """Merge two walks, both in the order of keys, as they come.

    A file and a directory of one name are two pairs, the file's first.

    Parameters
    ----------
    source, target : iterable of Entry
        As :meth:`Store.walk` yields them.
    source_base, target_base : str
        Keys of the directories that were walked.

    Raises
    ------
    Unsupported
        If a listing is not in this order: what seems to be missing on a side may only come later.
    """
    left, right = _named(source, source_base), _named(target, target_base)
    mine, theirs = next(left, None), next(right, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[0] < theirs[0]):
            assert mine is not None  # noqa: S101  else the loop had ended
            yield Pair(mine[0].rstrip("/"), mine[1], None)
            mine = next(left, None)
        elif mine is None or theirs[0] < mine[0]:
            yield Pair(theirs[0].rstrip("/"), None, theirs[1])
            theirs = next(right, None)
        else:
            yield Pair(mine[0].rstrip("/"), mine[1], theirs[1])
            mine, theirs = next(left, None), next(right, None)


def _named(entries: Iterable[Entry], base: str) -> Iterator[tuple[str, Entry]]:
    start = len(base) + 1 if base else 0
    last = ""
    for entry in entries:
        name = entry.path[start:]
        if entry.type == "directory":
            name += "/"
        if name <= last:
            raise Unsupported(
                "It is not listed in the order of names, so that it cannot be compared",
                path=entry.path,
                hint="Try again, in case it changed meanwhile; or use 'cp -r --newer'.",
            )
        last = name
        yield name, entry
