"""Small files on their way into a snapshot, many at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from jupyter_storage.snapshots.helper import Helper
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.small import Small, read_small

__all__ = ["Batches"]

_MANY = 64  # files in a batch; of 64 KiB at most
_AHEAD = 3  # batches that the helper has at once
_WORTH = 512  # files; starting a helper takes as long as these

_T = TypeVar("_T")


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
        self._batch: list[tuple[_T, str, str]] = []
        self._sent: deque[list[tuple[_T, str, str]]] = deque()
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
        if self._helper is None and self._seen >= _WORTH and (os.cpu_count() or 1) > 1:
            with suppress(OSError):
                self._helper = Helper(self._repository.master_keys)
        if self._helper is None:
            self._read()
            return
        while self._helper.ready and self._sent:
            self._take()
        if len(self._sent) < _AHEAD:
            batch, self._batch = self._batch, []
            self._sent.append(batch)
            self._helper.ask([(path, name) for _, path, name in batch])
        else:
            self._read()

    def _read(self) -> None:
        batch, self._batch = self._batch, []
        keys, has = self._repository.master_keys, self._has
        for item, path, name in batch:
            self._finish(item, read_small(path, name, keys, has))

    def _take(self) -> None:
        assert self._helper is not None  # noqa: S101  there is one if something was sent
        results = self._helper.take()
        for (item, _, _), small in zip(self._sent.popleft(), results, strict=True):
            self._finish(item, small)

    def _finish(self, item: _T, small: Small | None) -> None:
        if small is not None and small.sealed is not None:
            self._repository.save_sealed(
                small.identifier, small.sealed, small.size, small.uncompressed
            )
        self._done(item, small)

    def _has(self, identifier: bytes) -> bool:
        return self._repository.has_blob("data", identifier)
