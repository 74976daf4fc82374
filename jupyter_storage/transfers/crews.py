"""Who works on the tasks of a transfer: threads of this process, or another crew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.tasks import AHEAD, Task, Transfer

__all__ = ["Crew", "Threads"]


class Crew(Protocol):
    """Works on tasks, side by side."""

    def work(self, tasks: Iterator[Task], transfer: Transfer) -> None:
        """Work on all of them; what goes wrong with a file is told to the transfer.

        Parameters
        ----------
        tasks : iterator of Task
            Advanced in one thread, and not much beyond the work.
        transfer : Transfer
            Its cancellation drops what waits, and is looked at by the caller afterwards.
        """


class Threads:
    """Threads of this process.

    Parameters
    ----------
    count : int
        How many, at most.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def work(self, tasks: Iterator[Task], transfer: Transfer) -> None:
        """See :class:`Crew`."""
        run(
            tasks,
            transfer.work,
            concurrency=self._count,
            depth=AHEAD,
            cancel=transfer.cancel,
        )
