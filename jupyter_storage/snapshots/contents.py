"""Reads files into the repository, each as one consistent version."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from io import RawIOBase

from jupyter_storage.snapshots.databases import SIDECARS, backup, is_database, needs_log
from jupyter_storage.snapshots.nodes import describe
from jupyter_storage.snapshots.opening import open_to_read
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.chunker import MAXIMUM, MINIMUM, chunks
from jupyter_storage.snapshots.repository.tree import Node

__all__ = ["ContentReader", "Unreadable"]

_TRIES = 3
_HEADER = 20


class Unreadable(Exception):
    """A file has no version that could be read whole."""


class ContentReader:
    """Reads files in one thread; chunks of large ones are packed in others.

    Parameters
    ----------
    repository : Repository
    pool : ThreadPoolExecutor
        Hashing, compressing and sealing let go of the interpreter's lock for large chunks only:
        small files are quicker without threads.
    progress : Callable
        Called with numbers of bytes that were read.
    """

    def __init__(
        self, repository: Repository, pool: ThreadPoolExecutor, progress: Callable[[int], None]
    ) -> None:
        self._repository, self._pool, self._progress = repository, pool, progress
        # Bounds memory: so many chunks of at most 8 MiB are in hand.
        self._slots = threading.BoundedSemaphore(2 * (os.cpu_count() or 1) + 2)
        self._covered: set[str] = set()

    def is_covered(self, directory: str, name: str) -> bool:
        """Whether a file's content is in the copy of a database that was read before."""
        return name.endswith(SIDECARS) and f"{directory}/{name}" in self._covered

    def read(
        self, directory: str, name: str, names: Container[str]
    ) -> tuple[Node, list[Future[str]]]:
        """Read a regular file.

        Parameters
        ----------
        directory : str
            Where it lies.
        name : str
        names : container of str
            All names in the directory.

        Returns
        -------
        Node
            Its ``content`` is still null.
        list of Future
            The IDs that belong there.

        Raises
        ------
        Unreadable
            If it changed during each of three tries.
        OSError
            If it cannot be read.
        """
        path = f"{directory}/{name}"
        for _ in range(_TRIES):
            with os.fdopen(open_to_read(path), "rb", buffering=0) as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise Unreadable("It became something else while it was read")
                start = file.read(min(before.st_size, MINIMUM)) or b""
                if is_database(start[:_HEADER]) and self._is_in_use(path, start, names):
                    copied = self._copy_database(path, name, before)
                    if copied is not None:
                        return copied
                futures, size = self._store(file, start)
                after = os.fstat(file.fileno())
                log = needs_log(start[:_HEADER]) and is_database(start[:_HEADER])
                appeared = log and f"{name}-wal" not in names and os.path.lexists(path + "-wal")
                if _same(before, after) and size == before.st_size and not appeared:
                    return describe(path, name, before), futures
        raise Unreadable("It changes all the time")

    def _is_in_use(self, path: str, start: bytes, names: Container[str]) -> bool:
        name = path.rpartition("/")[2]
        if needs_log(start):
            # Without its log nobody has it open, and SQLite would make one to look inside.
            return f"{name}-wal" in names and f"{name}-shm" in names
        return True

    def _copy_database(
        self, path: str, name: str, status: os.stat_result
    ) -> tuple[Node, list[Future[str]]] | None:
        try:
            with backup(path) as file:
                futures, size = self._store(file, b"")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise Unreadable("The database is locked by a writer") from error
            return None
        except sqlite3.Error:
            # It only looks like a database, or it is encrypted: then its bytes are what there is.
            return None
        self._covered.update(path + suffix for suffix in SIDECARS)
        node = describe(path, name, status)
        node["size"] = size
        return node, futures

    def _store(self, file: RawIOBase, start: bytes) -> tuple[list[Future[str]], int]:
        if len(start) < MINIMUM:
            more = file.read(MINIMUM) or b""
            start += more
        if len(start) < MINIMUM:
            return ([self._save(start)] if start else []), len(start)
        futures, size = [], 0
        for chunk in chunks(_after(start, file)):
            size += len(chunk)
            futures.append(self._save(chunk))
        return futures, size

    def _save(self, chunk: bytes) -> Future[str]:
        self._progress(len(chunk))
        self._slots.acquire()
        future = self._pool.submit(self._repository.save_blob, "data", chunk)
        future.add_done_callback(lambda _: self._slots.release())
        return future


def _after(start: bytes, file: RawIOBase) -> Callable[[memoryview], int | None]:
    left = memoryview(start)

    def readinto(view: memoryview) -> int | None:
        nonlocal left
        if left:
            size = min(len(left), len(view))
            view[:size] = left[:size]
            left = left[size:]
            return size
        return file.readinto(view[:MAXIMUM])

    return readinto


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
    )
