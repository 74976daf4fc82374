"""Notices that something changed. Events are hints; scans at intervals are the truth."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from jupyter_storage.snapshots.ignore import GIT, NAMES, Rules
from jupyter_storage.snapshots.mounted import mounted_below

if sys.platform == "linux":
    from jupyter_storage.snapshots.inotify import TreeWatch

__all__ = ["Watcher"]


_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]

# The kernel's queue holds 16,384 events: with more directories than that, whatever touches each
# of them overflows it.
_MOST_DIRECTORIES = 15_000

# No events arrive for what other machines change.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "lustre", "glusterfs")


class Watcher:
    """Calls back for every changed path that snapshots would hold.

    Directories that snapshots leave out are not watched, on Linux. Elsewhere watchdog watches them
    with the rest, for its interface to those systems takes whole trees, and they are passed over
    here.

    Parameters
    ----------
    project : Path
        The directory, resolved.
    excluded : sequence of Path
        Left out in any case.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    changed : Callable
        Called in other threads with a path below the project directory, and whether all below
        it may have changed as well; the empty path is the project directory.
    lost : Callable
        Called in other threads when nothing is noticed any more, and scans at intervals must do.

    Attributes
    ----------
    unwatched : str or None
        Why nothing is noticed; None while it is, and before the start.
    """

    def __init__(
        self,
        project: Path,
        *,
        excluded: Sequence[Path],
        changed: Callable[[str, bool], None],
        lost: Callable[[], None],
        gitignore: bool,
    ) -> None:
        self._project, self._changed, self._lost = str(project), changed, lost
        self._above = Rules.of_project(project, gitignore=gitignore)
        self._excluded = (
            *(str(path.resolve()) for path in excluded),
            *map(str, mounted_below(project)),
        )
        self._rules: dict[str, Rules] = {}
        self._lock = threading.Lock()
        self._watch: TreeWatch | _ObservedTree | None = None
        self.unwatched: str | None = None

    @property
    def directories(self) -> frozenset[str]:
        """The directories that are watched one by one."""
        return self._watch.directories if self._watch is not None else frozenset()

    def start(self) -> bool:
        """Begin to watch.

        Returns
        -------
        bool
            False where it cannot be done, and scans at intervals must do instead: too many
            directories, a network disk, or the kernel's limits on watches and files.
        """
        if (kind := _network_disk(self._project)) is not None:
            self.unwatched = f"it is on a network disk ({kind}), which other machines may write to"
            return False
        try:
            if sys.platform == "linux":
                self._watch = TreeWatch(
                    self._project,
                    enters=lambda key: not self._leaves_out(key, directory=True),
                    changed=self._tell,
                    overflowed=lambda: self._changed("", True),
                    lost=self._give_up,
                    most=_MOST_DIRECTORIES,
                )
            else:
                self._watch = _ObservedTree(self._project, self._tell)
            self._watch.start()
        except OSError as error:
            self._watch, self.unwatched = None, _why(error)
        return self._watch is not None

    def stop(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.stop()

    def settle(self, outside: Path, timeout: float) -> bool:
        """Wait until all that happened before this call was told; False if nobody can say.

        Parameters
        ----------
        outside : Path
            A directory that is not watched.
        timeout : float
            Seconds.
        """
        return self._watch is not None and self._watch.settle(outside, timeout)

    def _tell(self, key: str, *, directory: bool, new: bool) -> None:
        """Hand a change on, unless snapshots leave its path out."""
        above, _, name = key.rpartition("/")
        if name == GIT or name in NAMES:
            with self._lock:
                self._rules.clear()
            if self._watch is not None and not self._leaves_out(above, directory=True):
                try:
                    # What was left out may be wanted now, and the other way round.
                    self._watch.add(above)
                except OSError as error:
                    self._watch.stop()
                    self._give_up(error)
        if not self._leaves_out(key, directory=directory):
            self._changed(key, directory and new)

    def _give_up(self, error: OSError | None) -> None:
        self.unwatched = _why(error)
        self._lost()

    def _leaves_out(self, key: str, *, directory: bool) -> bool:
        if not key:
            return False
        path = f"{self._project}/{key}"
        for excluded in self._excluded:
            if path == excluded or path.startswith(excluded + "/"):
                return True
        parts = key.split("/")
        with self._lock:
            rules = self._rules_of("", self._above)
            for end in range(1, len(parts)):
                above = "/".join(parts[:end])
                if rules.excludes(above, directory=True):
                    return True
                rules = self._rules_of(above + "/", rules)
            return rules.excludes(key, directory=directory)

    def _rules_of(self, base: str, above: Rules) -> Rules:
        if base not in self._rules:
            if len(self._rules) > _MOST_DIRECTORIES:
                self._rules.clear()
            self._rules[base] = above.enter(base, f"{self._project}/{base}")
        return self._rules[base]


class _ObservedTree(FileSystemEventHandler):
    """A whole tree, watched by watchdog: what there is besides Linux."""

    directories: frozenset[str] = frozenset()

    def __init__(self, root: str, changed: Callable[..., None]) -> None:
        self._root, self._changed = root, changed
        self._observer = Observer()

    def start(self) -> None:
        self._observer.schedule(self, self._root, recursive=True, event_filter=_EVENTS)
        self._observer.start()

    def stop(self) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(5)

    def add(self, key: str) -> None:
        """Do nothing: all is watched."""

    def settle(self, outside: Path, timeout: float) -> bool:
        """Nobody can say."""
        return False

    def on_any_event(self, event: FileSystemEvent) -> None:
        new = not isinstance(event, DirDeletedEvent)
        for path in {event.src_path, event.dest_path} - {""}:
            key = os.path.relpath(os.fsdecode(path), self._root)
            if key != "." and not key.startswith("../"):
                self._changed(key, directory=event.is_directory, new=new)


def _why(error: OSError | None) -> str:
    """What keeps a directory from being watched, and what to do about it."""
    if error is None:
        return "watching it ended; a new start of the server begins it again"
    if error.errno == errno.ENOSPC:
        return (
            f"it has more directories than are watched: {_MOST_DIRECTORIES:,}, or what the kernel "
            "allows (fs.inotify.max_user_watches)"
        )
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return (
            "the kernel's limit on open files or inotify instances is reached "
            "(fs.inotify.max_user_instances)"
        )
    return os.strerror(error.errno) if error.errno else str(error)


def _network_disk(path: str) -> str | None:
    """Which file system it is, if it is one that other machines write to, as Linux tells."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    for line in mounts:
        _, where, here, *_ = line.split(" ")
        if (path + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best):
            best, kind = where, here
    return kind if kind.startswith(_NETWORK) else None
