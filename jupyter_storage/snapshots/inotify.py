"""Watches a directory and what is below it through inotify.

watchdog reads the kernel's queue; which directories are watched, and what an event means, is
decided here: watchdog's own recursive watch knows no ignore rules, does not tell of an overflow,
and passes over directories for which the kernel has no watch left.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["TooMany", "TreeWatch"]

# Opening and reading are no changes; the walk that adds watches does both.
_MASK = Mask(
    InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_ONLYDIR
)
_OURS = CallbackId(1)
_LIMITS = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class TooMany(OSError):
    """There are more directories than can be watched."""


class Told(Protocol):
    """Is told of a change."""

    def __call__(self, key: str, *, directory: bool, new: bool) -> None: ...


class _Reader(InotifyFD):
    """Reads the kernel's queue, and tells when it stops doing so."""

    def __init__(self, died: Callable[[], None]) -> None:
        super().__init__()
        self._died = died

    def run(self) -> None:
        try:
            super().run()
        except Exception:
            # Whatever it was: nothing is noticed any more, and that is what counts.
            self.stop()
            self._died()
            return
        if self.should_keep_running():
            self._died()


class _Bell(WatchCallback):
    """Rings when something happens in a directory that nobody else writes to."""

    def __init__(self) -> None:
        self.rung = threading.Event()

    def on_event(self, event: InotifyEvent) -> None:
        self.rung.set()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Say nothing: it goes with the watch."""

    def on_queue_overflow(self) -> None:
        """Say nothing: others are told."""


class TreeWatch(WatchCallback):
    """Watches a directory and those below it.

    Parameters
    ----------
    root : str
    enters : Callable
        Whether a directory, by its path below the root, is watched.
    changed : Callable
        Called with a path below the root.
    overflowed : Callable
        Called when events were lost, after the watches were renewed.
    lost : Callable
        Called when nothing is watched any more, with what the system said, if it did.
    most : int
        Directories.
    """

    def __init__(
        self,
        root: str,
        *,
        enters: Callable[[str], bool],
        changed: Told,
        overflowed: Callable[[], None],
        lost: Callable[[OSError | None], None],
        most: int,
    ) -> None:
        self._root, self._enters, self._most = root, enters, most
        self._changed, self._overflowed, self._lost = changed, overflowed, lost
        self._lock = threading.RLock()
        self._keys: dict[WatchDescriptor, str] = {}
        self._watches: dict[str, WatchDescriptor] = {}
        self._reader = _Reader(self._give_up)
        self._over = False

    @property
    def directories(self) -> frozenset[str]:
        """The directories that are watched, by their paths below the root."""
        with self._lock:
            return frozenset(self._watches)

    def start(self) -> None:
        """Begin.

        Raises
        ------
        TooMany
            If there are too many directories, or the kernel has no watches left.
        OSError
            If the root cannot be watched.
        """
        self._reader.start()
        try:
            self.add("")
            if "" not in self._watches:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._root)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop watching."""
        self._over = True
        self._reader.stop()
        if self._reader is not threading.current_thread():
            self._reader.join(5)

    def settle(self, outside: Path, timeout: float) -> bool:
        """Wait until all that happened before this call was told.

        Parameters
        ----------
        outside : Path
            A directory that is not watched, to ring a bell in: the kernel keeps the order.
        timeout : float
            Seconds.

        Returns
        -------
        bool
            False if that takes too long.
        """
        bell = _Bell()
        try:
            directory = tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=outside)
        except OSError:
            return False
        try:
            mask = Mask(InotifyConstants.IN_CREATE)
            self._reader.add_callback(os.fsencode(directory), mask, bell, CallbackId(2))
            Path(directory, "bell").touch()
            return bell.rung.wait(timeout)
        except OSError:
            return False
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def add(self, key: str) -> None:
        """Watch a directory and those below it, anew where they were watched before."""
        with self._lock:
            # Below one that was not watched there is nothing to take away, as among thousands of
            # directories that are made at once.
            if key in self._watches:
                self._remove(key)
            pending = [key]
            while pending:
                here = pending.pop()
                path = f"{self._root}/{here}" if here else self._root
                if len(self._keys) >= self._most:
                    raise TooMany(errno.ENOSPC, os.strerror(errno.ENOSPC), self._root)
                # The watch comes first: what is made after the look into it is told.
                if not self._watch(here, path):
                    continue
                with suppress(OSError), os.scandir(path) as scan:
                    for entry in scan:
                        below = f"{here}/{entry.name}" if here else entry.name
                        if entry.is_dir(follow_symlinks=False) and self._enters(below):
                            pending.append(below)

    def _watch(self, key: str, path: str) -> bool:
        try:
            watch = self._reader.add_callback(os.fsencode(path), _MASK, self, _OURS)
        except OSError as error:
            if error.errno in _LIMITS:
                raise TooMany(error.errno, os.strerror(error.errno or 0), path) from error
            # Gone since, or no directory any more.
            return False
        if watch < 0:
            # Closed to us; then it cannot be captured either.
            return False
        if (other := self._keys.get(watch)) is not None and self._watches.get(other) == watch:
            del self._watches[other]
        self._keys[watch], self._watches[key] = key, watch
        return True

    def _remove(self, key: str) -> None:
        below = f"{key}/" if key else ""
        gone = [
            (name, watch)
            for name, watch in self._watches.items()
            if name == key or name.startswith(below)
        ]
        for name, watch in gone:
            del self._watches[name]
            if self._keys.get(watch) == name:
                del self._keys[watch]
        with suppress(OSError):
            self._reader.remove_callbacks([(watch, _OURS) for _, watch in gone])

    # Called by watchdog's reader, in its thread

    def on_event(self, event: InotifyEvent) -> None:
        """Tell of one change."""
        with self._lock:
            here = self._keys.get(event.wd)
        if here is None:
            return
        if not event.name:
            if here == "" and (event.is_delete_self or event.is_move_self):
                self._give_up()
            elif event.is_attrib:
                self._changed(here, directory=True, new=False)
            return
        name = os.fsdecode(event.name)
        key = f"{here}/{name}" if here else name
        gone = event.is_delete or event.is_moved_from
        with self._lock:
            # One that was closed to us may be open now.
            new = event.is_directory and not gone and key not in self._watches
        new = event.is_directory and (new or event.is_create or event.is_moved_to)
        if event.is_directory and event.is_moved_from:
            with self._lock:
                self._remove(key)
        if new and self._enters(key) and not self._try_add(key):
            return
        self._changed(key, directory=event.is_directory, new=new)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a directory that is gone."""
        with self._lock:
            key = self._keys.pop(wd, None)
            if key is not None and self._watches.get(key) == wd:
                del self._watches[key]
        if key == "":
            self._give_up()

    def on_queue_overflow(self) -> None:
        """Renew all watches: directories that were made meanwhile have none."""
        if self._try_add(""):
            self._overflowed()

    def _try_add(self, key: str) -> bool:
        try:
            self.add(key)
        except TooMany as error:
            self._give_up(error)
            return False
        return True

    def _give_up(self, error: OSError | None = None) -> None:
        # To stop takes away the watches, which looks like the end of the directory.
        if not self._over:
            self._over = True
            self._reader.stop()
            self._lost(error)
