"""A shard on a node: the one engine at work, and reports of how far it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

from jupyter_storage.distributed.shards import Outcome, Report, Root, Shard
from jupyter_storage.errors import StorageError
from jupyter_storage.records import Failure
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.store import Store
from jupyter_storage.stores.throttled import Bandwidth
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.plan import Step
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.tasks import HELD, Task, Transfer, threads_for

__all__ = ["open_root", "work"]

_INTERVAL = 0.25  # seconds between two reports

_stores: dict[tuple[str, str], Store] = {}
_lock = threading.Lock()


def open_root(root: Root) -> Store:
    """Open a store, or give the one that this process has open: connections stay."""
    name = (root.uri, json.dumps(dict(root.options), sort_keys=True))
    with _lock:
        if name not in _stores:
            store = open_store(root.uri, root.options)
            _stores[name] = store if store.local_path("") is not None else RetryingStore(store)
        return _stores[name]


def work(shard: Shard) -> Iterator[Report]:
    """Do a shard.

    Yields
    ------
    Report
        Several a second, and a last one. Closing the generator, or an interrupt, cancels; what is
        not whole leaves no trace.
    """
    told, cancel, ended = _Told(), threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def move() -> None:
        try:
            _move(shard, told, cancel)
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=move, name="jupyter-storage-shard", daemon=True)
    thread.start()
    try:
        while not ended.wait(_INTERVAL):
            yield told.report()
    finally:
        cancel.set()
        thread.join()
    yield told.report()
    if errors:
        raise errors[0]


def _move(shard: Shard, told: _Told, cancel: threading.Event) -> None:
    places = [Place(open_root(root), "", root.label) for root in shard.roots]
    budget = Budget(HELD)
    bandwidth = Bandwidth(shard.bandwidth) if shard.bandwidth else None

    def do(item: tuple[int, tuple[int, int, Step]]) -> None:
        number, (source, target, step) = item
        task = Task(places[source], places[target], step)
        seen = _seen(task) if shard.again else task
        meter = _StepMeter(told, task if seen is not task else None)
        transfer = Transfer(
            shard.policy,
            meter,
            cancel,
            budget,
            verify=shard.verify,
            pause=shard.pause,
            bandwidth=bandwidth,
        )
        transfer.work(seen)
        if meter.failed is not None:
            told.end(number, "failed", (meter.failed, transfer.cut))
        elif meter.outcome is not None:
            told.end(number, meter.outcome)
        elif not cancel.is_set():
            told.end(number, "made")

    used = {place for source, target, _ in shard.steps for place in (source, target)}
    run(
        enumerate(shard.steps),
        do,
        concurrency=threads_for([places[number] for number in used], shard.concurrency),
        depth=len(shard.steps) or 1,
        cancel=cancel,
    )


def _seen(task: Task) -> Task:
    """Look whether a worker that was lost had done it: its report may be lost too."""
    step = task.step
    if step.action not in {"copy", "move"}:
        return task
    try:
        there = task.target.store.stat(step.target_key)
    except StorageError:
        return task
    if (there.type, there.size) != (step.entry.type, step.entry.size):
        return task
    return replace(task, step=replace(step, action="compare"))


class _Told:
    """What has not been reported yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._size, self._planned = 0, (0, 0)
        self._ended: list[tuple[int, Outcome]] = []
        self._failures: list[tuple[Failure, bool]] = []
        self._current: str | None = None

    def add(self, size: int) -> None:
        with self._lock:
            self._size += size

    def plan(self, size: int, files: int) -> None:
        with self._lock:
            self._planned = (self._planned[0] + size, self._planned[1] + files)

    def begin(self, path: str) -> None:
        self._current = path

    def end(
        self, number: int, outcome: Outcome, failure: tuple[Failure, bool] | None = None
    ) -> None:
        with self._lock:
            self._ended.append((number, outcome))
            if failure is not None:
                self._failures.append(failure)

    def report(self) -> Report:
        with self._lock:
            report = Report(self._size, self._planned, self._ended, self._failures, self._current)
            self._size, self._planned = 0, (0, 0)
            self._ended, self._failures, self._current = [], [], None
            return report


class _StepMeter(Meter):
    """Hears of one step.

    Parameters
    ----------
    told : _Told
    lost : Task or None
        What an earlier worker was to do: if its target has the content, it did.
    """

    def __init__(self, told: _Told, lost: Task | None) -> None:
        super().__init__()
        self._told_to, self._lost = told, lost
        self.outcome: Outcome | None = None
        self.failed: Failure | None = None

    def begin(self, path: str) -> None:
        self._told_to.begin(path)

    def plan(self, size: int, files: int = 1) -> None:
        # What is done again was planned before.
        if self._lost is None:
            self._told_to.plan(size, files)

    def add(self, size: int) -> None:
        self._told_to.add(size)

    def done(self, files: int = 1) -> None:
        self.outcome = "done"

    def skip(self, files: int = 1) -> None:
        if self._lost is None:
            self.outcome = "skipped"
        else:
            self._told_to.add(self._lost.step.entry.size or 0)
            self.outcome = "done"

    def fail(self, failure: Failure) -> None:
        self.failed = failure
