"""One file from one store to another: streamed, hashed, compared, published last."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from jupyter_storage.errors import Cancelled, ChecksumMismatch, Conflict, StorageError, Unreachable
from jupyter_storage.records import Entry
from jupyter_storage.stores.pace import jittered
from jupyter_storage.stores.store import CHUNK, Progress, Writer
from jupyter_storage.stores.throttled import Bandwidth
from jupyter_storage.transfers.buffers import ahead
from jupyter_storage.transfers.disks import turn
from jupyter_storage.transfers.journal import Unfinished
from jupyter_storage.transfers.places import Place

__all__ = ["TRIES", "check_cancelled", "copy_file", "tried"]

TRIES = 3

T = TypeVar("T")


def check_cancelled(cancel: threading.Event) -> None:
    """Raise Cancelled if somebody asked for it."""
    if cancel.is_set():
        raise Cancelled("The transfer was cancelled")


def tried(work: Callable[[int], T], cancel: threading.Event, *, pause: float = 0.5) -> T:
    """Do something, and again if the error may pass.

    Parameters
    ----------
    work : callable
        Takes the number of the try, from 0.
    cancel : threading.Event
        Ends a pause at once.
    pause : float
        Seconds before the second try; the third waits twice as long. Each is jittered.
    """
    for number in range(TRIES - 1):
        try:
            return work(number)
        except StorageError as error:
            if not error.retryable:
                raise
            cancel.wait(jittered(pause * 2**number))
            check_cancelled(cancel)
    return work(TRIES - 1)


class _SourceChanged(Conflict):
    """The source was written to while it was read; a later try may find it at rest."""

    retryable = True
    default_hint = "Copy it again when nothing writes to it."

    @property
    def kind(self) -> str:
        return "Conflict"


def copy_file(
    source: Place,
    target: Place,
    entry: Entry,
    *,
    exclusive: bool,
    progress: Progress,
    cancel: threading.Event,
    pause: float = 0.5,
    unfinished: Unfinished | None = None,
    bandwidth: Bandwidth | None = None,
) -> Entry:
    """Copy one file, verified; nothing is visible at the target until it is whole.

    Parameters
    ----------
    source, target : Place
    entry : Entry
        The source as it was listed.
    exclusive : bool
        Whether the target must not exist.
    progress : callable
        Hears of bytes, and of those of failed tries with a minus.
    cancel : threading.Event
    pause : float
        See :func:`tried`.
    unfinished : Unfinished, optional
        Where it is noted how to go on if this is cut off.
    bandwidth : Bandwidth, optional
        How fast bytes may pass through this machine.

    Returns
    -------
    Entry
        What is at the target now.

    Raises
    ------
    Cancelled, ChecksumMismatch, Conflict, StorageError
        With the path that a person knows the file by. Conflict: it changed while it was read.
    """
    inside = target.store.can_copy_from(source.store)
    local = source.store.local_path("") is not None

    def once(number: int) -> Entry:
        done = 0

        def count(size: int) -> None:
            nonlocal done
            check_cancelled(cancel)
            done += size
            progress(size)
            if (
                bandwidth is not None
                and bandwidth.limit
                and size > 0
                and not (inside and not local)
            ):
                cancel.wait(max(0.0, bandwidth.turn(size) - time.monotonic()))
                check_cancelled(cancel)

        # A listing may be old by now, and to look again at a local file is cheap.
        with source.naming():
            now = source.store.stat(source.key) if number or (local and not inside) else entry
        try:
            if inside:
                copied = _copy_inside(source, target, exclusive=exclusive, progress=count)
            elif now.size is not None and now.size <= CHUNK:
                copied = _copy_whole(
                    source, target, now, now.size, exclusive=exclusive, progress=count
                )
            else:
                copied = _stream(
                    source,
                    target,
                    now,
                    exclusive=exclusive,
                    progress=count,
                    cancel=cancel,
                    unfinished=unfinished,
                )
            if copied.size != now.size and None not in {copied.size, now.size}:
                raise _SourceChanged(
                    f"It changed while it was read: {now.size:,} bytes before, {copied.size:,} "
                    "copied",
                    path=source.path,
                )
        except BaseException:
            progress(-done)
            raise
        if now.size is not None and done < now.size:
            progress(now.size - done)  # stores that copy by themselves need not tell
        return copied

    return tried(once, cancel, pause=pause)


def _copy_inside(source: Place, target: Place, *, exclusive: bool, progress: Progress) -> Entry:
    with target.naming():
        return target.store.copy_from(
            source.store, source.key, target.key, exclusive=exclusive, progress=progress
        )


def _copy_whole(
    source: Place,
    target: Place,
    now: Entry,
    size: int,
    *,
    exclusive: bool,
    progress: Progress,
) -> Entry:
    """Copy a small file, first all of it into memory, then all of it out."""
    with turn(source.store.local_path("")):
        data = _read(source, size, progress)
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        _compare_source(now, found, source)
    with turn(target.store.local_path("")), target.naming():
        written = target.store.write(target.key, data, exclusive=exclusive, modified=now.modified)
        _compare_target(written, found, target)
    progress(size)
    return written


def _read(source: Place, size: int, progress: Progress) -> bytes:
    """Read a small file, and no more of one that has become large."""
    pieces: list[bytes] = []
    done = 0
    with source.naming(), source.store.open(source.key) as found:
        for piece in found:
            pieces.append(piece)
            done += len(piece)
            progress(0)  # looks for a cancellation
            if done > size:
                break
    if done != size:
        raise _SourceChanged(
            f"It changed while it was read: {size:,} bytes before, {done:,} read", path=source.path
        )
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _stream(
    source: Place,
    target: Place,
    now: Entry,
    *,
    exclusive: bool,
    progress: Progress,
    cancel: threading.Event,
    unfinished: Unfinished | None,
) -> Entry:
    digest = hashlib.md5(usedforsecurity=False)
    # Stores check what they read and write by themselves. For large files a second look would be
    # half of all work, unless there is something to compare.
    checks = now.checksum is not None or now.size is None
    done = 0

    def hashed(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if checks:
                digest.update(piece)
            yield piece

    with (
        _written(target, now, exclusive, unfinished) as writer,
        _stopping(writer, cancel),
    ):

        def write(piece: bytes) -> None:
            writer.write(piece)
            if unfinished is not None:
                unfinished.note(writer.token)

        if _filled(source, target, now, writer, progress):
            with target.naming():
                return writer.commit()
        with (
            source.naming(),
            source.store.open(source.key) as pieces,
            ahead(hashed(pieces), cancel=cancel) as early,
        ):
            done = _pump(early, write, target, progress)
        check_cancelled(cancel)
        if now.size is not None and done != now.size:
            raise _SourceChanged(
                f"It changed while it was read: {now.size:,} bytes before, {done:,} read",
                path=source.path,
            )
        found = digest.hexdigest() if checks else None
        _compare_source(now, found, source)
        with target.naming():
            written = writer.commit()
            _compare_target(written, found, target)
    return written


def _filled(source: Place, target: Place, now: Entry, writer: Writer, progress: Progress) -> bool:
    """Write a file in any order, where both sides can; the source's store compares it."""
    fill = writer.filler
    if fill is None or now.size is None:
        return False

    def write(offset: int, piece: bytes) -> None:
        with target.naming():
            fill(offset, piece)

    with source.naming():
        return source.store.fill(source.key, now.size, write, progress=progress)


