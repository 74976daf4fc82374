"""Notices that something changed. Events are hints; the scan that follows is the truth."""

from __future__ import annotations

import os
import threading
import warnings
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

__all__ = ["Watcher"]

# watchdog warns when a new directory is reported while it is being walked: nothing is lost by it.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, r"watchdog\.")

# Opening and reading must not count: watching 20,000 directories would never end, for the walk
# that adds them opens each. A directory's own change says nothing that its files do not.
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

# The kernel's queue holds 16,384 events: with more directories than that, a rebuild after an
# overflow overflows again, for ever.
_MOST_DIRECTORIES = 15_000

# No events arrive for what other machines change.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "lustre", "glusterfs")


class Watcher(FileSystemEventHandler):
    """Calls back for every changed path that snapshots would hold.

    Parameters
    ----------
    project : Path
        The directory, resolved.
    excluded : sequence of Path
        Left out in any case.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    changed : Callable
        Called in other threads with a path below the project directory.
    """

    def __init__(
        self,
        project: Path,
        *,
        excluded: Sequence[Path],
        changed: Callable[[str], None],
        gitignore: bool,
    ) -> None:
        self._project, self._changed = str(project), changed
        self._above = Rules.of_project(project, gitignore=gitignore)
        self._excluded = tuple(str(path.resolve()) for path in excluded)
        self._rules: dict[str, Rules] = {}
        self._lock = threading.Lock()
        self._observer = Observer()

    def start(self) -> bool:
        """Begin to watch.

        Returns
        -------
        bool
            False where it cannot be done, and scans at intervals must do instead: too many
            directories, a network disk, or the kernel's limits on watches and files.
        """
        if _is_network_disk(self._project) or self._has_many_directories():
            return False
        try:
            self._observer.schedule(self, self._project, recursive=True, event_filter=_EVENTS)
            self._observer.start()
        except OSError:
            self._observer.unschedule_all()
            return False
        return True

    def stop(self) -> None:
        """Stop watching."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(5)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Hand a change on, unless snapshots leave its path out."""
        for path in {event.src_path, event.dest_path} - {""}:
            key = os.path.relpath(os.fsdecode(path), self._project)
            if key == "." or key.startswith("../"):
                continue
            if key.rpartition("/")[2] in {GIT, *NAMES}:
                with self._lock:
                    self._rules.clear()
            if not self._leaves_out(os.fsdecode(path), key, event.is_directory):
                self._changed(key)

    def _leaves_out(self, path: str, key: str, directory: bool) -> bool:
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

    def _has_many_directories(self) -> bool:
        pending, count = [self._project], 0
        while pending and count <= _MOST_DIRECTORIES:
            count += 1
            try:
                with os.scandir(pending.pop()) as scan:
                    pending += [e.path for e in scan if e.is_dir(follow_symlinks=False)]
            except OSError:
                # Gone, or closed to us: there is nothing to watch in it.
                continue
        return count > _MOST_DIRECTORIES


def _is_network_disk(path: str) -> bool:
    """Whether the file system is one that other machines write to, as Linux tells."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    for line in mounts:
        _, where, here, *_ = line.split(" ")
        if (path + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best):
            best, kind = where, here
    return kind.startswith(_NETWORK)
