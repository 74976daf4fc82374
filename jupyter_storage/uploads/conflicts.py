"""What stands in the way of an upload, found out before a byte is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from jupyter_storage.errors import AlreadyExists, IsADirectory, NotFound
from jupyter_storage.paths import basename, join, parent
from jupyter_storage.records import ConflictPolicy, Entry, InTheWay
from jupyter_storage.transfers.existing import Existing
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.plan import is_newer

__all__ = ["check_conflict", "find_in_the_way"]


def check_conflict(place: Place, modified: datetime | None, conflict: ConflictPolicy) -> None:
    """Refuse what a policy would not write.

    Raises
    ------
    AlreadyExists, IsADirectory
    """
    try:
        there = place.store.stat(place.key)
    except NotFound:
        return
    if there.is_directory:
        raise IsADirectory("A directory has that name", path=place.key)
    newcomer = Entry("", "", "file", modified=modified)
    if conflict in {ConflictPolicy.FAIL, ConflictPolicy.SKIP} or (
        conflict is ConflictPolicy.NEWER and not is_newer(newcomer, there)
    ):
        raise AlreadyExists("It exists already", path=place.key)


def find_in_the_way(
    directory: Place, paths: Sequence[str], resolve: Callable[[str], Place]
) -> list[InTheWay]:
    """Find out which targets exist.

    Parameters
    ----------
    directory : Place
        In which all of them lie.
    paths : sequence of str
        As a person types them.
    resolve : callable
        Gives the place of a path, or raises why it may not be written.
    """
    existing = Existing(directory.store, directory.key)
    places = [resolve(path) for path in paths]
    taken = {place.key for place in places}
    found = []
    for path, place in zip(paths, places, strict=True):
        with place.naming():
            entry = existing(place.key)
            if entry is None:
                continue
            free = _free(place.key, lambda key: key in taken or existing(key) is not None)
            taken.add(free)
            found.append(
                InTheWay(path, replace(entry, path=place.label + entry.path), place.label + free)
            )
    return found


def _free(key: str, is_taken: Callable[[str], bool]) -> str:
    """Number a name, before its extension: ``a (2).txt``."""
    name = basename(key)
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    number = 2
    while is_taken(free := join(parent(key), f"{stem} ({number}){dot}{extension}")):
        number += 1
    return free