@contextmanager
def _written(
    target: Place, now: Entry, exclusive: bool, unfinished: Unfinished | None
) -> Iterator[Writer]:
    """Begin to write, or go on; what was sent outlives a cut where it can be gone on with."""
    store, token = target.store, None if unfinished is None else unfinished.token
    writer = None
    with target.naming():
        if token is not None:
            writer = store.resume(
                target.key, token, exclusive=exclusive, size=now.size, modified=now.modified
            )
        if writer is None:
            writer = store.create(
                target.key, exclusive=exclusive, size=now.size, modified=now.modified
            )
    with writer:
        try:
            yield writer
        except StorageError as error:
            if unfinished is not None:
                if isinstance(error, (Cancelled, Unreachable)):
                    writer.suspend()
                else:
                    unfinished.note(None)
            raise


@contextmanager
def _stopping(writer: Writer, cancel: threading.Event) -> Iterator[None]:
    """Let a cancellation end the writing where it blocks."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            if cancel.is_set():
                writer.stop()
                return

    thread = threading.Thread(target=watch, name="jupyter-storage-cancel", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _pump(
    pieces: Iterator[bytes], write: Callable[[bytes], None], target: Place, progress: Progress
) -> int:
    done = 0
    for piece in pieces:
        progress(0)  # looks for a cancellation before the write, which may be slow
        with target.naming():
            write(piece)
        progress(len(piece))
        done += len(piece)
    return done


def _compare_source(before: Entry, found: str | None, source: Place) -> None:
    """Look whether what was read is what the source holds, and still does."""
    _compare(before, found, source.path, "what was read is not what the source holds")
    if source.store.local_path("") is None:
        return
    with source.naming():
        after = source.store.stat(source.key)
    if (after.size, after.modified) != (before.size, before.modified):
        raise _SourceChanged("It changed while it was read", path=source.path)


def _compare_target(written: Entry, found: str | None, target: Place) -> None:
    _compare(written, found, target.path, "what was written is not what was read")


def _compare(entry: Entry, found: str | None, path: str, what: str) -> None:
    if entry.checksum is None or found is None:
        return
    algorithm, _, value = entry.checksum.partition(":")
    if algorithm == "md5" and value.lower() != found:
        raise ChecksumMismatch(f"The checksum differs: {what}", path=path)
