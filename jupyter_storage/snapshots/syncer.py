"""Keeps the newest snapshot close behind the project directory."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.errors import StorageError
from jupyter_storage.records import SnapshotRecord
from jupyter_storage.snapshots.watch import Watcher

__all__ = ["Capture", "Syncer", "Told"]

Capture = Callable[[bool, threading.Event], SnapshotRecord]
"""Takes a snapshot: ``force``, and an event that asks it to stop."""

_RESCAN = 300.0  # seconds between scans, come what may
_POLL = 15.0  # seconds between scans where nothing can be watched
_MOST_PENDING = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0


@dataclass(frozen=True)
class Told:
    """What the syncer tells when something changed.

    Attributes
    ----------
    capturing : bool
    pending : int
        Distinct paths that changed since the last capture began.
    record : SnapshotRecord or None
        What the last capture gave.
    error : StorageError or None
        Why the last one failed; it is tried again.
    """

    capturing: bool
    pending: int
    record: SnapshotRecord | None = None
    error: StorageError | None = None


class Syncer:
    """Watches, waits for quiet, and captures; one capture at a time, in a thread of its own.

    Parameters
    ----------
    project : Path
        Resolved.
    excluded : sequence of Path
        Not watched.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    interval : float
        Seconds of quiet after a change. A directory that is never quiet is captured after five
        times that, and at least 10 seconds.
    capture : Capture
    tell : Callable
        Called in the syncer's threads.
    """

    def __init__(
        self,
        project: Path,
        *,
        excluded: Sequence[Path],
        gitignore: bool,
        interval: float,
        capture: Capture,
        tell: Callable[[Told], None],
    ) -> None:
        self._interval, self._longest = interval, max(10.0, 5 * interval)
        self._capture, self._tell = capture, tell
        self._watcher = Watcher(
            project, excluded=excluded, gitignore=gitignore, changed=self._changed
        )
        self._condition = threading.Condition()
        self._pending: set[str] = set()
        self._first = self._last = 0.0
        self._scan_at = 0.0
        self._not_before = 0.0
        self._pause = _FIRST_PAUSE
        self._period = _RESCAN
        self._asked: list[tuple[bool, Future[SnapshotRecord]]] = []
        self._stopping = False
        self._cancel = threading.Event()
        self._told = Told(False, 0)
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        """Begin, with a capture at once."""
        self._thread.start()

    def now(self, force: bool = False) -> Future[SnapshotRecord]:
        """Ask for a capture that begins after this call."""
        future: Future[SnapshotRecord] = Future()
        with self._condition:
            if self._stopping:
                future.set_exception(StorageError("Snapshots are being stopped"))
            else:
                self._asked.append((force, future))
                self._condition.notify_all()
        return future

    def stop(self, timeout: float = 10.0) -> None:
        """Capture a last time, within ``timeout`` seconds, and end."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join(timeout)
        self._cancel.set()
        # The child has a moment to let go of its lock.
        self._thread.join(5)
        self._watcher.stop()

    def _changed(self, path: str) -> None:
        now = time.monotonic()
        with self._condition:
            begins = not self._pending
            if begins:
                self._first = now
            if len(self._pending) < _MOST_PENDING:
                self._pending.add(path)
            self._last = now
            self._condition.notify_all()
        if begins:
            self._say()

    def _run(self) -> None:
        if not self._watcher.start():
            self._period = _POLL
        while True:
            with self._condition:
                while not self._asked and not self._stopping and (wait := self._wait()) > 0:
                    self._condition.wait(wait)
                last = self._stopping
                asked, self._asked = self._asked, []
                pending, self._pending = self._pending, set()
            self._once(any(force for force, _ in asked), [future for _, future in asked], pending)
            if last or self._cancel.is_set():
                return

    def _wait(self) -> float:
        """Seconds until the next capture is due."""
        now = time.monotonic()
        due = self._scan_at
        if self._pending:
            due = min(due, self._last + self._interval, self._first + self._longest)
        return max(due, self._not_before) - now

    def _once(self, force: bool, futures: list[Future[SnapshotRecord]], pending: set[str]) -> None:
        self._say(capturing=True)
        try:
            record = self._capture(force, self._cancel)
        except Exception as problem:
            error = problem if isinstance(problem, StorageError) else _unexpected(problem)
            with self._condition:
                if not self._pending:
                    self._first = self._last = time.monotonic()
                self._pending |= pending
                jitter = random.uniform(0.8, 1.2)  # noqa: S311
                self._not_before = time.monotonic() + self._pause * jitter
                self._scan_at = self._not_before
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._say(error=error)
            for future in futures:
                future.set_exception(error)
        else:
            with self._condition:
                self._pause, self._not_before = _FIRST_PAUSE, 0.0
                self._scan_at = time.monotonic() + self._period
            self._say(record=record)
            for future in futures:
                future.set_result(record)

    def _say(
        self,
        *,
        capturing: bool | None = None,
        record: SnapshotRecord | None = None,
        error: StorageError | None = None,
    ) -> None:
        with self._condition:
            ended = record is not None or error is not None
            told = Told(
                capturing=self._told.capturing and not ended if capturing is None else capturing,
                pending=len(self._pending),
                record=record or self._told.record,
                error=error if ended else self._told.error,
            )
            self._told = told
        self._tell(told)


def _unexpected(problem: Exception) -> StorageError:
    return StorageError(
        f"The snapshot failed: {type(problem).__name__}: {problem}",
        hint="It is tried again by itself. If it stays, look into the server's log.",
    )
