"""Brings a snapshot back.

Packs are read once each, in ranges, several at a time; every blob is checked against its name.
A file is written under a temporary name and renamed when it is whole. Directories come first,
then files, links last: whatever names a repository holds, nothing is written through a link that
came from it. Directories get their times at the very end.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import (
    AlreadyExists,
    Cancelled,
    InvalidPath,
    NotADirectory,
    StorageError,
    from_os_error,
)
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.records import Failure, RestoreRecord
from jupyter_storage.snapshots.nodes import printable, put_back
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.index import Location
from jupyter_storage.snapshots.repository.times import from_text
from jupyter_storage.snapshots.repository.tree import Node, link_target, node_name
from jupyter_storage.snapshots.views import subtree

__all__ = ["restore"]

_READERS = 4
_GAP = 256 * 2**10  # bytes worth reading too much of to save a request
_RANGE = 16 * 2**20
_OPEN_MODE = 0o700


def restore(
    repository: Repository,
    snapshot: Snapshot,
    target: Path,
    *,
    overwrite: bool = False,
    keep: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> RestoreRecord:
    """Restore the project directory of a snapshot.

    Parameters
    ----------
    repository : Repository
        Refreshed, and locked by the caller.
    snapshot : Snapshot
    target : Path
        Made where it is missing.
    overwrite : bool
        Whether it may hold files. Those that the snapshot has too are replaced, the others stay.
    keep : bool
        Whether the target may hold files, which all stay as they are: to go on with a restore
        that was cut off.
    progress : Callable, optional
        Called with the numbers of bytes and files that were written since the last call.
    cancel : threading.Event, optional
        Set to stop. Files that are whole by then stay.

    Returns
    -------
    RestoreRecord
        With the files that could not be restored; all others were.

    Raises
    ------
    AlreadyExists
        If the target holds something and ``overwrite`` is not set.
    Cancelled
    """
    try:
        _prepare(target, overwrite or keep)
    except OSError as error:
        raise from_os_error(error, str(target)) from error
    run = _Restore(repository, target.resolve(), overwrite=overwrite, keep=keep)
    run.progress, run.cancel = progress, cancel or run.cancel
    run.walk(subtree(repository, snapshot))
    run.write_files()
    run.write_links()
    run.finish_directories()
    return RestoreRecord(
        snapshot.id, str(target), run.files, run.bytes, tuple(run.failures[:_MOST_FAILURES])
    )


_MOST_FAILURES = 1000


def _prepare(target: Path, overwrite: bool) -> None:
    if target.is_dir():
        if not overwrite and any(target.iterdir()):
            raise AlreadyExists(
                "The directory is not empty",
                path=str(target),
                hint="Restore into another directory, or add --overwrite to replace files in it.",
            )
    elif os.path.lexists(target):
        raise NotADirectory("It is a file, not a directory", path=str(target))
    target.mkdir(parents=True, exist_ok=True)


@dataclass
class _File:
    """A file under way."""

    key: str
    node: Node
    temporary: str = ""
    left: int = 0


class _Restore:
    def __init__(
        self, repository: Repository, target: Path, *, overwrite: bool, keep: bool
    ) -> None:
        self._repository, self._target = repository, str(target)
        self._overwrite, self._keep = overwrite, keep
        self.progress: Callable[[int, int], None] | None = None
        self.cancel = threading.Event()
        self._lock = threading.Lock()
        self._directories: list[tuple[str, Node]] = []
        self._plain: list[_File] = []
        self._hard: dict[tuple[int, int], str] = {}
        self._linked: list[tuple[str, Node, str]] = []
        self._others: list[tuple[str, Node]] = []
        self.failures: list[Failure] = []
        self.files = self.bytes = 0

    # Planning

    def walk(self, root: Node) -> None:
        """Make all directories, and note what comes into them."""
        self._directories.append(("", root))
        pending = [("", root)]
        while pending:
            self._check()
            key, directory = pending.pop()
            try:
                nodes = self._repository.load_tree(directory["subtree"])
            except (StorageError, KeyError) as error:
                self._fail(key or ".", error)
                continue
            seen: set[str] = set()
            for node in nodes:
                try:
                    name = _checked(node_name(node), seen)
                    child = f"{key}/{name}" if key else name
                    if node["type"] == "dir":
                        self._make_directory(child)
                        self._directories.append((child, node))
                        pending.append((child, node))
                    else:
                        self._note(child, node)
                except (StorageError, OSError, ValueError) as error:
                    self._fail(f"{key}/{node['name']}", error)

    def _make_directory(self, key: str) -> None:
        path = self._path(key)
        try:
            os.mkdir(path, _OPEN_MODE)  # noqa: PTH102
        except FileExistsError:
            # A link here leads who knows where: only a real directory will do.
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)  # noqa: PTH108
                os.mkdir(path, _OPEN_MODE)  # noqa: PTH102

    def _note(self, key: str, node: Node) -> None:
        if node["type"] != "file":
            self._others.append((key, node))
            return
        if node.get("links", 1) > 1 and node.get("device_id"):
            first = self._hard.setdefault((node["device_id"], node.get("inode", 0)), key)
            if first != key:
                self._linked.append((key, node, first))
                return
        self._plain.append(_File(key, node))

    # Files

    def write_files(self) -> None:
        """Write the content of all files, pack by pack."""
        wanted: dict[str, dict[str, tuple[Location, list[tuple[_File, int]]]]] = defaultdict(dict)
        for file in self._plain:
            self._check()
            if self._is_there(file):
                self._done(file)
                continue
            try:
                places = self._places(file)
            except StorageError as error:
                self._fail(file.key, error)
                continue
            file.left = len(places)
            if not places:
                self._write_empty(file)
            for identifier, place, offset in places:
                entry = wanted[place.pack].setdefault(identifier, (place, []))
                entry[1].append((file, offset))
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
                self.cancel.set()
                pool.shutdown(cancel_futures=True)
                self._remove_temporaries()
                raise
        self._remove_temporaries()

    def _is_there(self, file: _File) -> bool:
        """Whether the same version is there already, as its size and time say."""
        if self._keep and os.path.lexists(self._path(file.key)):
            return True
        if not self._overwrite:
            return False
        try:
            status = os.lstat(self._path(file.key))
        except OSError:
            return False
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_size == file.node.get("size", 0)
            and status.st_mtime_ns == from_text(file.node["mtime"])
        )

    def _places(self, file: _File) -> list[tuple[str, Location, int]]:
        places, offset = [], 0
        for identifier in file.node.get("content") or ():
            place = self._repository.locate("data", identifier)
            places.append((identifier, place, offset))
            # What sealing adds to a blob that is not compressed is of a fixed size.
            offset += place.uncompressed or place.length - 32
        return places

    def _write_empty(self, file: _File) -> None:
        try:
            self._begin(file)
            self._publish(file)
        except OSError as error:
            self._fail(file.key, error)

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

    def _write(self, file: _File, offset: int, plain: bytes) -> None:
        try:
            with self._lock:
                if file.left < 0:
                    return
                if not file.temporary:
                    self._begin(file)
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

    def _begin(self, file: _File) -> None:
        path = self._path(file.key)
        file.temporary = f"{os.path.dirname(path)}/{TEMPORARY_PREFIX}{uuid4().hex}"  # noqa: PTH120
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(file.temporary, flags, 0o600)
        try:
            os.ftruncate(descriptor, file.node.get("size", 0))
        finally:
            os.close(descriptor)

    def _publish(self, file: _File) -> None:
        put_back(file.temporary, file.node)
        self._make_way(file.key)
        os.replace(file.temporary, self._path(file.key))  # noqa: PTH105
        file.temporary = ""
        self._done(file)

    def _done(self, file: _File) -> None:
        with self._lock:
            self.files += 1
            self.bytes += file.node.get("size", 0)
        if self.progress:
            self.progress(file.node.get("size", 0), 1)

    def _give_up(self, file: _File, error: Exception) -> None:
        with self._lock:
            if file.left < 0:
                return
            file.left = -1
        self._fail(file.key, error)

    def _remove_temporaries(self) -> None:
        for file in self._plain:
            if file.temporary:
                with suppress(OSError):
                    os.unlink(file.temporary)  # noqa: PTH108

    # Links and directories

    def write_links(self) -> None:
        """Make hard links, symbolic links and named pipes."""
        for key, node, first in self._linked:
            self._check()
            try:
                self._replace(key, partial(os.link, self._path(first)))
                self._done(_File(key, node))
            except OSError as error:
                self._fail(key, error)
        for key, node in self._others:
            self._check()
            try:
                self._write_other(key, node)
            except (OSError, ValueError) as error:
                self._fail(key, error)

    def _write_other(self, key: str, node: Node) -> None:
        kind = node["type"]
        if kind == "symlink":
            target = link_target(node)
            self._replace(key, lambda path: os.symlink(target, path))  # noqa: PTH211
            put_back(self._path(key), node, link=True)
        elif kind == "fifo":
            self._replace(key, lambda path: os.mkfifo(path, 0o600))
            put_back(self._path(key), node)
        elif kind in {"socket", "dev", "chardev"}:
            # A socket belongs to a process that is gone, a device to a machine.
            return
        else:
            raise ValueError(f"it is a '{kind}', which is unknown")
        self._done(_File(key, {**node, "size": 0}))

    def _replace(self, key: str, make: Callable[[str], None]) -> None:
        path = self._path(key)
        if self._keep and os.path.lexists(path):
            return
        self._make_way(key)
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
        make(path)

    def _make_way(self, key: str) -> None:
        """Remove an empty directory that is where a file comes; one with files is an error."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.rmdir(self._path(key))  # noqa: PTH106

    def finish_directories(self) -> None:
        """Give directories their permissions and times, the innermost first."""
        for key, node in reversed(self._directories):
            # The root node of a snapshot of several directories describes none of them.
            if "mtime" not in node:
                continue
            try:
                put_back(self._path(key), node)
            except (OSError, ValueError) as error:
                self._fail(key or ".", error)

    # The rest

    def _path(self, key: str) -> str:
        return f"{self._target}/{key}" if key else self._target

    def _check(self) -> None:
        if self.cancel.is_set():
            raise Cancelled("The restore was cancelled", path=self._target)

    def _fail(self, key: str, error: Exception) -> None:
        if isinstance(error, OSError):
            error = from_os_error(error, key)
        if not isinstance(error, StorageError):
            error = StorageError(f"It cannot be restored: {error}", path=key)
        with self._lock:
            self.failures.append(Failure(printable(key), error.kind, error.message, error.hint))


_Blob = tuple[str, Location, list[tuple[_File, int]]]


def _ranges(
    blobs: dict[str, tuple[Location, list[tuple[_File, int]]]],
) -> list[list[_Blob]]:
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


def _checked(name: str, seen: set[str]) -> str:
    """Refuse names that would leave the directory: a repository may come from anybody."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise InvalidPath(f"The snapshot has a file with the impossible name {name!r}")
    if name in seen:
        raise InvalidPath("The snapshot has two files with this name")
    seen.add(name)
    return name
