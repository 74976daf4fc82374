"""Whether two directories hold the same files; nothing is changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from jupyter_storage.errors import ChecksumMismatch, NotFound
from jupyter_storage.records import ConflictPolicy, Failure
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.comparison import Surplus
from jupyter_storage.transfers.crews import Crew, Threads
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.plan import SKIPPED, Step
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import check_cancelled
from jupyter_storage.transfers.sync import SyncOptions, compared
from jupyter_storage.transfers.tasks import HELD, Task, Transfer, threads_for

__all__ = ["check"]


def check(
    source: Place,
    target: Place,
    options: SyncOptions,
    *,
    one_way: bool,
    concurrency: int,
    meter: Meter,
    cancel: threading.Event,
    crew: Crew | None = None,
) -> None:
    """Compare two directories, file by file, by content.

    Parameters
    ----------
    source, target : Place
    options : SyncOptions
        What is compared, and what is left out.
    one_way : bool
        Whether the target may have more.
    concurrency : int
        Files that are compared at once.
    meter : Meter
        Hears of each file that differs as a failure.
    cancel : threading.Event
    crew : Crew, optional
        Who compares; threads of this process unless given.

    Raises
    ------
    InvalidRequest, NotFound, Cancelled
        As :func:`~jupyter_storage.transfers.sync.synchronize`.
    """
    transfer = Transfer(ConflictPolicy.FAIL, meter, cancel, Budget(HELD))
    comparison = compared(source, target, replace(options, checksum=True), cancel)
    meter.run()

    def tasks() -> Iterator[Task]:
        for found in comparison:
            if isinstance(found, Step) and found.action == "compare":
                meter.plan(found.entry.size or 0)
                yield Task(source, target, replace(found, action="check"))
            elif (difference := _difference(found, source, target, one_way)) is not None:
                meter.fail(difference)
        # Links that point to the same.
        meter.plan(0, comparison.unchanged)
        meter.done(comparison.unchanged)
        meter.planned()

    workers = crew or Threads(threads_for([source, target], concurrency))
    workers.work(tasks(), transfer)
    check_cancelled(cancel)


def _difference(
    found: Step | Surplus | Failure, source: Place, target: Place, one_way: bool
) -> Failure | None:
    """Say what is not the same, as far as listings show it."""
    if isinstance(found, Failure):
        # A link that the target cannot have.
        return None if found.kind == SKIPPED and one_way else found
    if isinstance(found, Surplus):
        if one_way or found.entry.is_directory:
            return None
        path = target.at(found.entry.path).path
        return Failure(path, NotFound.__name__, f"{source.path} does not have it")
    if found.action == "directory":
        return None
    here, there = source.at(found.source_key).path, target.at(found.target_key).path
    if found.replaces is None:
        return Failure(here, NotFound.__name__, f"{target.path} does not have it")
    text = f"It is not what {here} holds"
    if found.entry.type == found.replaces.type == "file":
        text += f": {found.replaces.size or 0:,} bytes in place of {found.entry.size or 0:,}"
    return Failure(there, ChecksumMismatch.__name__, text)
