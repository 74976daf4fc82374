"""The nodes of a Ray cluster as the crew of a transfer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)

from jupyter_storage.distributed.backlog import Backlog
from jupyter_storage.distributed.nodes import worker_nodes
from jupyter_storage.distributed.shards import Report, Root, Shard
from jupyter_storage.distributed.worker import work
from jupyter_storage.errors import StorageError, Unreachable
from jupyter_storage.records import Failure
from jupyter_storage.redact import redact
from jupyter_storage.transfers.tasks import Task, Transfer

__all__ = ["TRIES", "RayCrew", "fault", "unreachable"]

TRIES = 4
"""How often a shard is begun; its worker was lost each time before."""

_LOOK = 0.2  # seconds between two looks at a cancellation
_RECOUNT = 5.0  # seconds after which nodes are counted anew
_FAREWELL = 5.0  # seconds that cancelled workers have to say what they did

_LOST = (WorkerCrashedError, NodeDiedError, ObjectLostError, OutOfMemoryError)


class RayCrew:
    """One worker on each node, which does shards with the engine that threads here would use.

    Parameters
    ----------
    roots : sequence of Root
        All stores that tasks name.
    environment : mapping
        Variables of workers; no secrets.
    concurrency : int
        Files in flight at once, on each node.
    bandwidth : int
        Bytes a second that each node may move; 0 for no limit.
    pause : float
        See :func:`jupyter_storage.transfers.streams.tried`.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        environment: Mapping[str, str],
        *,
        concurrency: int,
        bandwidth: int,
        pause: float = 0.5,
    ) -> None:
        self._roots = list(roots)
        self._numbers = {root.label: number for number, root in enumerate(self._roots)}
        self._concurrency, self._bandwidth, self._pause = concurrency, bandwidth, pause
        # SPREAD: shards go around the nodes, and not to the nearest until it is full.
        self._remote = ray.remote(work).options(
            num_cpus=1,
            num_returns="streaming",
            max_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": dict(environment)},
            name="jupyter-storage-transfer",
        )

    def work(self, tasks: Iterator[Task], transfer: Transfer) -> None:
        """See :class:`~jupyter_storage.transfers.crews.Crew`."""
        backlog = Backlog(transfer.cancel)
        planner = threading.Thread(
            target=backlog.fill, args=(tasks,), name="jupyter-storage-plan", daemon=True
        )
        planner.start()
        run = _Run(self, backlog, transfer)
        try:
            run.to_end()
        finally:
            backlog.close()
            run.stop()
            planner.join()

    def begin(self, part: _Part, transfer: Transfer) -> Any:
        """Give what is left of a part to a worker, and the stream of its reports."""
        steps = [
            (self._numbers[task.source.label], self._numbers[task.target.label], task.step)
            for task in part.tasks
        ]
        return self._remote.remote(
            Shard(
                self._roots,
                steps,
                transfer.policy,
                transfer.verify,
                part.tries > 0,
                self._pause,
                self._concurrency,
                self._bandwidth,
            )
        )


@dataclass
class _Part:
    """A shard under way.

    Attributes
    ----------
    tasks : list of Task
    tries : int
        How often its worker was lost.
    ended : set of int
        Tasks of which an end was reported.
    pending : int
        Bytes that were reported beyond those of files that are done.
    """

    tasks: list[Task]
    tries: int = 0
    ended: set[int] = field(default_factory=set)
    pending: int = 0


