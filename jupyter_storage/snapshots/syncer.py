"""Keeps the newest snapshot close behind the project directory."""

from __future__ import annotations

import random
import stat
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.errors import StorageError
from jupyter_storage.records import SnapshotRecord
from jupyter_storage.snapshots.capture import Changes, Taken
from jupyter_storage.snapshots.journal import Batch, Journal
from jupyter_storage.snapshots.watch import Watcher

__all__ = ["Capture", "Syncer", "Told", "Wanted"]

_RESCAN = 300.0  # seconds between scans, come what may
_POLL = 15.0  # seconds between scans where nothing can be watched
# A scan may take this share of a core, on average; it costs some 10 µs a file.
_SHARE, _SCAN_COST = 0.005, 10e-6
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0
_LATE = 60.0  # seconds after which a change should be in the bucket
_TELL = 1.0  # seconds between looks at what waits
_MOST_SIZED = 500  # files whose sizes are added up
_SETTLE = 1.0
# So long before a capture is due, it is prepared: others cannot lock the repository from then on.
_AHEAD = 0.5
_RESTLESS = 10  # captures in a row before which it was not quiet: nobody edits like that
# Where changes go on, a capture is followed by a rest of so many times as long.
_REST, _LONGEST_REST = 2.0, 30.0


@dataclass(frozen=True)
class Wanted:
    """A capture that is due.

    Attributes
    ----------
    force : bool
        Whether to write a snapshot even if nothing changed.
    changes : Changes or None
        What changed since the last one; None for a look at everything.
    """

    force: bool
    changes: Changes | None


Capture = Callable[[Wanted, threading.Event], Taken]
"""Takes a snapshot, and is asked to stop by the event."""


@dataclass(frozen=True)
class Told:
    """What the syncer tells when something changed.

    Attributes
    ----------
    capturing : bool
    pending : int
        Distinct paths that wait for a capture.
    pending_bytes : int
        Size of the files among them; of the first 500.
    durable : float or None
        Everything that changed before is captured; seconds since 1970.
    late : bool
        Whether something waits for more than a minute.
    watching : bool
        Whether changes are noticed at once, and not only by looks at everything.
    unwatched : str or None
        Why not.
    record : SnapshotRecord or None
        What the last capture gave.
    error : StorageError or None
        Why the last one failed; it is tried again.
    """

    capturing: bool = False
    pending: int = 0
    pending_bytes: int = 0
    durable: float | None = None
    late: bool = False
    watching: bool = False
    unwatched: str | None = None
    record: SnapshotRecord | None = None
    error: StorageError | None = None


