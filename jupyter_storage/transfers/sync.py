"""One directory made like another: what differs is copied, what is too much is deleted last."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import IO

from jupyter_storage.errors import InvalidRequest, NotFound, StorageError
from jupyter_storage.records import ConflictPolicy, Entry, Failure, SyncChange
from jupyter_storage.stores.throttled import Bandwidth
from jupyter_storage.transfers.budget import Budget
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.comparison import Comparison, Surplus
from jupyter_storage.transfers.contents import have_one_content
from jupyter_storage.transfers.crews import Crew, Threads
from jupyter_storage.transfers.journal import Journal
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import SKIPPED, Step
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import check_cancelled, tried
from jupyter_storage.transfers.tasks import HELD, Task, Transfer, going_on, threads_for

__all__ = ["SyncOptions", "changes", "compared", "synchronize"]

_TOLD = 1000  # unchanged files after which the meter hears of them
_TOGETHER = 1000  # files that one request deletes


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a directory is made like another.

    Attributes
    ----------
    delete : bool
        Whether what only the target has is deleted.
    max_delete : int or None
        Files that may be deleted at most; of more, none is.
    max_delete_share : float or None
        As ``max_delete``, as a share of the target's files, from 0 to 1.
    checksum : bool
        Whether files of one size are compared by content, and not by time.
    includes, excludes : sequence of str
        Patterns; see :class:`~jupyter_storage.transfers.filters.Filter`.
    ignore_errors : bool
        Whether it is also deleted where files could not be copied.
    verify : bool
        Whether what was copied is compared with its source afterwards.
    track_moves : bool
        Whether what only has another name now is renamed at the target; with ``delete`` alone.
    kept : sequence of str
        Names at the target that are left alone.
    """

    delete: bool = False
    max_delete: int | None = None
    max_delete_share: float | None = None
    checksum: bool = False
    includes: Sequence[str] = ()
    excludes: Sequence[str] = ()
    ignore_errors: bool = False
    verify: bool = False
    track_moves: bool = False
    kept: Sequence[str] = ()


def changes(
    source: Place, target: Place, options: SyncOptions, cancel: threading.Event
) -> Iterator[SyncChange | Failure]:
    """Say what :func:`synchronize` would do, one thing after the other, and do nothing.

    Raises
    ------
    InvalidRequest, NotFound
        As :func:`synchronize`.
    """
    comparison = compared(source, target, options, cancel)
    for found in _found(comparison, options, cancel):
        if isinstance(found, Failure):
            yield found
        elif isinstance(found, Surplus):
            entry = found.entry
            if options.delete and not entry.is_directory:
                yield SyncChange("delete", target.label + entry.path, entry.size)
        elif found.action != "directory":
            there = target.at(found.target_key)
            if found.action == "compare" and have_one_content(
                source.at(found.source_key), there, cancel
            ):
                continue
            replaced = found.replaces is not None
            size = found.entry.size
            if found.origin is not None:
                yield SyncChange("move", there.path, size, target.label + found.origin)
            else:
                yield SyncChange("replace" if replaced else "copy", there.path, size)
    if options.delete:
        _refuse_nothing(comparison)


def synchronize(
    source: Place,
    target: Place,
    options: SyncOptions,
    *,
    concurrency: int,
    pause: float,
    meter: Meter,
    cancel: threading.Event,
    journal: Journal | None = None,
    bandwidth: Bandwidth | None = None,
    crew: Crew | None = None,
) -> None:
    """Make a directory like another.

    Parameters
    ----------
    source, target : Place
        Directories; the target comes into being.
    options : SyncOptions
    concurrency : int
        Files in flight at once.
    pause : float
        See :func:`jupyter_storage.transfers.streams.tried`.
    meter : Meter
        Hears of progress and of failures: the rest is carried on with.
    cancel : threading.Event
    journal : Journal, optional
        Tells how to go on with large files that were cut off. It is closed.
    bandwidth : Bandwidth, optional
    crew : Crew, optional
        Who copies; threads of this process unless given.

    Raises
    ------
    InvalidRequest
        If one is in the other, or the source is a file.
    NotFound
        If there is no source.
    Cancelled
        If it was.
    """
    transfer = Transfer(
        ConflictPolicy.OVERWRITE,
        meter,
        cancel,
        Budget(HELD),
        verify=options.verify,
        pause=pause,
        journal=journal,
        bandwidth=bandwidth,
    )
    with going_on(transfer), TemporaryFile("w+", encoding="ascii") as file:
        comparison = compared(source, target, options, cancel)
        meter.run()
        surplus = _Surplus(target, file)

        def tasks() -> Iterator[Task]:
            told = 0
            for found in _found(comparison, options, cancel):
                if isinstance(found, Failure):
                    meter.fail(found)
                elif isinstance(found, Surplus):
                    surplus.add(found.entry)
                else:
                    if found.action == "move":
                        meter.plan(0)
                    elif found.action not in {"directory", "compare"}:
                        meter.plan(found.entry.size or 0)
                    yield Task(source, target, found)
                if comparison.unchanged - told >= _TOLD:
                    meter.skip(comparison.unchanged - told)
                    told = comparison.unchanged
            meter.skip(comparison.unchanged - told)
            meter.planned()

        workers = crew or Threads(threads_for([source, target], concurrency))
        workers.work(tasks(), transfer)
        check_cancelled(cancel)
        if options.delete:
            refusal = _refusal(comparison, surplus, options, transfer.failed)
            if refusal is None:
                surplus.delete(concurrency, pause, meter, cancel)
            else:
                meter.fail(refusal)


