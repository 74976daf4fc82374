"""Copies, moves and deletes: bounded memory, many files at once, failures listed one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from jupyter_storage.errors import AlreadyExists, StorageError
from jupyter_storage.records import ConflictPolicy, Entry, Failure, Plan
from jupyter_storage.stores.store import Progress
from jupyter_storage.stores.throttled import Bandwidth
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.crews import Crew, Threads
from jupyter_storage.transfers.deletion import delete, prune
from jupyter_storage.transfers.journal import Journal
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.progress import LISTED, Meter
from jupyter_storage.transfers.routes import Route, routes_of, steps_of
from jupyter_storage.transfers.streams import check_cancelled, copy_file
from jupyter_storage.transfers.tasks import HELD, Task, Transfer, going_on, threads_for

if TYPE_CHECKING:
    from jupyter_storage.transfers.sync import SyncOptions

__all__ = ["Engine", "Place"]


class Engine:
    """Moves bytes between places.

    Parameters
    ----------
    concurrency : int
        Files in flight at once.
    pause : float
        Seconds before a failed file is tried again; see
        :func:`jupyter_storage.transfers.streams.tried`.
    bandwidth : int
        Bytes a second that all files together may take, on average; 0 for no limit.

    Attributes
    ----------
    bandwidth : Bandwidth
        Its limit may change at any time, also for what is under way.
    """

    def __init__(self, *, concurrency: int = 32, pause: float = 0.5, bandwidth: int = 0) -> None:
        self._concurrency = max(1, concurrency)
        self._pause = pause
        self.bandwidth = Bandwidth(bandwidth)

    def estimate(
        self,
        sources: Sequence[Place],
        target: Place,
        *,
        recursive: bool = False,
        policy: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
        inspect: Callable[[Entry], None] | None = None,
    ) -> Plan:
        """Say what :meth:`copy` would do; ``inspect`` sees each file that would be moved.

        Returns
        -------
        Plan
            Conflicts are existing files that would stop their source under ``FAIL``, be
            replaced under ``OVERWRITE`` and ``NEWER``, or be kept under ``SKIP``.
        """
        routes, failures = routes_of(sources, target, recursive=recursive, into=into)
        files = size = conflict_count = 0
        conflicts: list[str] = []
        for route in routes:
            # Overwriting itself need not look at the target; here that is the point.
            for step in steps_of(route, policy, look=True):
                if isinstance(step, Failure):
                    if step.kind != AlreadyExists.__name__:
                        if len(failures) < LISTED:
                            failures.append(step)
                        continue
                    conflict = step.path
                elif step.action == "directory":
                    continue
                else:
                    if step.action != "skip":
                        files += 1
                        size += step.entry.size or 0
                        if inspect is not None:
                            inspect(step.entry)
                    if step.replaces is None:
                        continue
                    conflict = route.target.at(step.target_key).path
                conflict_count += 1
                if len(conflicts) < LISTED:
                    conflicts.append(conflict)
        return Plan(files, size, tuple(conflicts), conflict_count, tuple(failures))

    def copy(
        self,
        sources: Sequence[Place],
        target: Place,
        *,
        recursive: bool = False,
        policy: ConflictPolicy = ConflictPolicy.FAIL,
        move: bool = False,
        into: bool = False,
        verify: bool = False,
        meter: Meter,
        cancel: threading.Event,
        journal: Journal | None = None,
        crew: Crew | None = None,
    ) -> None:
        """Copy or move files and directories.

        Parameters
        ----------
        sources : sequence of Place
        target : Place
        recursive : bool
            Needed for directories.
        policy : ConflictPolicy
        move : bool
            Rename where that is possible; else copy, verify, and delete each source file.
        into : bool
            Each source lands in the target under its own name.
        verify : bool
            Compare what was copied with its source afterwards, by what both stores know of it.
        meter : Meter
            Hears of progress and of failures: the rest is carried on with.
        cancel : threading.Event
            Stops within a piece; files that are not whole leave no trace.
        journal : Journal, optional
            What an earlier process noted there is not done again. It is closed.
        crew : Crew, optional
            Who does the work; threads of this process unless given.

        Raises
        ------
        Cancelled
            If it was. What was complete stays.
        StorageError
            Where nothing could be begun.
        """
        transfer = Transfer(
            policy,
            meter,
            cancel,
            Budget(HELD),
            move=move,
            verify=verify,
            pause=self._pause,
            journal=journal,
            bandwidth=self.bandwidth,
        )
        with going_on(transfer):
            self._copy(
                sources,
                target,
                recursive=recursive,
                into=into,
                transfer=transfer,
                crew=crew or Threads(threads_for([target, *sources], self._concurrency)),
            )

    def _copy(
        self,
        sources: Sequence[Place],
        target: Place,
        *,
        recursive: bool,
        into: bool,
        transfer: Transfer,
        crew: Crew,
    ) -> None:
        policy, meter, cancel = transfer.policy, transfer.meter, transfer.cancel
        routes, failures = routes_of(sources, target, recursive=recursive, into=into)
        for failed in failures:
            meter.fail(failed)
        meter.run()
        move = transfer.move
        if move:
            routes = [route for route in routes if not self._renamed(route, policy, meter)]

        def tasks() -> Iterator[Task]:
            for route in routes:
                recall = transfer.recall(route.source, route.target)
                for step in steps_of(route, policy, look=recall is not None, recall=recall):
                    if isinstance(step, Failure):
                        meter.fail(step)
                    elif step.action == "skip":
                        meter.skip()
                    else:
                        if step.action not in {"directory", "compare"}:
                            meter.plan(step.entry.size or 0)
                        yield Task(route.source, route.target, step)
            meter.planned()

        crew.work(tasks(), transfer)
        check_cancelled(cancel)
        if move:
            for route in routes:
                if route.entry.is_directory and route.entry.link is None:
                    with suppress(StorageError, OSError):
                        prune(route.source)

    def send(
        self,
        source: Place,
        target: Place,
        *,
        exclusive: bool,
        progress: Progress,
        cancel: threading.Event,
    ) -> Entry:
        """Copy one file under a name that is settled, and raise what goes wrong.

        Parameters
        ----------
        source, target : Place
        exclusive : bool
            Whether the target must not exist.
        progress : callable
            Hears of bytes; less than zero takes back those of a failed try.
        cancel : threading.Event

        Returns
        -------
        Entry
            What is at the target now.
        """
        with source.naming():
            entry = source.store.stat(source.key)
        sent = copy_file(
            source,
            target,
            entry,
            exclusive=exclusive,
            progress=progress,
            cancel=cancel,
            pause=self._pause,
        )
        if sent.modified is not None:
            return sent
        with target.naming():
            return target.store.stat(target.key)

    def sync(
        self,
        source: Place,
        target: Place,
        options: SyncOptions,
        *,
        meter: Meter,
        cancel: threading.Event,
        journal: Journal | None = None,
        crew: Crew | None = None,
    ) -> None:
        """Make a directory like another; see :mod:`jupyter_storage.transfers.sync`."""
        # Other transfers need not wait for what it needs.
        from jupyter_storage.transfers.sync import synchronize

        synchronize(
            source,
            target,
            options,
            concurrency=self._concurrency,
            pause=self._pause,
            meter=meter,
            cancel=cancel,
            journal=journal,
            bandwidth=self.bandwidth,
            crew=crew,
        )

    def delete(
        self,
        targets: Sequence[Place],
        *,
        recursive: bool = False,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        """Delete files and exact directories.

        Parameters
        ----------
        targets : sequence of Place
        recursive : bool
            Needed for directories.
        meter : Meter
        cancel : threading.Event

        Raises
        ------
        Cancelled
            If it was. What is gone is gone.
        """
        delete(
            targets,
            recursive=recursive,
            meter=meter,
            cancel=cancel,
            concurrency=self._concurrency,
            pause=self._pause,
        )

    # Work

    def _renamed(self, route: Route, policy: ConflictPolicy, meter: Meter) -> bool:
        """Move a whole directory, or a link, by one rename, if the target is not there."""
        source, target = route.source, route.target
        if source.store is not target.store or not source.store.keeps_directories:
            return False
        if not source.key or not (route.entry.is_directory or route.entry.link is not None):
            return False
        try:
            with source.naming():
                source.store.rename(source.key, target.key, exclusive=True)
        except StorageError:
            # It is there, or this is another file system: file by file, with its own errors.
            return False
        meter.done()
        return True
