"""A store that writes no faster than it may, and counts what it does."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from jupyter_storage.records import Entry
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.store import Store

__all__ = ["Bandwidth", "ThrottledStore"]

_STEP = 0.5  # seconds at most that the count stands still while a write waits


class Bandwidth:
    """Says when bytes may go such that their average stays below a limit.

    Parameters
    ----------
    limit : int
        Bytes a second; 0 for none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = 0.0
        self._lock = threading.Lock()

    @property
    def limit(self) -> int:
        """Bytes a second; 0 for none. A new one forgets what was booked by the old one."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._lock:
            if limit != self._limit:
                self._limit, self._free = limit, 0.0

    def turn(self, size: int) -> float:
        """Book ``size`` bytes, and give the moment of :func:`time.monotonic` that they may go."""
        with self._lock:
            begin = max(self._free, time.monotonic())
            if self._limit:
                self._free = begin + size / self._limit
            return begin


class ThrottledStore(ForwardingStore):
    """Delays writes such that their average stays below a bandwidth.

    One write goes out at full speed: what is limited is the average, over many.

    Parameters
    ----------
    store : Store
    bandwidth : int
        Bytes a second; 0 for no limit.

    Attributes
    ----------
    beats : int
        Grows while something moves, and while a write waits for its turn.
    """

    def __init__(self, store: Store, bandwidth: int) -> None:
        super().__init__(store)
        self._bandwidth = Bandwidth(bandwidth)
        self.beats = 0

    @property
    def bandwidth(self) -> int:
        """Bytes a second; 0 for no limit."""
        return self._bandwidth.limit

    @bandwidth.setter
    def bandwidth(self, limit: int) -> None:
        self._bandwidth.limit = limit

    def write(
        self,
        key: str,
        data: bytes | memoryview,
        *,
        exclusive: bool = False,
        modified: datetime | None = None,
    ) -> Entry:
        self._wait(len(data))
        entry = self.inner.write(key, data, exclusive=exclusive, modified=modified)
        self.beats += 1
        return entry

    def _wait(self, size: int) -> None:
        begin = self._bandwidth.turn(size)
        while (left := begin - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))
            self.beats += 1