def compared(
    source: Place, target: Place, options: SyncOptions, cancel: threading.Event
) -> Comparison:
    """Begin to compare two directories.

    Raises
    ------
    InvalidRequest, NotFound
        As :func:`synchronize`.
    """
    with source.naming():
        if not source.store.stat(source.key).is_directory:
            raise InvalidRequest(
                "It is a file, and whole directories are synced",
                path=source.path,
                hint="Copy it: jupyter storage cp --newer.",
            )
    with target.naming(), suppress(NotFound):
        if not target.store.stat(target.key).is_directory:
            raise InvalidRequest(
                "The destination is a file, and a directory is needed",
                path=target.key,
                hint="Name a directory as destination.",
            )
    if source.is_in(target) or target.is_in(source):
        raise InvalidRequest(
            f"One of the two directories is in the other ({target.path})",
            path=source.path,
            hint="Choose a destination outside of the source, and not above it.",
        )
    chosen = None
    if options.includes or options.excludes:
        # Who chooses nothing need not wait for the library.
        from jupyter_storage.transfers.filters import Filter

        chosen = Filter(options.includes, options.excludes)
    return Comparison(
        source,
        target,
        chosen=chosen,
        checksum=options.checksum,
        kept=options.kept,
        cancel=cancel,
    )


def _found(
    comparison: Comparison, options: SyncOptions, cancel: threading.Event
) -> Iterable[Step | Surplus | Failure]:
    if not (options.track_moves and options.delete):
        return comparison
    from jupyter_storage.transfers.moves import with_moves

    return with_moves(comparison, cancel)


class _Surplus:
    """What is to be deleted, on disk meanwhile: it may be a million files."""

    def __init__(self, target: Place, file: IO[str]) -> None:
        self._target, self._file = target, file
        self.directories: list[str] = []
        self.files = 0

    def add(self, entry: Entry) -> None:
        if entry.is_directory:
            self.directories.append(entry.path)
        else:
            self.files += 1
            self._file.write(json.dumps(entry.path) + "\n")

    def delete(self, concurrency: int, pause: float, meter: Meter, cancel: threading.Event) -> None:
        """Delete the files, many at once, and then the directories that are empty."""
        target = self._target

        def batches() -> Iterator[list[str]]:
            self._file.seek(0)
            while batch := [json.loads(line) for line in islice(self._file, _TOGETHER)]:
                yield batch

        def work(keys: list[str]) -> None:
            try:
                tried(lambda _: target.store.delete_files(keys), cancel, pause=pause)
                meter.remove(len(keys))
            except StorageError:
                check_cancelled(cancel)
                for key in keys:
                    _delete_one(target.at(key), pause, meter, cancel)

        run(batches(), work, concurrency=concurrency, depth=concurrency, cancel=cancel)
        check_cancelled(cancel)
        for key in reversed(self.directories):
            with suppress(StorageError):
                target.store.delete_empty(target.at(key).key)


def _delete_one(place: Place, pause: float, meter: Meter, cancel: threading.Event) -> None:
    try:
        with place.naming():
            tried(lambda _: place.store.delete(place.key), cancel, pause=pause)
        meter.remove(1)
    except NotFound:
        return
    except StorageError as error:
        check_cancelled(cancel)
        meter.fail(failure(error, place.path))


def _refusal(
    comparison: Comparison,
    surplus: _Surplus,
    options: SyncOptions,
    failed: bool,
) -> Failure | None:
    """Say why nothing is deleted after all."""
    if not surplus.files and not surplus.directories:
        return None
    source, target = comparison.source, comparison.target
    if not comparison.complete:
        return Failure(
            target.path,
            SKIPPED,
            "Nothing was deleted, since the source could not be listed as a whole",
            "Run it again when it can.",
        )
    if failed and not options.ignore_errors:
        return Failure(
            target.path,
            SKIPPED,
            f"Nothing was deleted ({surplus.files:,} files), since not all could be copied",
            "Run it again; or add --ignore-errors.",
        )
    try:
        _refuse_nothing(comparison)
    except StorageError as error:
        return failure(error, source.path)
    allowed = [] if options.max_delete is None else [options.max_delete]
    if options.max_delete_share is not None:
        allowed.append(int(options.max_delete_share * comparison.targets))
    if allowed and surplus.files > min(allowed):
        return Failure(
            target.path,
            InvalidRequest.__name__,
            f"Nothing was deleted: it would be {surplus.files:,} of {comparison.targets:,} files, "
            f"and {min(allowed):,} are allowed",
            "Look with --dry-run; if it is right, allow more with --max-delete.",
        )
    return None


def _refuse_nothing(comparison: Comparison) -> None:
    """Refuse to empty a directory because the other one seems to be empty: a lost mount, say."""
    if not comparison.sources and comparison.targets:
        raise InvalidRequest(
            f"The source is empty: all {comparison.targets:,} files of "
            f"{comparison.target.path} would be deleted",
            path=comparison.source.path,
            hint="Nothing was deleted. If that is meant, use 'jupyter storage rm -r'.",
        )
