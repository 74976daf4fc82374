"""Transfers in the background: started, listed, waited for, cancelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from jupyter_storage.errors import Cancelled, Conflict, NotFound, StorageError
from jupyter_storage.records import Failure, TransferRecord
from jupyter_storage.redact import redact
from jupyter_storage.transfers.places import failure
from jupyter_storage.transfers.progress import Meter

__all__ = ["Jobs"]

_KEPT = 200  # finished transfers that are remembered

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    meter: Meter
    cancel: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """Runs transfers, a few at a time, the others waiting in order.

    Parameters
    ----------
    workers : int
        Transfers that run at once.
    listener : callable, optional
        Hears of each transfer's progress; see :class:`Meter`.
    """

    def __init__(
        self, *, workers: int = 4, listener: Callable[[TransferRecord], None] | None = None
    ) -> None:
        self._listener = listener
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="jupyter-storage-transfer")
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self,
        operation: str,
        sources: Sequence[str],
        destination: str | None,
        work: Callable[[Meter, threading.Event], None],
    ) -> TransferRecord:
        """Run ``work`` in the background.

        Parameters
        ----------
        operation : str
            As in :class:`TransferRecord`.
        sources : sequence of str
        destination : str or None
        work : callable
            Takes the meter and the event that asks it to stop. What it raises becomes a failure
            of the record.

        Raises
        ------
        Conflict
            After :meth:`close`.
        """
        job = _Job(Meter(operation, sources, destination, listener=self._listener))
        with self._lock:
            if self._closed:
                raise Conflict("The server is stopping", hint="Start it again when it is back.")
            self._jobs[job.meter.id] = job
            ended = [name for name, other in self._jobs.items() if other.ended.is_set()]
            for name in ended[: max(0, len(ended) - _KEPT)]:
                del self._jobs[name]
            future = self._pool.submit(self._run, job, work)
        future.add_done_callback(lambda _: self._end(job))
        return job.meter.snapshot()

    def list(self) -> list[TransferRecord]:
        """List transfers, newest first; finished ones are remembered for a while."""
        with self._lock:
            jobs = list(self._jobs.values())
        return [job.meter.snapshot() for job in reversed(jobs)]

    def get(self, identifier: str) -> TransferRecord:
        """Describe one.

        Raises
        ------
        NotFound
        """
        return self._job(identifier).meter.snapshot()

    def wait(self, identifier: str, timeout: float | None = None) -> TransferRecord:
        """Wait until it has ended, for at most ``timeout`` seconds, and describe it."""
        job = self._job(identifier)
        job.ended.wait(timeout)
        return job.meter.snapshot()

    def cancel(self, identifier: str) -> TransferRecord:
        """Ask it to stop; see :meth:`wait` for when it has."""
        job = self._job(identifier)
        job.cancel.set()
        return job.meter.snapshot()

    def close(self) -> None:
        """Cancel everything and wait for the threads."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _job(self, identifier: str) -> _Job:
        with self._lock:
            job = self._jobs.get(identifier)
        if job is None:
            raise NotFound(
                f"There is no transfer '{identifier[:64]}'",
                hint="Finished transfers are forgotten after a while, and when the server stops.",
            )
        return job

    def _run(self, job: _Job, work: Callable[[Meter, threading.Event], None]) -> None:
        meter = job.meter
        if job.cancel.is_set():
            return
        meter.start()
        try:
            work(meter, job.cancel)
        except Cancelled:
            meter.finish("cancelled")
        except StorageError as error:
            meter.fail(failure(error))
        except Exception as error:
            # A fault of ours: the record must end all the same, and not show internals.
            _log.exception("A transfer ended unexpectedly")
            meter.fail(
                Failure(
                    "",
                    StorageError.__name__,
                    redact(f"An unexpected error: {error!r}"),
                    StorageError.default_hint,
                )
            )
        meter.finish()

    def _end(self, job: _Job) -> None:
        # Jobs that were cancelled before their turn have not ended yet.
        job.meter.finish("cancelled")
        job.ended.set()
