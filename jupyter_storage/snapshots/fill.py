"""Files being restored: filled with their content, pack by pack, and published when whole."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.snapshots.databases import drop_log
from jupyter_storage.snapshots.nodes import put_back
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.index import Location
from jupyter_storage.snapshots.repository.tree import Node

__all__ = ["UNDER_WAY", "File", "Filler", "make_way"]

UNDER_WAY = f"{TEMPORARY_PREFIX}restored-"
"""How the names of files that are not whole yet begin."""

_READERS = 4
_GAP = 256 * 2**10  # bytes worth reading too much of to save a request
_RANGE = 16 * 2**20


@dataclass
class File:
    """A file under way; ``path`` is where it will be."""

    key: str
    path: str
    node: Node
    temporary: str = ""
    left: int = 0

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
    cancel : threading.Event
        Set to stop.
    """

    def __init__(
        self,
        repository: Repository,
        done: Callable[[File], None],
        failed: Callable[[str, Exception], None],
        cancel: threading.Event,
    ) -> None:
        self._repository, self._done, self._failed = repository, done, failed
        self._cancel = cancel
        self._failing = False
        self._lock = threading.Lock()

    def write(self, files: Sequence[File]) -> None:
        """Write some files; no temporary one is left behind.

        Raises
        ------
        Cancelled
        """
        wanted: dict[str, dict[str, tuple[Location, list[_Use]]]] = defaultdict(dict)
        for file in files:
            self._check()
            try:
                places = list(self._places(file))
            except StorageError as error:
                self._failed(file.key, error)
                continue
            file.left = len(places)
            if not places:
                self._write_empty(file)
            for identifier, place, offset in places:
                wanted[place.pack].setdefault(identifier, (place, []))[1].append((file, offset))
        with ThreadPoolExecutor(_READERS, "restore") as pool:
            futures = [
                pool.submit(self._write_range, pack, part)
                for pack, blobs in wanted.items()
                for part in _ranges(blobs)
            ]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._failing = True
                pool.shutdown(cancel_futures=True)
                raise
            finally:
                _remove_temporaries(files)

    def _places(self, file: File) -> Iterator[tuple[str, Location, int]]:
        offset = 0
        for identifier in file.node.get("content") or ():
            place = self._repository.locate("data", identifier)
            yield identifier, place, offset
            # What sealing adds to a blob that is not compressed is of a fixed size.
            offset += place.uncompressed or place.length - 32

    def _write_empty(self, file: File) -> None:
        try:
            _begin(file)
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
        for identifier, place, uses in blobs:
            self._check()
            sealed = content[place.offset - start :][: place.length]
            try:
                plain = self._repository.decode_blob(identifier, sealed, place.uncompressed)
            except StorageError as error:
                for file, _ in uses:
                    self._give_up(file, error)
                continue
            for file, offset in uses:
                self._write(file, offset, plain)

    def _write(self, file: File, offset: int, plain: bytes) -> None:
        try:
            with self._lock:
                if file.left < 0:
                    return
                if not file.temporary:
                    _begin(file)
            # A hole is as good as zeros, and takes no room.
            if plain.count(0) != len(plain):
                descriptor = os.open(file.temporary, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    view = memoryview(plain)
                    while view:
                        written = os.pwrite(descriptor, view, offset)
                        view, offset = view[written:], offset + written
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

    def _publish(self, file: File) -> None:
        put_back(file.temporary, file.node)
        make_way(file.path)
        with suppress(FileNotFoundError):
            drop_log(file.path)
        os.replace(file.temporary, file.path)  # noqa: PTH105
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


def make_way(path: str) -> None:
    """Remove an empty directory that is where a file comes; one with files is an error."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.rmdir(path)  # noqa: PTH106


def _begin(file: File) -> None:
    directory = os.path.dirname(file.path)  # noqa: PTH120
    file.temporary = f"{directory}/{UNDER_WAY}{uuid4().hex}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(file.temporary, flags, 0o600)
    try:
        os.ftruncate(descriptor, file.size)
    finally:
        os.close(descriptor)


def _remove_temporaries(files: Sequence[File]) -> None:
    for file in files:
        if file.temporary:
            with suppress(OSError):
                os.unlink(file.temporary)  # noqa: PTH108


_Use = tuple[File, int]
_Blob = tuple[str, Location, list[_Use]]


def _ranges(blobs: dict[str, tuple[Location, list[_Use]]]) -> list[list[_Blob]]:
    """Put the blobs of one pack together into ranges that are worth one request each."""
    ordered = sorted(
        ((name, place, uses) for name, (place, uses) in blobs.items()),
        key=lambda blob: blob[1].offset,
    )
    ranges: list[list[_Blob]] = []
    for blob in ordered:
        if ranges:
            first, last = ranges[-1][0][1], ranges[-1][-1][1]
            end = blob[1].offset + blob[1].length
            near = blob[1].offset - last.offset - last.length <= _GAP
            if near and end - first.offset <= _RANGE:
                ranges[-1].append(blob)
                continue
        ranges.append([blob])
    return ranges
