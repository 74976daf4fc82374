"""What is planned and not yet given away, cut into shards of a fair size."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

from jupyter_storage.transfers.tasks import AHEAD, Task

__all__ = ["Backlog"]

SHARES = 3
"""A shard is this part of what each worker would get of what is known."""

FEWEST, MOST = 32, 2_000
"""Files of a shard."""

SMALLEST, LARGEST = 64 * 2**20, 4 * 2**30
"""Bytes of a shard that has more than one file."""

_PATIENCE = 0.5  # seconds that the first tasks wait for others to be cut together with
_LOOK = 0.25


class Backlog:
    """Tasks in order, at most so many, from which shards are cut.

    The first shards are large and the last ones small, so that workers end at nearly the same
    time, and yet ask seldom.

    Parameters
    ----------
    cancel : threading.Event
        Nothing more is put in.
    depth : int
        Most tasks that wait.
    """

    def __init__(self, cancel: threading.Event, depth: int = AHEAD) -> None:
        self._cancel, self._depth = cancel, depth
        self._tasks: deque[Task] = deque()
        self._size = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._since: float | None = None
        self._changed = threading.Condition()

    def fill(self, tasks: Iterator[Task]) -> None:
        """Put in all tasks, waiting for room."""
        error: BaseException | None = None
        try:
            for task in tasks:
                if not self._put(task):
                    break
        except BaseException as raised:
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is wanted any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, workers: int) -> list[Task]:
        """Cut a shard; empty if there is none yet, or none any more.

        Parameters
        ----------
        workers : int
            Among how many the rest will be divided.

        Raises
        ------
        StorageError
            What went wrong with the planning.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            if not self._tasks or not self._is_ripe(workers):
                return []
            parts = max(1, workers) * SHARES
            files = min(max(len(self._tasks) // parts, FEWEST), MOST)
            room = min(max(self._size // parts, SMALLEST), LARGEST)
            shard: list[Task] = []
            while self._tasks and len(shard) < files:
                size = _size(self._tasks[0])
                if shard and size > room:
                    break
                room -= size
                self._size -= size
                shard.append(self._tasks.popleft())
            self._since = time.monotonic() if self._tasks else None
            self._changed.notify_all()
            return shard

    @property
    def is_done(self) -> bool:
        """Whether nothing is left and nothing will come."""
        with self._changed:
            return self._ended and not self._tasks and self._error is None

    def wait(self) -> None:
        """Wait for a change, a moment at most."""
        with self._changed:
            self._changed.wait(_LOOK)

    def _put(self, task: Task) -> bool:
        with self._changed:
            while len(self._tasks) >= self._depth and not self._is_stopped():
                self._changed.wait(_LOOK)
            if self._is_stopped():
                return False
            if self._since is None:
                self._since = time.monotonic()
            self._tasks.append(task)
            self._size += _size(task)
            return True

    def _is_ripe(self, workers: int) -> bool:
        if self._ended or len(self._tasks) >= workers * FEWEST or self._size >= workers * SMALLEST:
            return True
        return self._since is not None and time.monotonic() - self._since > _PATIENCE

    def _is_stopped(self) -> bool:
        return self._closed or self._cancel.is_set()


def _size(task: Task) -> int:
    return task.step.entry.size or 0
