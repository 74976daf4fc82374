"""How far a transfer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from uuid import uuid4

from jupyter_storage.records import Failure, SnapshotRecord, TransferRecord, TransferState
from jupyter_storage.transfers.plan import SKIPPED

__all__ = ["LISTED", "Meter"]

LISTED = 1000
"""Most failures that a record lists; their number is always the true one."""

_INTERVAL = 0.2  # seconds between two calls of the listener


class Meter:
    """Counters of one transfer, safe to use from several threads.

    Parameters
    ----------
    operation : str
        As in :class:`TransferRecord`.
    sources : sequence of str
    destination : str, optional
    identifier : str, optional
        A new one unless given.
    listener : callable, optional
        Hears of changes, at most five times a second and always of the last. It is called from
        whichever thread made the change, never from two at once; it must not raise.
    """

    def __init__(
        self,
        operation: str = "copy",
        sources: Sequence[str] = (),
        destination: str | None = None,
        *,
        identifier: str | None = None,
        listener: Callable[[TransferRecord], None] | None = None,
    ) -> None:
        self.id = identifier or uuid4().hex
        self._operation, self._sources, self._destination = operation, tuple(sources), destination
        self._listener = listener
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._told = float("-inf")
        self._timer: threading.Timer | None = None
        self._state: TransferState = "waiting"
        self._bytes = self._files = self._skipped = self._deleted = 0
        self._bytes_planned = self._files_planned = 0
        self._totals: tuple[int, int] | None = None
        self._failures: list[Failure] = []
        self._failure_count = 0
        self._current: str | None = None
        self._undo: str | None = None
        self._trashed: tuple[str, ...] = ()
        self._started: datetime | None = None
        self._finished: datetime | None = None

    # What happened

    def start(self) -> None:
        """The transfer left the queue."""
        with self._lock:
            self._state, self._started = "planning", datetime.now(timezone.utc)
        self._tell()

    def run(self) -> None:
        """The first file is about to move."""
        with self._lock:
            if self._state in {"waiting", "planning"}:
                self._state = "running"
        self._tell()

    def plan(self, size: int, files: int = 1) -> None:
        """More files are to be moved, ``size`` bytes together."""
        with self._lock:
            self._bytes_planned += size
            self._files_planned += files
            if self._totals is not None:
                self._totals = (self._totals[0] + size, self._totals[1] + files)

    def planned(self) -> None:
        """The plan is complete: from now on there are totals."""
        with self._lock:
            self._totals = (self._bytes_planned, self._files_planned)
        self._tell()

    def expect(self, size: int, files: int) -> None:
        """Totals from elsewhere: set them before the plan is complete."""
        with self._lock:
            if self._totals is None:
                self._totals = (size, files)
        self._tell()

    def begin(self, path: str) -> None:
        """A file is being moved."""
        with self._lock:
            self._current = path
        self._tell()

    def add(self, size: int) -> None:
        """``size`` bytes have moved; less than zero takes back those of a failed try."""
        with self._lock:
            self._bytes += size
        self._tell()

    def done(self, files: int = 1) -> None:
        """Files are complete."""
        with self._lock:
            self._files += files
        self._tell()

    def skip(self, files: int = 1) -> None:
        """Files were passed over, as the conflict policy says."""
        with self._lock:
            self._skipped += files
        self._tell()

    def remove(self, files: int) -> None:
        """Files were deleted at the target of a sync."""
        with self._lock:
            self._deleted += files
        self._tell()

    def fail(self, failure: Failure) -> None:
        """A file failed, or (kind ``Skipped``) cannot be kept by the target."""
        with self._lock:
            if len(self._failures) < LISTED:
                self._failures.append(failure)
            if failure.kind == SKIPPED:
                self._skipped += 1
            else:
                self._failure_count += 1
        self._tell()

    def undoable(self, snapshot: SnapshotRecord) -> None:
        """What was replaced or removed can be brought back from this snapshot."""
        with self._lock:
            self._undo = snapshot.id

    def trash(self, where: str) -> None:
        """What is deleted goes to a trash, as ``tier:ID``."""
        with self._lock:
            self._trashed += (where,)

    def finish(self, state: TransferState | None = None) -> TransferRecord:
        """End the transfer; later calls change nothing.

        Parameters
        ----------
        state : str, optional
            How it ended. Unless given: ``done`` without failures, ``failed`` where nothing was
            done, else ``partial``.
        """
        with self._lock:
            if self._finished is None:
                self._finished = datetime.now(timezone.utc)
                self._current = None
                if state is None:
                    state = "done"
                    if self._failure_count:
                        state = "partial" if self._files or self._skipped else "failed"
                self._state = state
                last = True
            else:
                last = False
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if last and self._listener is not None:
            with self._telling:
                self._listener(self.snapshot())
        return self.snapshot()

    def snapshot(self) -> TransferRecord:
        """The transfer as it is now."""
        with self._lock:
            totals = self._totals
            return TransferRecord(
                id=self.id,
                operation=self._operation,
                sources=self._sources,
                destination=self._destination,
                state=self._state,
                bytes_done=self._bytes,
                bytes_total=totals[0] if totals else None,
                files_done=self._files,
                files_total=totals[1] if totals else None,
                files_skipped=self._skipped,
                files_deleted=self._deleted,
                failures=tuple(self._failures),
                failure_count=self._failure_count,
                current=self._current,
                undo=self._undo,
                trashed=self._trashed,
                started=self._started,
                finished=self._finished,
            )

    def _tell(self) -> None:
        if self._listener is None:
            return
        with self._lock:
            if self._timer is not None or self._finished is not None:
                return
            wait = self._told + _INTERVAL - time.monotonic()
            if wait > 0:
                # What is held back now must not wait for the next change, which may never come.
                self._timer = threading.Timer(wait, self._tell_late)
                self._timer.daemon = True
                self._timer.start()
                return
            self._told = time.monotonic()
        self._call()

    def _tell_late(self) -> None:
        with self._lock:
            self._timer = None
            self._told = time.monotonic()
        self._call()

    def _call(self) -> None:
        with self._telling:
            with self._lock:
                if self._finished is not None:
                    return
            assert self._listener is not None  # noqa: S101  _tell looked
            self._listener(self.snapshot())
