"""Captures, one after another, with a store and a repository that stay open in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jupyter_storage.snapshots.capture import Changes, Memory, Progress, Taken, take
from jupyter_storage.snapshots.diary import Diary
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.locks import Hold, elapsed
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.throttled import ThrottledStore

__all__ = ["READY", "Session"]

READY = 5.0
"""Seconds for which a lock is held that nobody has used yet."""


class Session:
    """Takes the snapshots that requests ask for; see :mod:`jupyter_storage.snapshots.worker`."""

    def __init__(self) -> None:
        self._store: ThrottledStore | None = None
        self._repository: Repository | None = None
        self._memory: Memory | None = None
        self._opened = ""
        self._ready: tuple[Hold, ExitStack, float] | None = None
        self._uri, self._options = "", dict[str, Any]()
        self._state, self._retention = Path(), ""
        self._read = 0

    @property
    def beats(self) -> int:
        """A number that grows as long as something gets on."""
        return self._read + (self._store.beats if self._store is not None else 0)

    def prepare(self, request: Mapping[str, Any]) -> None:
        """Open the repository and lock it, for a snapshot that is due soon.

        Locks ask for a wait before anything is published: so it is over by then. A lock that is
        not used within :data:`READY` seconds may have been taken for dead while the machine slept;
        the snapshot then takes another one.
        """
        self.let_go()
        try:
            repository, _ = self._open(request)
            with ExitStack() as stack:
                begun = elapsed()
                records = Path(request["state"]) / "locks"
                hold = stack.enter_context(repository.lock(records=records))
                self._ready = hold, stack.pop_all(), begun
        except BaseException:
            self.close()
            raise

    def let_go(self) -> None:
        """Give back the lock that :meth:`prepare` took, if no snapshot did."""
        if self._ready is not None:
            _, stack, _ = self._ready
            self._ready = None
            stack.close()

    @contextmanager
    def _locked(self, repository: Repository, records: Path) -> Iterator[Hold]:
        """Hold a lock: the one that is there, unless it is too old."""
        if self._ready is not None and elapsed() - self._ready[2] <= 2 * READY:
            hold, stack, _ = self._ready
            self._ready = None
            with stack:
                yield hold
        else:
            self.let_go()
            with repository.lock(records=records, patient=True) as hold:
                yield hold

    def take(
        self,
        request: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Taken:
        """Take the snapshot that a request asks for.

        Parameters
        ----------
        request : mapping
            See :mod:`jupyter_storage.snapshots.worker`.
        progress, cancel
            See :func:`~jupyter_storage.snapshots.capture.capture`.
        """

        def count(size: int, files: int) -> None:
            self._read += size + files
            if progress is not None:
                progress(size, files)

        try:
            repository, memory = self._open(request)
            dirty = request.get("dirty")
            return take(
                repository,
                Path(request["project"]),
                tags=request["tags"],
                lineage=request["lineage"],
                excluded=[Path(path) for path in request["excluded"]],
                gitignore=request["gitignore"],
                force=request["force"],
                changes=Changes(request["base"], dirty) if dirty is not None else None,
                lock=self._locked(repository, Path(request["state"]) / "locks"),
                memory=memory,
                progress=count,
                cancel=cancel,
            )
        except BaseException:
            # A repository that failed half-way may think that it holds what was never written.
            self.close()
            raise

    def tidy(self, overdue: float = 0.0, wanted: Callable[[], bool] = lambda: False) -> None:
        """Do the daily upkeep of the repository that is open.

        Parameters
        ----------
        overdue : float
            Only if it has been due for so many seconds.
        wanted : callable
            Whether somebody waits; see :func:`maintain`.
        """
        self.let_go()
        if self._repository is None or Diary(self._state).overdue() < overdue:
            return
        # Once a day; the start of the process need not wait for it.
        from jupyter_storage.snapshots.maintenance import maintain

        maintain(
            self._repository,
            uri=self._uri,
            options=self._options,
            state=self._state,
            retention=self._retention,
            wanted=wanted,
        )
        # What is known of the repository is of before.
        self.close()

    def close(self) -> None:
        """Give back connections and memory. What comes next opens everything again."""
        self.let_go()
        if self._memory is not None:
            self._memory.close()
        if self._repository is not None:
            self._repository.close()
        if self._store is not None:
            self._store.close()
        self._store = self._repository = self._memory = None

    def _open(self, request: Mapping[str, Any]) -> tuple[Repository, Memory]:
        password = Path(request["password_file"]).read_text().strip("\r\n")
        wanted = json.dumps([request["uri"], request["options"], password, request["state"]])
        repository, memory, store = self._repository, self._memory, self._store
        if repository is None or memory is None or store is None or wanted != self._opened:
            self.close()
            self._store = store = ThrottledStore(open_store(request["uri"], request["options"]), 0)
            exists = Repository.exists(store)
            make = Repository.open if exists else Repository.create
            repository = make(store, password, cache=Path(request["state"]) / "cache")
            memory = Memory(repository, Path(request["state"]))
            self._repository, self._memory, self._opened = repository, memory, wanted
        store.bandwidth = request["bandwidth"]
        self._uri, self._options = request["uri"], request["options"]
        self._state, self._retention = Path(request["state"]), request["retention"]
        return repository, memory
