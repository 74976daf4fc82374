"""How much is asked of a service at once, by how it answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_storage.errors import Throttled

__all__ = ["Pace", "jittered"]

MOST = 64  # requests at once
_HALVINGS = 1.0  # seconds between two: requests that were under way together fail together
_RETRIES = 100  # that may be spent before any request has succeeded
_COST = 5  # successes that pay for one retry


def jittered(pause: float) -> float:
    """Draw a pause between half and one and a half times as long.

    So many who failed together do not knock again at the same moment.
    """
    return pause * random.uniform(0.5, 1.5)  # noqa: S311


class Pace:
    """Lets fewer requests go at once when the service asks for it, and more again bit by bit.

    Also the purse of retries: a service that is down is not asked five times for each file.

    Attributes
    ----------
    limit : float
        Requests at once, now.
    """

    def __init__(self) -> None:
        self.limit = float(MOST)
        self._flying = 0
        self._halved = 0.0
        self._purse = float(_RETRIES)
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and learn from how it ends."""
        with self._changed:
            while self._flying >= max(1, int(self.limit)):
                self._changed.wait()
            self._flying += 1
        try:
            yield
        except Throttled:
            self._slow_down()
            raise
        else:
            self._speed_up()
        finally:
            with self._changed:
                self._flying -= 1
                self._changed.notify()

    def may_retry(self) -> bool:
        """Take one retry out of the purse; False where it is empty."""
        with self._changed:
            if self._purse < 1:
                return False
            self._purse -= 1
            return True

    def _slow_down(self) -> None:
        with self._changed:
            now = time.monotonic()
            if now - self._halved >= _HALVINGS:
                self._halved = now
                self.limit = max(1.0, min(self.limit, self._flying) / 2)

    def _speed_up(self) -> None:
        with self._changed:
            self._purse = min(float(_RETRIES), self._purse + 1 / _COST)
            if self.limit < MOST:
                self.limit = min(float(MOST), self.limit + 1 / self.limit)
                self._changed.notify()
