"""How safe the project directory is, as it changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.records import RestoreProgress, SnapshotRecord, SnapshotStatus
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.restore import Progress
from jupyter_storage.snapshots.syncer import Told

__all__ = ["Standing"]

_TELL = 0.2  # seconds between two looks at a restore


class Standing:
    """The status of a workspace. All methods may be called from several threads.

    Parameters
    ----------
    status : SnapshotStatus
        The first one.
    listener : Callable, optional
        Called with every new one, in several threads.
    """

    def __init__(
        self, status: SnapshotStatus, listener: Callable[[SnapshotStatus], None] | None
    ) -> None:
        self._status, self._listener = status, listener
        self._lock = threading.Lock()

    @property
    def status(self) -> SnapshotStatus:
        """The newest."""
        with self._lock:
            return self._status

    def change(self, **changes: Any) -> None:
        """Change some of its attributes, and tell if that made a difference."""
        with self._lock:
            before, self._status = self._status, replace(self._status, **changes)
            status = self._status
        if self._listener is not None and status != before:
            self._listener(status)

    def restore(
        self, snapshot: SnapshotRecord, note: Callable[[RestoreProgress], None]
    ) -> Progress:
        """Say that a snapshot is being restored; what this gives is told how far it is.

        Parameters
        ----------
        snapshot : SnapshotRecord
        note : Callable
            Notes it for other processes.
        """
        begun = RestoreProgress(files_total=snapshot.files, bytes_total=snapshot.bytes)
        note(begun)
        self.change(state="restoring", restoring=begun, error=None, hint=None)
        files = size = 0
        told = time.monotonic()
        counting = threading.Lock()

        def progress(more_bytes: int, more_files: int) -> None:
            nonlocal files, size, told
            with counting:
                files, size = files + more_files, size + more_bytes
                if time.monotonic() - told < _TELL:
                    return
                told = time.monotonic()
                now = RestoreProgress(files, snapshot.files, size, snapshot.bytes)
                note(now)
                self.change(restoring=now)

        return progress

    def fail(self, error: StorageError) -> None:
        """Say what went wrong, and what to do."""
        self.change(
            state="error", restoring=None, error=redact(str(error)), hint=redact(error.hint)
        )

    def hear(self, told: Told) -> None:
        """Say what the syncer tells."""
        changes: dict[str, Any] = {
            "pending": told.pending,
            "pending_bytes": told.pending_bytes,
            "durable": told.durable and datetime.fromtimestamp(told.durable, timezone.utc),
            "late": told.late,
            "watching": told.watching,
            "unwatched": told.unwatched,
        }
        if told.record is not None:
            changes |= {"last": told.record, "failures": told.record.failures}
        changes |= {"error": None, "hint": None}
        if told.error is not None and not isinstance(told.error, Cancelled):
            changes |= {"error": redact(str(told.error)), "hint": redact(told.error.hint)}
        if told.capturing:
            changes["state"] = "capturing"
        elif changes["error"]:
            changes["state"] = "error"
        else:
            changes["state"] = "waiting" if told.pending or told.record is None else "ok"
        self.change(**changes)
