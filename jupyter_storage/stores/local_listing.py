"""What is in a directory of this machine, described."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from jupyter_storage.errors import StorageError, os_errors
from jupyter_storage.paths import basename, is_temporary
from jupyter_storage.records import Entry

__all__ = ["LargeDirectories", "children", "describe", "describe_unseen", "name_of", "nearest"]

_LARGE = 2_000  # names; sorting fewer again is cheaper than remembering
_KEPT = 4  # large directories
_SETTLED = 3 * 10**9  # nanoseconds; FAT counts in steps of two seconds


def children(
    key: str, directory: str, on_error: Callable[[StorageError], None] | None
) -> Iterator[Entry]:
    """Describe what is in a directory, in the order of keys; of each, only its name is kept."""
    try:
        with os_errors(key), os.scandir(directory) as scan:
            # The slash counts, as in object stores: 'a-b' comes before what is in 'a'.
            names = sorted(
                child.name + "/" if child.is_dir(follow_symlinks=False) else child.name
                for child in scan
                if not is_temporary(child.name)
            )
    except StorageError as error:
        if on_error is None:
            raise
        on_error(error)
        return
    prefix = f"{key}/" if key else ""
    for written in names:
        name = written[:-1] if written[-1] == "/" else written
        path = f"{directory}/{name}"
        try:
            status = os.lstat(path)
            link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
        except FileNotFoundError:
            continue  # somebody deleted it since the listing
        except OSError:
            yield describe_unseen(prefix + name, directory)
            continue
        modified = datetime.fromtimestamp(status.st_mtime, timezone.utc)
        if stat.S_ISREG(status.st_mode):
            yield Entry(prefix + name, name, "file", status.st_size, modified)
        elif stat.S_ISDIR(status.st_mode):
            yield Entry(prefix + name, name, "directory", None, modified)
        elif link is not None:
            yield Entry(prefix + name, name, "symlink", None, modified, link=link)


def describe(
    key: str,
    kind: Literal["file", "directory", "symlink"],
    status: os.stat_result,
    link: str | None = None,
) -> Entry:
    """Describe what was looked at."""
    modified = datetime.fromtimestamp(status.st_mtime, timezone.utc)
    size = status.st_size if kind == "file" else None
    return Entry(key, basename(key), kind, size, modified, link=link)


def describe_unseen(key: str, directory: str) -> Entry:
    """Describe what cannot be looked at (a dead mount, a failing disk) by what is above it.

    It is shown all the same, and keeps nobody from what lies beside it; whoever opens it is told.
    """
    name = basename(key)
    kind: Literal["directory", "file"] = "file"
    with suppress(OSError), os.scandir(directory) as scan:
        if any(child.name == name and child.is_dir() for child in scan):
            kind = "directory"
    return Entry(key, name, kind)


def name_of(look_up: Callable[[int], Any], number: int) -> str:
    """The name of a user or a group, by its number."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        # Somebody of another machine that shares the disk.
        return str(number)


def nearest(path: Path) -> Path:
    """The path itself or the nearest one above that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


class LargeDirectories:
    """Sorted names of large directories, kept for the pages that follow.

    They are good as long as the directory was not changed: each change sets its modification time.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, tuple[int, Sequence[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def names(self, directory: Path) -> Sequence[str]:
        """Give the sorted names in a directory."""
        modified = directory.stat().st_mtime_ns
        with self._lock:
            kept = self._kept.get(directory)
        if kept is not None and kept[0] == modified:
            return kept[1]
        names = sorted(name for name in os.listdir(directory) if not is_temporary(name))
        with self._lock:
            self._kept.pop(directory, None)
            # Two changes within one tick of the clock leave one time: let it rest first.
            if len(names) >= _LARGE and time.time_ns() - modified > _SETTLED:
                self._kept[directory] = (modified, names)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return names
