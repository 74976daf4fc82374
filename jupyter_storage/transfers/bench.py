"""How fast a store is, tried out in a directory of its own that is gone afterwards."""

from __future__ import annotations

import hashlib
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from jupyter_storage.errors import ChecksumMismatch, StorageError, Throttled
from jupyter_storage.records import Bench
from jupyter_storage.stores.store import CHUNK
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.streams import check_cancelled, tried

__all__ = ["DIRECTORY", "bench"]

DIRECTORY = "jupyter-storage-bench-"
"""Beginning of the name of the directory: what a kill leaves can be told by it."""

SMALL = 10_000  # bytes of a small file
_LOOKS = 20  # requests of which the time is the median
_BUSY = 0.85  # share of a processor from which it is the limit
_TAKEN = 0.95  # share of all processors from which nothing can be said of disk or network
_TICKS = 10  # of the kernel's clock that a share is worth being told from
_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class _Phase:
    """What one part of it took."""

    seconds: float
    processor: float
    ticks: tuple[int, int]  # of all processors: those that passed, and those that were idle


class _Trial:
    def __init__(self, place: Place, concurrency: int, cancel: threading.Event) -> None:
        self._place, self._concurrency, self._cancel = place, concurrency, cancel
        self._content = os.urandom(CHUNK)
        self.throttled = 0
        self.phases: dict[str, _Phase] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began, processor, (all_before, idle_before) = (
            time.perf_counter(),
            time.process_time(),
            _ticks(),
        )
        yield
        seconds = max(time.perf_counter() - began, 1e-6)
        all_after, idle_after = _ticks()
        ticks = all_after - all_before, idle_after - idle_before
        self.phases[name] = _Phase(seconds, time.process_time() - processor, ticks)

    def write(self, name: str, size: int) -> str:
        """Write a file, and give the hash of what was written."""
        place, digest = self._place.below(name), hashlib.sha256()

        def once(number: int) -> None:
            nonlocal digest
            digest = hashlib.sha256()
            with place.naming(), place.store.create(place.key, size=size) as writer:
                for start in range(0, size, CHUNK):
                    check_cancelled(self._cancel)
                    piece = self._content[: min(CHUNK, size - start)]
                    writer.write(piece)
                    digest.update(piece)
                writer.commit()
            local = place.store.local_path(place.key)
            if local is not None:
                # Else it would be the speed of memory.
                with local.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

        self._patiently(once)
        return digest.hexdigest()

    def read(self, name: str, expected: str) -> None:
        """Read a file, and compare it."""
        place = self._place.below(name)

        def once(number: int) -> None:
            digest = hashlib.sha256()
            with place.naming(), place.store.open(place.key) as pieces:
                for piece in pieces:
                    check_cancelled(self._cancel)
                    digest.update(piece)
            if digest.hexdigest() != expected:
                raise ChecksumMismatch("What was read is not what was written", path=place.path)

        self._patiently(once)

    def many(self, names: list[str], work: Callable[[str], None]) -> None:
        """Do something with many files at once."""
        run(
            names, work, concurrency=self._concurrency, depth=self._concurrency, cancel=self._cancel
        )
        check_cancelled(self._cancel)

    def _patiently(self, once: Callable[[int], None]) -> None:
        def counted(number: int) -> None:
            try:
                once(number)
            except Throttled:
                self.throttled += 1
                raise

        tried(counted, self._cancel)


def bench(
    place: Place, *, size: int, files: int, concurrency: int, cancel: threading.Event
) -> Bench:
    """Try out how fast a store is.

    Parameters
    ----------
    place : Place
        A directory; what is written goes into one of its own there, and is deleted at the end.
    size : int
        Bytes of the large file.
    files : int
        How many small ones.
    concurrency : int
        Small files at the same time.
    cancel : threading.Event

    Raises
    ------
    StorageError
        If the store cannot be written or read.
    """
    directory = place.below(f"{DIRECTORY}{uuid4().hex[:12]}")
    trial = _Trial(directory, concurrency, cancel)
    names = [f"small/{number:06}" for number in range(files)]
    try:
        with trial.phase("write"):
            large = trial.write("large", size)
        with trial.phase("read"):
            trial.read("large", large)
        small = trial.write(names[0], SMALL)
        with trial.phase("write many"):
            trial.many(names, lambda name: _ignored(trial.write(name, SMALL)))
        with trial.phase("read many"):
            trial.many(names, lambda name: trial.read(name, small))
        with trial.phase("list"), directory.naming():
            listed = sum(entry.type == "file" for entry in place.store.walk(directory.key))
        waits = []
        for _ in range(_LOOKS):
            began = time.perf_counter()
            with directory.naming():
                place.store.stat(directory.below("large").key)
            waits.append(time.perf_counter() - began)
    finally:
        with suppress(StorageError):
            place.store.delete_directory(directory.key)
    request = statistics.median(waits)
    limit, sentence = _judged(trial, request, place)
    phases = trial.phases
    return Bench(
        path=place.path,
        size=size,
        files=files,
        written_per_second=round(size / phases["write"].seconds),
        read_per_second=round(size / phases["read"].seconds),
        files_written_per_second=round(files / phases["write many"].seconds, 1),
        files_read_per_second=round(files / phases["read many"].seconds, 1),
        files_listed_per_second=round(listed / phases["list"].seconds, 1),
        request_seconds=round(request, 6),
        throttled=trial.throttled,
        limit=limit,
        sentence=sentence,
    )


def _ignored(value: object) -> None:
    """Take a value that nobody needs."""


def _ticks() -> tuple[int, int]:
    """Ticks of all processors since the start, and those that were idle; zeros if nobody tells.

    The fields are described in proc(5); to wait for a disk is to be idle.
    """
    try:
        fields = [int(field) for field in _STAT.read_text("ascii").splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return 0, 0
    return sum(fields), sum(fields[3:5])


def _judged(
    trial: _Trial, request: float, place: Place
) -> tuple[Literal["disk", "network", "cpu", "throttling"], str]:
    """Say what keeps it from being faster."""
    if trial.throttled:
        return "throttling", (
            f"The service asked {trial.throttled:,} times for fewer requests: that is the limit. "
            "Move fewer files at the same time (-j), or ask for more."
        )
    busy = max(
        trial.phases[name].processor / trial.phases[name].seconds for name in ("write", "read")
    )
    if busy > _BUSY:
        return "cpu", (
            f"This machine's processor is the limit: {busy:.0%} of one was busy with the large "
            "file. More of them, or less other work, make it faster."
        )
    passed, idle = (
        sum(trial.phases[name].ticks[which] for name in ("write", "read")) for which in (0, 1)
    )
    if passed >= _TICKS and 1 - idle / passed > _TAKEN:
        return "cpu", (
            f"All processors of this machine were busy ({1 - idle / passed:.0%}), mostly with "
            "other work: that is the limit, or hides it. Try again when the machine is idle."
        )
    if place.store.local_path("") is not None:
        return "disk", (
            "The disk is the limit for large files; the processor was busy for "
            f"{busy:.0%} of the time."
        )
    return "network", (
        f"The network or the service is the limit: an answer takes {request * 1000:.1f} ms, and "
        f"the processor was busy for {busy:.0%} of the time. More files at the same time (-j) may "
        "help with small ones."
    )
