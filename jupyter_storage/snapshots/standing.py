"""How safe the project directory is, as it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.records import SnapshotStatus
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.syncer import Told

__all__ = ["Standing"]


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

    def fail(self, error: StorageError) -> None:
        """Say what went wrong, and what to do."""
        self.change(state="error", error=redact(str(error)), hint=redact(error.hint))

    def hear(self, told: Told) -> None:
        """Say what the syncer tells."""
        changes: dict[str, Any] = {
            "pending": told.pending,
            "pending_bytes": told.pending_bytes,
            "durable": told.durable and datetime.fromtimestamp(told.durable, timezone.utc),
            "late": told.late,
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
