"""Finding experiments below a directory, without looking everywhere for ever."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from jupyter_storage.errors import NotADirectory, NotFound, StorageError
from jupyter_storage.paths import join
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["DEEPEST", "MOST", "Found", "find", "look"]

DEEPEST = 4  # levels below the directory where the search begins
MOST = 2000  # directories that one search looks into
PATIENCE = 15.0  # seconds that one search takes
AT_ONCE = 16
_PAGE = 1000

_TUNE = "experiment_state-*.json"
_TRAIN = "checkpoint_manager_snapshot.json"
# Lies beside every state of Tune's; a state's own name has a time in it.
_TUNER = "tuner.pkl"


@dataclass(frozen=True, slots=True)
class Found:
    """An experiment, of which only the directory has been listed.

    Attributes
    ----------
    state : Entry
        The newest file with its state.
    """

    key: str
    kind: Literal["tune", "train"]
    state: Entry

    @property
    def modified(self) -> datetime | None:
        """When the state was written."""
        return self.state.modified


def look(store: Store, key: str) -> Found | None:
    """Say whether a directory is an experiment.

    Raises
    ------
    NotFound, NotADirectory
        If there is no such directory.
    """
    entries: list[Entry] = []
    cursor = None
    while True:
        page = store.list(key, cursor=cursor, limit=_PAGE)
        entries += [entry for entry in page.entries if not entry.is_directory]
        cursor = page.cursor
        if cursor is None:
            return _judged(key, entries)


def find(store: Store, key: str) -> tuple[list[Found], bool]:
    """Look for experiments in a directory and below it.

    Parameters
    ----------
    store : Store
    key : str

    Returns
    -------
    tuple
        What was found, and whether all was looked at. What lies in an experiment is not.
    """
    found: list[Found] = []
    complete = True
    looked = 0
    deadline = time.monotonic() + PATIENCE
    level = [key]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="jupyter-storage-experiments") as pool:
        for depth in range(DEEPEST + 1):
            below: list[str] = []
            if len(level) > MOST - looked:
                level, complete = level[: MOST - looked], False
            looked += len(level)
            for start in range(0, len(level), AT_ONCE):
                if time.monotonic() > deadline:
                    return found, False
                part = level[start : start + AT_ONCE]
                for one, further, whole in pool.map(lambda each: _visited(store, each), part):
                    if one is not None:
                        found.append(one)
                    below += further
                    complete = complete and whole
            if depth == DEEPEST:
                complete = complete and not below
            level = below
    return found, complete


def _visited(store: Store, key: str) -> tuple[Found | None, Sequence[str], bool]:
    """Look into one directory: an experiment, or further directories, and if those are all."""
    try:
        page = store.list(key, limit=_PAGE)
        found = _judged(key, page.entries)
        if found is None and page.cursor is not None and _exists(store, join(key, _TUNER)):
            found = look(store, key)
        elif found is not None and page.cursor is not None:
            # A later page may have a newer state.
            found = look(store, key)
    except (NotFound, NotADirectory):
        return None, (), True
    except StorageError:
        return None, (), False
    if found is not None:
        return found, (), True
    names = [
        entry.path
        for entry in page.entries
        if entry.is_directory and entry.link is None and not entry.name.startswith(".")
    ]
    return None, names, page.cursor is None


def _judged(key: str, entries: Sequence[Entry]) -> Found | None:
    states = [entry for entry in entries if fnmatchcase(entry.name, _TUNE)]
    if states:
        # The time is in the name, and a run that goes on begins a new file.
        return Found(key, "tune", max(states, key=lambda entry: entry.name))
    for entry in entries:
        if entry.name == _TRAIN:
            return Found(key, "train", entry)
    return None


def _exists(store: Store, key: str) -> bool:
    try:
        return not store.stat(key).is_directory
    except NotFound:
        return False