class _Run:
    """One transfer: shards given away, reports taken, lost shards given away again."""

    def __init__(self, crew: RayCrew, backlog: Backlog, transfer: Transfer) -> None:
        self._crew, self._backlog, self._transfer = crew, backlog, transfer
        self._running: dict[Any, _Part] = {}
        self._waiting: list[_Part] = []
        self._workers = max(1, len(worker_nodes()))
        self._counted = time.monotonic()

    def to_end(self) -> None:
        """Go on until all is done or cancelled."""
        try:
            while not self._transfer.cancel.is_set():
                self._give()
                if self._running:
                    self._hear(_LOOK)
                elif self._backlog.is_done and not self._waiting:
                    return
                else:
                    self._backlog.wait()
        except RayError as error:
            raise unreachable(error) from error

    def stop(self) -> None:
        """Cancel what still runs, and hear what it did until then."""
        for stream in self._running:
            with suppress(RayError, ValueError, TypeError):
                ray.cancel(stream, force=False)
        deadline = time.monotonic() + _FAREWELL
        with suppress(RayError, StorageError):
            while self._running and time.monotonic() < deadline:
                self._hear(_LOOK)
        for stream in self._running:
            with suppress(RayError, ValueError, TypeError):
                ray.cancel(stream, force=True)

    def _give(self) -> None:
        if time.monotonic() - self._counted > _RECOUNT:
            self._workers = max(1, len(worker_nodes()))
            self._counted = time.monotonic()
        while len(self._running) < self._workers:
            if self._waiting:
                part = self._waiting.pop()
            elif tasks := self._backlog.take(self._workers):
                part = _Part(tasks)
            else:
                return
            for task in part.tasks:
                self._note(task, done=False)
            self._running[self._crew.begin(part, self._transfer)] = part

    def _hear(self, patience: float) -> None:
        """Take the reports that are there, waiting for one."""
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=patience)
        for stream in ready:
            part = self._running[stream]
            try:
                self._take(part, ray.get(next(stream)))
            except StopIteration:
                del self._running[stream]
            except TaskCancelledError:
                del self._running[stream]
            except _LOST:
                del self._running[stream]
                self._lost(part)
            except RayTaskError as error:
                del self._running[stream]
                raise fault(error) from error

    def _take(self, part: _Part, report: Report) -> None:
        meter = self._transfer.meter
        if report.current is not None:
            meter.begin(report.current)
        if any(report.planned):
            meter.plan(*report.planned)
        if report.size:
            meter.add(report.size)
            part.pending += report.size
        for number, outcome in report.ended:
            part.ended.add(number)
            if outcome == "done":
                part.pending -= part.tasks[number].step.entry.size or 0
                self._note(part.tasks[number], done=True)
                meter.done()
            elif outcome == "skipped":
                meter.skip()
        for failed, passing in report.failures:
            self._transfer.fail(failed, passing=passing)

    def _lost(self, part: _Part) -> None:
        """Give what is left of a shard to another worker, or give it up."""
        self._transfer.meter.add(-part.pending)
        left = [task for number, task in enumerate(part.tasks) if number not in part.ended]
        if part.tries + 1 < TRIES:
            if left:
                self._waiting.append(_Part(left, part.tries + 1))
            return
        for task in left:
            path = task.source.at(task.step.source_key).path
            self._transfer.fail(
                Failure(
                    path,
                    Unreachable.__name__,
                    f"Its worker was lost {TRIES} times",
                    "Look at the cluster with 'ray status'; then run the same again to go on.",
                ),
                passing=True,
            )

    def _note(self, task: Task, *, done: bool) -> None:
        """Keep the journal, from which a later process goes on, here or with Ray."""
        journal, step = self._transfer.journal, task.step
        if journal is None or step.action == "directory":
            return
        source, target = task.source.at(step.source_key), task.target.at(step.target_key)
        mark = journal.mark(source.path, target.path, step.entry)
        if done:
            journal.done(mark, step.entry.size or 0)
        else:
            journal.begin(mark)


def fault(error: RayTaskError) -> StorageError:
    """Say what went wrong on a worker."""
    cause = error.cause
    if isinstance(cause, StorageError):
        return cause
    return StorageError(
        redact(f"A worker could not do its part: {cause!r}"),
        hint="Every node needs the same version of jupyter_storage[ray]; see docs/ray.md.",
    )


def unreachable(error: RayError) -> StorageError:
    """Say that it is the cluster."""
    return Unreachable(
        redact(f"The Ray cluster does not work as it should: {str(error).splitlines()[0]}"),
        hint="Look at it with 'ray status'; then run the same again to go on, "
        "or with --engine local.",
    )
