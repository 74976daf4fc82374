"""What all parts of the service share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_storage.config import Settings
from jupyter_storage.locations import Locations
from jupyter_storage.paths import parent
from jupyter_storage.records import Change
from jupyter_storage.transfers.engine import Engine, Place
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
        self._engine = Engine(concurrency=settings.concurrency, bandwidth=settings.bandwidth)
        self._journals = Journals(settings.data_directory / "transfers")
        self._jobs = Jobs(listener=lambda record: self._tell("transfer", record))
        # What is made when it is first asked for is not made twice.
        self._lock = threading.Lock()

    def _changed(self, place: Place, *, itself: bool = False) -> None:
        if place.label.endswith(":"):
            directory = place.key if itself else parent(place.key)
            self._tell("change", Change(place.label[:-1], directory))
            if itself:
                self._tell("change", Change(place.label[:-1], parent(place.key)))

    def _tell(self, kind: str, record: object) -> None:
        if self._listener is not None:
            self._listener(kind, record)
