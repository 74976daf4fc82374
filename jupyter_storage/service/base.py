"""What all parts of the service share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_storage.config import Settings
from jupyter_storage.locations import Locations
from jupyter_storage.paths import parent
from jupyter_storage.records import Change
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.transfers.engine import Engine
    from jupyter_storage.transfers.jobs import Jobs
    from jupyter_storage.transfers.journal import Journals

__all__ = ["Base", "Listener"]

Listener = Callable[[str, object], None]
"""Called with 'transfer', 'snapshot' or 'change' and the record."""


class Base:
    """Settings, places, what runs in the background, and who is told.

    Parameters
    ----------
    settings : Settings
    listener : callable, optional
        Hears of changes, from any thread.
    """

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        self.settings = settings
        self._listener = listener
        self._locations = Locations(settings)
        # What is made when it is first asked for is not made twice.
        self._lock = threading.RLock()
        self._moves: Engine | None = None
        self._is_busy = False
        self._started: Jobs | None = None

    # Who only looks need not wait for what moves bytes.

    @property
    def _engine(self) -> Engine:
        from jupyter_storage.transfers.engine import Engine

        with self._lock:
            if self._moves is None:
                self._moves = Engine(
                    concurrency=self.settings.concurrency, bandwidth=self._allowed()
                )
            return self._moves

    def _allowed(self) -> int:
        """Bytes a second that transfers may move now; 0 for no limit."""
        limits = {self.settings.bandwidth, self.settings.busy_bandwidth if self._is_busy else 0}
        return min(limits - {0}, default=0)

    def heed(self, *, busy: bool) -> None:
        """Let transfers slow down while somebody computes, as ``busy_bandwidth`` says."""
        with self._lock:
            self._is_busy = busy
            if self._moves is not None:
                self._moves.bandwidth.limit = self._allowed()

    @property
    def _journals(self) -> Journals:
        from jupyter_storage.transfers.journal import Journals

        return Journals(self.settings.data_directory / "transfers")

    @property
    def _jobs(self) -> Jobs:
        from jupyter_storage.transfers.jobs import Jobs

        with self._lock:
            if self._started is None:
                self._started = Jobs(listener=lambda record: self._tell("transfer", record))
            return self._started

    def _changed(self, place: Place, *, itself: bool = False) -> None:
        if place.label.endswith(":"):
            directory = place.key if itself else parent(place.key)
            self._tell("change", Change(place.label[:-1], directory))
            if itself:
                self._tell("change", Change(place.label[:-1], parent(place.key)))

    def _tell(self, kind: str, record: object) -> None:
        if self._listener is not None:
            self._listener(kind, record)
