"""Files being restored: filled with their content, pack by pack, and published when whole."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.snapshots.helper import Helper, worthwhile
from jupyter_storage.snapshots.nodes import put_back
from jupyter_storage.snapshots.ranges import ranges
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.index import Location
from jupyter_storage.snapshots.repository.tree import Node
from jupyter_storage.snapshots.whole import (
    Blob,
    Target,
    is_hole,
    publish,
    write_all,
    write_whole,
)

__all__ = ["RUN", "UNDER_WAY", "File", "Filler", "in_order"]

UNDER_WAY = f"{TEMPORARY_PREFIX}restored-"
"""How the names of files that are not whole yet begin."""

RUN = uuid4().hex[:12]
"""The part of their names that tells this process's from others'."""

_READERS = 4
_SOON = 2**20  # bytes; files up to this come before larger ones
_SMALL = 64 * 2**10  # bytes of a sealed blob that a helper is worth sending
_MANY = 128  # files in a batch
_BATCH = 384 * 2**10  # bytes of a batch
_AHEAD = 3  # batches that the helper has at once: one under way, two that fit into a pipe
_FIRST = 2_000  # files that are under way while the others are planned


@dataclass(slots=True)
class File:
    """A file under way.

    ``path`` is where it will be; ``absent`` says that nothing was there. A ``whole`` one is one
    blob.
    """

    key: str
    path: str
    node: Node
    temporary: str = ""
    left: int = 0
    whole: bool = False
    absent: bool = False

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.node.get("size", 0)


class Filler:
    """Writes files from the packs that hold their content.

    Parameters
    ----------
    repository : Repository
    done : Callable
        Called with each file that is complete, in any thread.
    failed : Callable
        Called with each that is given up, and the error.
    stays : Callable
        Asked of a file where nothing was and something has come: whether that is to stay.
    cancel : threading.Event
        Set to stop.
    """

    def __init__(
        self,
        repository: Repository,
        done: Callable[[File], None],
        failed: Callable[[str, Exception], None],
        stays: Callable[[File], bool],
        cancel: threading.Event,
    ) -> None:
        self._repository, self._done, self._failed = repository, done, failed
        self._stays = stays
        self._cancel = cancel
        self._failing = False
        self._lock = threading.Lock()
        self._name, self._numbers = f"{UNDER_WAY}{RUN}-{uuid4().hex}", count()
        self._helper: Helper | None = None
        self._free = threading.Semaphore(_AHEAD)
        # Small files take the interpreter's lock from each other: they go one by one.
        self._turn = threading.Lock()
        self._problem: BaseException | None = None

    def close(self) -> None:
        """Give back the second process."""
        if self._helper is not None:
            self._helper.close()

    def expect(self, files: int) -> None:
        """Have the second process ready if so many files are worth one."""
        if self._helper is None and worthwhile(files):
            with suppress(OSError):
                keys = self._repository.master_keys
                self._helper = Helper("jupyter_storage.snapshots.whole", keys)

    def write(self, files: Sequence[File]) -> None:
        """Write some files; no temporary one is left behind.

        Raises
        ------
        Cancelled
        """
        self.expect(len(files))
        try:
            self._read_packs(files)
        except BaseException:
            self._failing = True
            self.close()
            raise
        finally:
            _remove_temporaries(files)

    def _read_packs(self, files: Sequence[File]) -> None:
        with ThreadPoolExecutor(_READERS, "restore") as pool:
            futures: list[Future[None]] = []
            try:
                for part in (files[:_FIRST], files[_FIRST:]):
                    futures += [
                        pool.submit(self._write_range, pack, piece)
                        for pack, blobs in self._plan(part).items()
                        for piece in ranges(blobs)
                    ]
                for future in futures:
                    future.result()
            except BaseException:
                self._failing = True
                pool.shutdown(cancel_futures=True)
                raise
        for _ in range(_AHEAD):
            self._free.acquire()
        self._free.release(_AHEAD)
        if self._problem is not None:
            raise self._problem

    def _plan(self, files: Sequence[File]) -> _Wanted:
        wanted: _Wanted = defaultdict(dict)
        for file in files:
            self._check()
            try:
                places = list(self._places(file))
            except StorageError as error:
                self._failed(file.key, error)
                continue
            file.left, file.whole = len(places), len(places) == 1
            if not places:
                self._write_empty(file)
            for identifier, place, offset in places:
                wanted[place.pack].setdefault(identifier, (place, []))[1].append((file, offset))
        return wanted

    def _places(self, file: File) -> Iterator[tuple[str, Location, int]]:
        offset = 0
        for identifier in file.node.get("content") or ():
            place = self._repository.locate("data", identifier)
            yield identifier, place, offset
            # What sealing adds to a blob that is not compressed is of a fixed size.
            offset += place.uncompressed or place.length - 32

    def _write_empty(self, file: File) -> None:
        try:
            self._begin(file)
            self._publish(file)
        except OSError as error:
            self._failed(file.key, error)

    def _write_range(self, pack: str, blobs: Sequence[_Blob]) -> None:
        self._check()
        start = blobs[0][1].offset
        end = blobs[-1][1].offset + blobs[-1][1].length
        try:
            content = memoryview(self._repository.read_pack(pack, start, end - start))
        except StorageError as error:
            for file in {id(file): file for _, _, uses in blobs for file, _ in uses}.values():
                self._give_up(file, error)
            return
        batch: list[_Whole] = []
        number = size = 0
        for identifier, place, uses in blobs:
            self._check()
            sealed = content[place.offset - start :][: place.length]
            blob = Blob(identifier, sealed, place.uncompressed)
            files = [file for file, _ in uses if file.whole]
            for begin in range(0, len(files), _MANY):
                batch.append((blob, files[begin : begin + _MANY]))
                number, size = number + len(batch[-1][1]), size + len(sealed)
                if number >= _MANY or size >= _BATCH or len(sealed) > _SMALL:
                    self._write_whole(batch)
                    batch, number, size = [], 0, 0
            if len(files) < len(uses):
                self._write_parts(blob, [use for use in uses if not use[0].whole])
        self._write_whole(batch)

    # Files of one blob

    def _write_whole(self, batch: list[_Whole]) -> None:
        for _, files in batch:
            for file in files:
                file.temporary = self._temporary(file)
        small = all(len(blob.sealed) <= _SMALL for blob, _ in batch)
        if small and self._helper is not None and self._free.acquire(blocking=False):
            work = [
                (
                    (blob.identifier, bytes(blob.sealed), blob.uncompressed),
                    [(file.path, file.temporary, file.node, file.absent) for file in files],
                )
                for blob, files in batch
            ]
            self._helper.ask(work, partial(self._written, batch))
        elif small:
            with self._turn:
                self._write_here(batch)
        else:
            self._write_here(batch)

    def _write_here(self, batch: list[_Whole]) -> None:
        # First all are decoded and then all written: in turns each would find the processor's
        # caches full of the other.
        decoded: list[tuple[bytes, list[File]]] = []
        for blob, files in batch:
            self._check()
            try:
                decoded.append((self._repository.decode_blob(*blob), files))
            except StorageError as error:
                for file in files:
                    self._give_up(file, error)
        for plain, files in decoded:
            self._check()
            for file in files:
                try:
                    self._write_one(file, plain)
                except (OSError, ValueError) as error:
                    self._give_up(file, error)

    def _write_one(self, file: File, plain: bytes) -> None:
        try:
            write_whole(plain, Target(file.path, file.temporary, file.node, file.absent))
        except FileExistsError:
            if not file.absent:
                raise
            file.absent = False
            _remove_temporaries([file])
            if not self._stays(file):
                self._write_one(file, plain)
            return
        file.temporary = ""
        self._done(file)

    def _written(self, batch: list[_Whole], results: Sequence[Any] | None) -> None:
        """Take what the helper answered; what it could not write is tried again here."""
        try:
            for number, (blob, files) in enumerate(batch):
                there = results[number] if results is not None else [False] * len(files)
                for file, well in zip(files, there, strict=True):
                    if well:
                        file.temporary = ""
                        self._done(file)
                again = [file for file in files if file.temporary]
                _remove_temporaries(again)
                if again:
                    self._write_here([(blob, again)])
        except BaseException as problem:
            self._problem = problem
        finally:
            self._free.release()

    # Files of several

    def _write_parts(self, blob: Blob, uses: Sequence[_Use]) -> None:
        try:
            plain = self._repository.decode_blob(*blob)
        except StorageError as error:
            for file, _ in uses:
                self._give_up(file, error)
        else:
            for file, offset in uses:
                self._write(file, offset, plain)

    def _write(self, file: File, offset: int, plain: bytes) -> None:
        try:
            with self._lock:
                if file.left < 0:
                    return
                if not file.temporary:
                    self._begin(file)
            if not is_hole(plain):
                descriptor = os.open(file.temporary, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    write_all(descriptor, plain, offset)
                finally:
                    os.close(descriptor)
            with self._lock:
                if file.left < 0:
                    return
                file.left -= 1
                last = file.left == 0
            if last:
                self._publish(file)
        except OSError as error:
            self._give_up(file, error)

    def _begin(self, file: File) -> None:
        file.temporary = self._temporary(file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(file.temporary, flags, 0o600)
        try:
            os.ftruncate(descriptor, file.size)
        finally:
            os.close(descriptor)

    def _temporary(self, file: File) -> str:
        directory = file.path.rpartition("/")[0]
        return f"{directory}/{self._name}-{next(self._numbers)}"

    def _publish(self, file: File) -> None:
        put_back(file.temporary, file.node)
        try:
            publish(file.temporary, file.path, absent=file.absent)
        except FileExistsError:
            if not file.absent:
                raise
            file.absent = False
            if self._stays(file):
                return
            publish(file.temporary, file.path, absent=False)
        file.temporary = ""
        self._done(file)

    def _give_up(self, file: File, error: Exception) -> None:
        with self._lock:
            if file.left < 0:
                return
            file.left = -1
        self._failed(file.key, error)

    def _check(self) -> None:
        if self._failing or self._cancel.is_set():
            raise Cancelled("The restore was cancelled")


def in_order(files: Sequence[File], first: Sequence[str]) -> Iterator[list[File]]:
    """Files in groups: what a person has open, notebooks (the last edited first), small, large.

    Inside a group the packs decide, so that each is read as a whole.
    """
    named = set(first)
    groups: tuple[list[File], ...] = ([], [], [], [])
    for file in files:
        if file.key in named:
            groups[0].append(file)
        elif file.key.endswith(".ipynb"):
            groups[1].append(file)
        else:
            groups[2 if file.size <= _SOON else 3].append(file)
    groups[1].sort(key=lambda file: file.node.get("mtime", ""), reverse=True)
    return (group for group in groups if group)


def _remove_temporaries(files: Sequence[File]) -> None:
    for file in files:
        if file.temporary:
            with suppress(OSError):
                os.unlink(file.temporary)  # noqa: PTH108


_Use = tuple[File, int]
_Blob = tuple[str, Location, list[_Use]]
_Wanted = dict[str, dict[str, tuple[Location, list[_Use]]]]
_Whole = tuple[Blob, list[File]]
