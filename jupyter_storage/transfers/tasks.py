"""One step of a transfer, and what all steps of it share."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from jupyter_storage.errors import (
    AlreadyExists,
    Cancelled,
    ChecksumMismatch,
    InvalidRequest,
    StorageError,
)
from jupyter_storage.records import ConflictPolicy, Entry, Failure
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.throttled import Bandwidth
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.contents import have_one_content, verify
from jupyter_storage.transfers.disks import is_on_local_disk
from jupyter_storage.transfers.journal import Journal, Unfinished
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import Recall, Step
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import check_cancelled, copy_file

__all__ = ["AHEAD", "HELD", "Task", "Transfer", "going_on", "threads_for"]

AHEAD = 20_000
"""Steps planned beyond the work: totals are known early, memory stays small."""

HELD = 96 * 2**20
"""Bytes of streamed files in memory at once, all together."""

_HELD_EACH = 32 * 2**20  # most that one file holds: pieces read ahead, parts on their way


@dataclass(frozen=True, slots=True)
class Task:
    """A step, and the stores that it is between."""

    source: Place
    target: Place
    step: Step


@dataclass(frozen=True, slots=True)
class Transfer:
    """What all files of one transfer share.

    Attributes
    ----------
    policy : ConflictPolicy
    meter : Meter
    cancel : threading.Event
    budget : Budget
        Of bytes in memory.
    move : bool
        Whether sources are deleted when they have arrived.
    verify : bool
        Whether what has arrived is compared with its source once more.
    pause : float
        See :func:`jupyter_storage.transfers.streams.tried`.
    journal : Journal or None
        Where it is noted what is done.
    bandwidth : Bandwidth or None
        How fast bytes may pass through this machine.
    """

    policy: ConflictPolicy
    meter: Meter
    cancel: threading.Event
    budget: Budget
    move: bool = False
    verify: bool = False
    pause: float = 0.5
    journal: Journal | None = None
    bandwidth: Bandwidth | None = None
    _failed: threading.Event = field(default_factory=threading.Event)
    _cut: threading.Event = field(default_factory=threading.Event)

    @property
    def exclusive(self) -> bool:
        """Whether a target that is there must stay as it is."""
        return self.policy in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}

    @property
    def failed(self) -> bool:
        """Whether anything went wrong so far."""
        return self._failed.is_set()

    @property
    def cut(self) -> bool:
        """Whether something went wrong that may pass: another time one can go on."""
        return self._cut.is_set()

    def work(self, task: Task) -> None:
        """Do a task; what goes wrong is told to the meter."""
        try:
            self._do(task)
        except StorageError as error:
            if not self.cancel.is_set():
                path = task.source.at(task.step.source_key).path
                self.fail(failure(error, path), passing=error.retryable)

    def fail(self, failed: Failure, *, passing: bool) -> None:
        """Tell what went wrong with a file, and whether it may go well another time."""
        self._failed.set()
        if passing:
            self._cut.set()
        self.meter.fail(failed)

    def _do(self, task: Task) -> None:
        check_cancelled(self.cancel)
        step, meter = task.step, self.meter
        source, target = task.source.at(step.source_key), task.target.at(step.target_key)
        if step.action == "directory":
            _make_directory(source, target)
            return
        meter.begin(source.path)
        if step.action == "check":
            verify(source, target, self.cancel)
            meter.add(step.entry.size or 0)
            meter.done()
            return
        if step.action == "compare":
            if have_one_content(source, target, self.cancel):
                if self.move:
                    self._remove(source)
                meter.skip()
                return
            meter.plan(step.entry.size or 0)
        if self.move and _is_same_file(source, target):
            raise InvalidRequest("Source and destination are the same file", path=source.path)
        try:
            if self.move and source.store is target.store:
                with source.naming():
                    source.store.rename(source.key, target.key, exclusive=self.exclusive)
                meter.add(step.entry.size or 0)
            elif not self._moved(task):
                if step.entry.type == "file" and _is_link(step.replaces):
                    # A file would be written through the link, into what it points to.
                    target.store.delete(target.key)
                with self._noted(source, target, step.entry) as unfinished:
                    if step.action == "link":
                        _copy_link(source, target, step.entry, self.exclusive)
                    else:
                        self._copy_file(source, target, step.entry, unfinished)
                        if self.verify:
                            verify(source, target, self.cancel)
                if self.move:
                    self._remove(source)
        except AlreadyExists:
            if self.policy is not ConflictPolicy.SKIP:
                raise
            meter.skip()
        else:
            meter.done()

    def _moved(self, task: Task) -> bool:
        """Rename what the target has under another name; where that fails, it is copied."""
        origin = task.step.origin
        if origin is None:
            return False
        try:
            task.target.store.rename(origin, task.step.target_key, exclusive=True)
            if self.verify:
                source, target = task.source, task.target
                verify(
                    source.at(task.step.source_key), target.at(task.step.target_key), self.cancel
                )
        except ChecksumMismatch:
            raise
        except StorageError:
            self.meter.plan(task.step.entry.size or 0, files=0)
            return False
        return True

    def _remove(self, source: Place) -> None:
        with source.naming():
            source.store.delete(source.key)

    def recall(self, source: Place, target: Place) -> Recall | None:
        """Say what an earlier process did with files between two places."""
        journal = self.journal
        if journal is None or not journal.resumed:
            return None

        def found(entry: Entry, key: str) -> Literal["done", "begun"] | None:
            past = journal.recall(
                journal.mark(source.label + entry.path, target.label + key, entry)
            )
            # Of a move that was cut off, the source may still be there.
            return "begun" if past == "done" and self.move else past

        return found

    @contextmanager
    def _noted(self, source: Place, target: Place, entry: Entry) -> Iterator[Unfinished | None]:
        """Note in the journal that a file is begun, and that it is done."""
        if self.journal is None:
            yield None
            return
        mark = self.journal.mark(source.path, target.path, entry)
        yield self.journal.begin(mark)
        self.journal.done(mark, entry.size or 0)

    def _copy_file(
        self, source: Place, target: Place, entry: Entry, unfinished: Unfinished | None
    ) -> None:
        held = 0
        if not target.store.can_copy_from(source.store):
            held = min(_HELD_EACH if entry.size is None else entry.size, _HELD_EACH)
        with self.budget.hold(held, self.cancel):
            copy_file(
                source,
                target,
                entry,
                exclusive=self.exclusive,
                progress=self.meter.add,
                cancel=self.cancel,
                pause=self.pause,
                unfinished=unfinished,
                bandwidth=self.bandwidth,
            )


def _is_link(entry: Entry | None) -> bool:
    return entry is not None and entry.type == "symlink"


@contextmanager
def going_on(transfer: Transfer) -> Iterator[None]:
    """Close the journal at the end: it stays if the transfer was cut off."""
    if transfer.journal is None:
        yield
        return
    keep = True
    try:
        yield
        keep = transfer.cut
    except Cancelled:
        raise
    except StorageError as error:
        keep = error.retryable
        raise
    finally:
        transfer.journal.close(keep=keep)


def threads_for(places: Iterable[Place], concurrency: int) -> int:
    """How many files to have in flight.

    Between local disks one thread is fastest: a file takes microseconds, less than handing
    Python's lock from thread to thread does (measured: 8 threads take twice as long).
    """
    paths = [place.store.local_path(place.key) for place in places]
    if all(path is not None and is_on_local_disk(path) for path in paths):
        return 1
    return concurrency


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
