"""Small files on their way into a snapshot, many at a time."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from jupyter_storage.snapshots.helper import Helper, worthwhile
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.writing import SealedBlob
from jupyter_storage.snapshots.small import Small, read_small

__all__ = ["Batches"]

_MANY = 64  # files in a batch; of 64 KiB at most
_AHEAD = 3  # batches that the helper has at once

_T = TypeVar("_T")
_Batch = list[tuple[_T, str, str]]


class Batches(Generic[_T]):
    """Reads small files, in this process and, where they are many, in a second one.

    Parameters
    ----------
    repository : Repository
        Their content goes there.
    done : Callable
        Called in the caller's thread with what was given with each file, and what came of it.
    """

    def __init__(self, repository: Repository, done: Callable[[_T, Small | None], None]) -> None:
        self._repository, self._done = repository, done
        self._batch: _Batch[_T] = []
        self._sent: deque[_Batch[_T]] = deque()
        self._answers: queue.Queue[Sequence[Any] | None] = queue.Queue()
        self._keys = repository.master_keys
        self._helper: Helper | None = None
        self._seen = 0

    def add(self, item: _T, path: str, name: str) -> None:
        """Add a file; it, or others before, may be done when this returns."""
        self._batch.append((item, path, name))
        if len(self._batch) >= _MANY:
            self._pass_on()

    def step(self) -> None:
        """Get on with what was added. To be called only while something is not done."""
        if self._batch:
            self._read()
        else:
            self._take()

    def close(self) -> None:
        """Give back the process."""
        if self._helper is not None:
            self._helper.close()

    def _pass_on(self) -> None:
        self._seen += len(self._batch)
        if self._helper is None and worthwhile(self._seen):
            with suppress(OSError):
                self._helper = Helper("jupyter_storage.snapshots.small", self._keys)
        while self._sent and not self._answers.empty():
            self._take()
        if self._helper is not None and len(self._sent) < _AHEAD:
            batch, self._batch = self._batch, []
            self._sent.append(batch)
            self._helper.ask(_paths(batch), self._answers.put)
        else:
            self._read()

    def _read(self) -> None:
        batch, self._batch = self._batch, []
        self._finish(batch, read_small(_paths(batch), self._keys, self._has))

    def _take(self) -> None:
        results = self._answers.get()
        batch = self._sent.popleft()
        found = [small and Small(*small) for small in results or [None] * len(batch)]
        self._finish(batch, found)

    def _finish(self, batch: _Batch[_T], found: Sequence[Small | None]) -> None:
        self._repository.save_sealed(
            [
                SealedBlob(small.identifier, small.sealed, small.size, small.uncompressed)
                for small in found
                if small is not None and small.sealed is not None
            ]
        )
        for (item, _, _), small in zip(batch, found, strict=True):
            self._done(item, small)

    def _has(self, identifier: bytes) -> bool:
        return self._repository.has_blob("data", identifier)


def _paths(batch: _Batch[_T]) -> list[tuple[str, str]]:
    return [(path, name) for _, path, name in batch]