class Syncer:
    """Watches, waits for quiet, and captures; one capture at a time, in a thread of its own.

    Parameters
    ----------
    project : Path
        Resolved.
    journal : Path
        File that remembers what waits.
    excluded : sequence of Path
        Not watched.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    interval : float
        Seconds after a change until it is captured, and half of that where no other follows. A
        directory that is not quiet for many captures is captured after five times that, and at
        least 10 seconds.
    capture : Capture
    prepare : Callable
        Called when a capture is due soon.
    tell : Callable
        Called in the syncer's threads.
    """

    def __init__(
        self,
        project: Path,
        *,
        journal: Path,
        excluded: Sequence[Path],
        gitignore: bool,
        interval: float,
        capture: Capture,
        prepare: Callable[[], None],
        tell: Callable[[Told], None],
    ) -> None:
        self._project = project
        self._interval, self._longest = interval, max(10.0, 5 * interval)
        self._capture, self._prepare, self._tell = capture, prepare, tell
        self._journal, self._state = Journal(journal), journal.parent
        self._watcher = Watcher(
            project,
            excluded=excluded,
            gitignore=gitignore,
            changed=self._changed,
            lost=self._lost,
        )
        self._watching = False
        self._condition = threading.Condition()
        # When the first and the last change came that no capture has begun to take.
        self._first: float | None = None
        self._last = 0.0
        self._prepared = False
        self._restless = 0
        self._scan_at = 0.0
        self._not_before = 0.0
        self._pause = _FIRST_PAUSE
        self._base: str | None = None
        self._durable: float | None = None
        self._asked: list[tuple[bool, Future[SnapshotRecord]]] = []
        self._stopping = False
        self._cancel = threading.Event()
        self._ended = threading.Event()
        self._told = Told()
        self._telling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._clock = threading.Thread(target=self._tick, name="snapshot status", daemon=True)

    def start(self) -> None:
        """Begin, with a look at everything at once."""
        self._journal.mark_all()
        self._thread.start()
        self._clock.start()

    def now(self, force: bool = False) -> Future[SnapshotRecord]:
        """Ask for a look at everything that begins after this call."""
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
        self._ended.set()
        self._clock.join(5)
        self._watcher.stop()
        self._journal.close()

    # What the watcher tells

    def _changed(self, key: str, deep: bool) -> None:
        self._journal.mark(key, deep=deep)
        now = time.monotonic()
        with self._condition:
            begins = self._first is None
            if begins:
                self._first = now
            self._last = now
            if begins:
                self._condition.notify_all()
        if begins:
            self._say()

    def _lost(self) -> None:
        with self._condition:
            self._watching = False
            self._scan_at = 0.0
        self._changed("", True)

    # When to capture

    def _run(self) -> None:
        self._watching = self._watcher.start()
        while True:
            while self._is_early():
                continue
            with self._condition:
                last = self._stopping
                asked, self._asked = self._asked, []
                self._restless = self._restless + 1 if self._is_restless() else 0
                whole = bool(asked) or not self._watching or time.monotonic() >= self._scan_at
            self._once(any(force for force, _ in asked), [each for _, each in asked], whole)
            if last or self._cancel.is_set():
                return

    def _is_early(self) -> bool:
        """Wait for what is next; False where that is a capture."""
        with self._condition:
            if self._asked or self._stopping or (wait := self._wait()) <= 0:
                self._prepared = False
                return False
            if self._prepared or self._first is None or wait > _AHEAD:
                more = self._first is not None and not self._prepared
                self._condition.wait(wait - _AHEAD if more else wait)
                return True
            self._prepared = True
        self._prepare()
        return True

    def _wait(self) -> float:
        """Seconds until the next capture is due."""
        due = self._scan_at
        if self._first is not None:
            latest = self._interval if self._restless < _RESTLESS else self._longest
            due = min(due, self._last + self._interval / 2, self._first + latest)
        return max(due, self._not_before) - time.monotonic()

    def _is_restless(self) -> bool:
        """Whether changes go on at this moment."""
        quiet = time.monotonic() - self._last
        return self._first is not None and quiet < self._interval / 2

    def _period(self, record: SnapshotRecord) -> float:
        """Seconds until the next look at everything."""
        least = _RESCAN if self._watching else _POLL
        return max(least, (record.files or 0) * _SCAN_COST / _SHARE)

    def _once(self, force: bool, futures: list[Future[SnapshotRecord]], whole: bool) -> None:
        with self._condition:
            self._first = None
        began = time.time()
        # What changed before this moment may still be on its way from the kernel.
        whole = whole or not self._watcher.settle(self._state, _SETTLE)
        batch = self._journal.take()
        known = batch.marks is not None and self._base is not None and not whole
        changes = Changes(self._base or "", batch.marks or ()) if known else None
        if changes is not None and not changes.marks and not force and not futures:
            # Nothing at all, even after the last events have arrived.
            self._say()
            return
        self._say(capturing=True)
        started = time.monotonic()
        try:
            taken = self._capture(Wanted(force, changes), self._cancel)
        except Exception as problem:
            error = problem if isinstance(problem, StorageError) else _unexpected(problem)
            self._put_off(error)
            for future in futures:
                future.set_exception(error)
        else:
            self._succeed(taken, batch, began, scanned=changes is None)
            now = time.monotonic()
            # A large file that is being written is read again each time.
            rest = min(_REST * (now - started), _LONGEST_REST) if self._restless > 1 else 0.0
            self._not_before = now + rest
            for future in futures:
                future.set_result(taken.record)

    def _put_off(self, error: StorageError) -> None:
        with self._condition:
            now = time.monotonic()
            if self._first is None:
                self._first = self._last = now
            jitter = random.uniform(0.8, 1.2)  # noqa: S311
            self._not_before = now + self._pause * jitter
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._say(error=error)

    def _succeed(self, taken: Taken, batch: Batch, began: float, *, scanned: bool) -> None:
        self._journal.done(batch, taken.failed)
        with self._condition:
            self._base, self._durable = taken.tree, began
            self._pause = _FIRST_PAUSE
            if scanned:
                self._scan_at = time.monotonic() + self._period(taken.record)
        self._say(record=taken.record)

    # What to tell

    def _tick(self) -> None:
        """Keep the numbers true while a capture runs, or fails and fails again."""
        while not self._ended.wait(_TELL):
            if self._first is not None or self._told.pending:
                self._say()

    def _say(
        self,
        *,
        capturing: bool | None = None,
        record: SnapshotRecord | None = None,
        error: StorageError | None = None,
    ) -> None:
        with self._telling:
            waiting = self._journal.waiting(_MOST_SIZED)
            ended = record is not None or error is not None
            told = Told(
                capturing=self._told.capturing and not ended if capturing is None else capturing,
                pending=waiting.paths,
                pending_bytes=self._size(waiting.some),
                durable=self._durable,
                late=waiting.since is not None and time.time() - waiting.since > _LATE,
                watching=self._watching,
                unwatched=self._watcher.unwatched,
                record=record or self._told.record,
                error=error if ended else self._told.error,
            )
            if told != self._told:
                self._told = told
                self._tell(told)

    def _size(self, keys: Sequence[str]) -> int:
        size = 0
        for key in keys:
            with suppress(OSError):
                status = (self._project / key).lstat()
                size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        return size


def _unexpected(problem: Exception) -> StorageError:
    return StorageError(
        f"The snapshot failed: {type(problem).__name__}: {problem}",
        hint="It is tried again by itself. If it stays, look into the server's log.",
    )
