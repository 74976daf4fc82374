"""Copies, moves and deletes: bounded memory, many files at once, failures listed one by one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    NotFound,
    StorageError,
)
from jupyter_storage.records import ConflictPolicy, Entry, Failure, Plan
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.store import Progress
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.disks import is_on_local_disk
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import Step
from jupyter_storage.transfers.progress import LISTED, Meter
from jupyter_storage.transfers.routes import Route, routes_of, steps_of
from jupyter_storage.transfers.streams import check_cancelled, copy_file, tried

__all__ = ["Engine", "Place"]

_AHEAD = 20_000  # steps planned beyond the work: totals are known early, memory stays small
_HELD = 96 * 2**20  # bytes of streamed files in memory at once, all together
_HELD_EACH = 32 * 2**20  # most that one file holds: pieces read ahead, parts on their way


@dataclass(frozen=True, slots=True)
class _Task:
    route: Route
    step: Step


@dataclass(frozen=True, slots=True)
class _Transfer:
    """What all files of one transfer share."""

    policy: ConflictPolicy
    move: bool
    meter: Meter
    cancel: threading.Event
    budget: Budget

    @property
    def exclusive(self) -> bool:
        return self.policy in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}


class Engine:
    """Moves bytes between places.

    Parameters
    ----------
    concurrency : int
        Files in flight at once.
    pause : float
        Seconds before a failed file is tried again; see
        :func:`jupyter_storage.transfers.streams.tried`.
    """

    def __init__(self, *, concurrency: int = 8, pause: float = 0.5) -> None:
        self._concurrency = max(1, concurrency)
        self._pause = pause

    def estimate(
        self,
        sources: Sequence[Place],
        target: Place,
        *,
        recursive: bool = False,
        policy: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
    ) -> Plan:
        """Say what :meth:`copy` would do.

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
        meter: Meter,
        cancel: threading.Event,
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
        meter : Meter
            Hears of progress and of failures: the rest is carried on with.
        cancel : threading.Event
            Stops within a piece; files that are not whole leave no trace.

        Raises
        ------
        Cancelled
            If it was. What was complete stays.
        StorageError
            Where nothing could be begun.
        """
        routes, failures = routes_of(sources, target, recursive=recursive, into=into)
        for failed in failures:
            meter.fail(failed)
        meter.run()
        if move:
            routes = [route for route in routes if not self._renamed(route, policy, meter)]

        def tasks() -> Iterator[_Task]:
            for route in routes:
                for step in steps_of(route, policy):
                    if isinstance(step, Failure):
                        meter.fail(step)
                    elif step.action == "skip":
                        meter.skip()
                    else:
                        if step.action != "directory":
                            meter.plan(step.entry.size or 0)
                        yield _Task(route, step)
            meter.planned()

        transfer = _Transfer(policy, move, meter, cancel, Budget(_HELD))

        def work(task: _Task) -> None:
            try:
                self._do(task, transfer)
            except StorageError as error:
                if not cancel.is_set():
                    meter.fail(failure(error, task.route.source.at(task.step.source_key).path))

        run(
            tasks(),
            work,
            concurrency=self._threads([target, *sources]),
            depth=_AHEAD,
            cancel=cancel,
        )
        check_cancelled(cancel)
        if move:
            for route in routes:
                if route.entry.is_directory and route.entry.link is None:
                    with suppress(StorageError, OSError):
                        _prune(route.source)

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
        meter.run()

        def count(files: int) -> None:
            check_cancelled(cancel)
            meter.done(files)

        def work(place: Place) -> None:
            meter.begin(place.path)
            try:
                with place.naming():
                    entry = place.store.stat(place.key)
                    if not entry.is_directory or entry.link is not None:
                        tried(lambda _: place.store.delete(place.key), cancel, pause=self._pause)
                        meter.done()
                    elif not recursive:
                        raise IsADirectory("It is a directory", path=place.key)
                    else:
                        try:
                            place.store.delete_directory(place.key, progress=count)
                        except StorageError:
                            check_cancelled(cancel)
                            self._delete_one_by_one(place, meter, cancel)
            except StorageError as error:
                if not cancel.is_set():
                    meter.fail(failure(error, place.path))

        run(targets, work, concurrency=self._concurrency, depth=self._concurrency, cancel=cancel)
        check_cancelled(cancel)

    # Work

    def _threads(self, places: Sequence[Place]) -> int:
        """How many files to have in flight.

        Between local disks one thread is fastest: a file takes microseconds, less than handing
        Python's lock from thread to thread does (measured: 8 threads take twice as long).
        """
        paths = [place.store.local_path(place.key) for place in places]
        if all(path is not None and is_on_local_disk(path) for path in paths):
            return 1
        return self._concurrency

    def _do(self, task: _Task, transfer: _Transfer) -> None:
        check_cancelled(transfer.cancel)
        step, meter = task.step, transfer.meter
        source = task.route.source.at(step.source_key)
        target = task.route.target.at(step.target_key)
        if step.action == "directory":
            _make_directory(source, target)
            return
        meter.begin(source.path)
        if transfer.move and _is_same_file(source, target):
            raise InvalidRequest("Source and destination are the same file", path=source.path)
        try:
            if transfer.move and source.store is target.store:
                with source.naming():
                    source.store.rename(source.key, target.key, exclusive=transfer.exclusive)
                meter.add(step.entry.size or 0)
            else:
                if step.action == "link":
                    _copy_link(source, target, step.entry, transfer.exclusive)
                else:
                    self._copy_file(source, target, step.entry, transfer)
                if transfer.move:
                    with source.naming():
                        source.store.delete(source.key)
        except AlreadyExists:
            if transfer.policy is not ConflictPolicy.SKIP:
                raise
            meter.skip()
        else:
            meter.done()

    def _copy_file(self, source: Place, target: Place, entry: Entry, transfer: _Transfer) -> None:
        held = 0
        if not target.store.can_copy_from(source.store):
            held = min(_HELD_EACH if entry.size is None else entry.size, _HELD_EACH)
        with transfer.budget.hold(held, transfer.cancel):
            copy_file(
                source,
                target,
                entry,
                exclusive=transfer.exclusive,
                progress=transfer.meter.add,
                cancel=transfer.cancel,
                pause=self._pause,
            )

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

    def _delete_one_by_one(self, place: Place, meter: Meter, cancel: threading.Event) -> None:
        """Delete what can be deleted, and list what cannot."""
        failed = threading.Event()

        def work(entry: Entry) -> None:
            found = place.at(entry.path)
            try:
                with found.naming():
                    tried(lambda _: found.store.delete(found.key), cancel, pause=self._pause)
                meter.done()
            except NotFound:
                return
            except StorageError as error:
                failed.set()
                if not cancel.is_set():
                    meter.fail(failure(error, found.path))

        run(
            (entry for entry in place.store.walk(place.key) if not entry.is_directory),
            work,
            concurrency=self._concurrency,
            depth=1000,
            cancel=cancel,
        )
        check_cancelled(cancel)
        if failed.is_set():
            _prune(place)
        else:
            place.store.delete_directory(place.key)


def _is_same_file(source: Place, target: Place) -> bool:
    mine, theirs = source.store.local_path(source.key), target.store.local_path(target.key)
    if mine is None or theirs is None or mine.is_symlink():
        return False
    with suppress(OSError):
        return mine.samefile(theirs)
    return False


def _make_directory(source: Place, target: Place) -> None:
    """Make a directory; in object storage only an empty one needs to be made."""
    if not target.store.keeps_directories:
        with source.naming():
            page = source.store.list(source.key, limit=1)
        if page.entries or page.cursor or not target.key:
            return
    with target.naming():
        target.store.make_directory(target.key)
    mine, theirs = source.store.local_path(source.key), target.store.local_path(target.key)
    if mine is not None and theirs is not None:
        with suppress(OSError):
            # A private directory stays private; its owner must be able to fill it.
            theirs.chmod((mine.stat().st_mode & 0o777) | 0o700)


def _copy_link(source: Place, target: Place, entry: Entry, exclusive: bool) -> None:
    if not isinstance(target.store, LocalStore) or entry.link is None:
        raise InvalidRequest("This link cannot be copied", path=source.path)
    with target.naming():
        target.store.write_link(target.key, entry.link, exclusive=exclusive)


def _prune(place: Place) -> None:
    """Remove a directory's empty directories, and itself if nothing is left."""
    local = place.store.local_path(place.key)
    if local is None:
        if all(entry.is_directory for entry in place.store.walk(place.key)):
            place.store.delete_directory(place.key)
        return
    for directory, _, _ in os.walk(local, topdown=False):
        if directory != str(local) or place.key:
            with suppress(OSError):
                Path(directory).rmdir()
