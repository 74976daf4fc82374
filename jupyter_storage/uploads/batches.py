"""Many small files in one go: each checked, each published by itself."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from jupyter_storage.errors import AlreadyExists, ChecksumMismatch, IsADirectory, StorageError
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.transfers.places import Place
from jupyter_storage.uploads.conflicts import check_conflict

__all__ = ["BatchFile", "write_batch"]

_WRITING = threading.Lock()


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch, or a directory.

    Attributes
    ----------
    path : str
        Where it will be, as a person types it.
    content : bytes, memoryview or None
        None for a directory.
    crc : int
        CRC-32 of the content, as the sender computed it.
    modified : datetime or None
        Modification time to keep.
    """

    path: str
    content: bytes | memoryview | None
    crc: int = 0
    modified: datetime | None = None


def write_batch(
    files: Sequence[BatchFile],
    resolve: Callable[[str], Place],
    conflict: ConflictPolicy,
    *,
    concurrency: int,
) -> list[StorageError | None]:
    """Write files, and say of each what kept it from being there.

    A batch can be sent again: what stands there with the same bytes is as it should be.

    Parameters
    ----------
    files : sequence of BatchFile
    resolve : callable
        Gives the place of a path, or raises why it may not be written.
    conflict : ConflictPolicy
        ``SKIP`` and ``NEWER`` refuse, with AlreadyExists, what a transfer would skip.
    concurrency : int
        Files at the same time, where each costs a request.

    Returns
    -------
    list of StorageError or None
        In the order of the files; None for those that are there.
    """

    def write(file: BatchFile, place: Place | StorageError) -> StorageError | None:
        if isinstance(place, StorageError):
            return place
        try:
            _write(file, place, conflict)
        except StorageError as error:
            return error
        return None

    places = [_place(file.path, resolve) for file in files]
    if all(_is_local(place) for place in places):
        # Threads would only take the interpreter's lock from each other, and from whoever answers
        # other requests.
        with _WRITING:
            return [write(file, place) for file, place in zip(files, places, strict=True)]
    with ThreadPoolExecutor(min(concurrency, len(files)), "jupyter-storage-batch") as pool:
        return list(pool.map(write, files, places))


def _place(path: str, resolve: Callable[[str], Place]) -> Place | StorageError:
    try:
        return resolve(path)
    except StorageError as error:
        return error


def _is_local(place: Place | StorageError) -> bool:
    return isinstance(place, Place) and place.store.local_path("") is not None


def _write(file: BatchFile, place: Place, conflict: ConflictPolicy) -> None:
    with place.naming():
        if file.content is None:
            place.store.make_directory(place.key)
            return
        if not place.key or place.directory:
            raise IsADirectory("A file's name is missing")
        found = zlib.crc32(file.content)
        if found != file.crc:
            raise ChecksumMismatch(f"Its checksum is {found:08x}, not {file.crc:08x}")
        exclusive = conflict in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}
        try:
            if conflict is ConflictPolicy.NEWER:
                check_conflict(place, file.modified, conflict)
            place.store.write(
                place.key, bytes(file.content), exclusive=exclusive, modified=file.modified
            )
        except AlreadyExists:
            # The answer to an earlier try may have been lost.
            if not _holds(place, file.content):
                raise


def _holds(place: Place, content: bytes | memoryview) -> bool:
    with suppress(StorageError):
        entry = place.store.stat(place.key)
        if entry.type == "file" and entry.size == len(content):
            return place.store.read(place.key) == content
    return False
