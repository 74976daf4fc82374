"""Looking for names in a directory and all those below it, with results as they are found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from jupyter_storage.paths import basename
from jupyter_storage.records import Entry, Finding

__all__ = ["directories_between", "find", "with_directories"]

INTERVAL = 0.2  # seconds between two steps at most
BATCH = 200  # entries of a step at most


def find(
    entries: Iterator[Entry],
    wanted: Callable[[Entry], bool],
    *,
    limit: int,
    unlisted: Sequence[object] = (),
) -> Iterator[Finding]:
    """Sort out what is wanted, and tell of it step by step, also that there is nothing yet.

    Parameters
    ----------
    entries : iterator of Entry
    wanted : callable
    limit : int
        Most entries in all.
    unlisted : sequence
        Grows with each directory that cannot be listed.
    """
    found: list[Entry] = []
    looked = count = 0
    told = time.monotonic()
    for entry in entries:
        looked += 1
        if wanted(entry):
            if count == limit:
                yield Finding(tuple(found), looked, len(unlisted), done=True)
                return
            found.append(entry)
            count += 1
        # The first results at once; a look at the clock costs more than a look at most entries.
        if len(found) >= BATCH or ((found or looked % 64 == 0) and _passed(told)):
            yield Finding(tuple(found), looked, len(unlisted))
            found, told = [], time.monotonic()
    yield Finding(tuple(found), looked, len(unlisted), done=True, complete=not unlisted)


def with_directories(top: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Add the directories that object storage only implies.

    Parameters
    ----------
    top : str
        Path of the directory that is walked through.
    entries : iterator of Entry
        In the order of their keys.
    """
    # One branch of the tree is remembered, not every directory: entries come in order of the key.
    branch: list[str] = []
    parent: str | None = None
    for entry in entries:
        if not entry.is_directory and entry.path.rpartition("/")[0] == parent:
            yield entry  # as most: a file next to the one before
            continue
        above = directories_between(top, entry)
        known = 0
        while known < min(len(branch), len(above)) and branch[known] == above[known]:
            known += 1
        for directory in above[known:]:
            if directory != entry.path:
                yield Entry(directory, basename(directory), "directory")
        branch = above
        parent = entry.path if entry.is_directory else entry.path.rpartition("/")[0]
        yield entry


def directories_between(top: str, entry: Entry) -> list[str]:
    """Directories between the top and the entry; a directory counts itself."""
    start = top if not top or top.endswith(("/", ":")) else top + "/"
    parts = entry.path.removeprefix(start).split("/")
    if not entry.is_directory:
        parts = parts[:-1]
    return [start + "/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _passed(since: float) -> bool:
    return time.monotonic() - since >= INTERVAL
