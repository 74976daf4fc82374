"""A bound on bytes in memory that many threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Budget"]


class Budget:
    """Lets threads hold so many bytes together.

    Parameters
    ----------
    limit : int
        Bytes. Who wants more than that gets it alone.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size: int, cancel: threading.Event) -> Iterator[None]:
        """Wait until ``size`` bytes are free, and hold them; a cancellation ends the wait."""
        with self._changed:
            while self._held and self._held + size > self._limit and not cancel.is_set():
                self._changed.wait(0.25)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()
