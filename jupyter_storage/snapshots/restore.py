"""Brings a snapshot back, or a part of it.

Packs are read in ranges, several at a time; every blob is checked against its name. A file has its
own name only when it is whole; until then it has a temporary one, or none. Directories come first,
then files, what a person waits for before the rest, and links last: whatever names a repository
holds, nothing is written through a link that came from it. Directories get their times at the very
end.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from jupyter_storage.errors import (
    AlreadyExists,
    Cancelled,
    Conflict,
    InvalidPath,
    NotADirectory,
    NotFound,
    StorageError,
    from_os_error,
)
from jupyter_storage.paths import is_below
from jupyter_storage.records import ConflictPolicy, Failure, RestoreRecord
from jupyter_storage.snapshots.databases import has_log
from jupyter_storage.snapshots.fill import File, Filler, in_order
from jupyter_storage.snapshots.nodes import printable, put_back, same_file
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.times import from_text
from jupyter_storage.snapshots.repository.tree import Node, link_target, node_name
from jupyter_storage.snapshots.views import subtree
from jupyter_storage.snapshots.whole import make_way

__all__ = ["Progress", "restore"]

Progress = Callable[[int, int], None]
"""Called with the numbers of bytes and files that were written since the last call."""

_OPEN_MODE = 0o700
_MOST_FAILURES = 1000
_SOCKETS_AND_DEVICES = frozenset({"socket", "dev", "chardev"})


def restore(
    repository: Repository,
    snapshot: Snapshot,
    target: Path,
    *,
    paths: Sequence[str] = (),
    policy: ConflictPolicy = ConflictPolicy.FAIL,
    saved: Mapping[str, Node] | None = None,
    first: Sequence[str] = (),
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> RestoreRecord:
    """Restore the project directory of a snapshot, or a part of it.

    Parameters
    ----------
    repository : Repository
        Refreshed, and locked by the caller.
    snapshot : Snapshot
    target : Path
        Made where it is missing.
    paths : sequence of str
        Files and directories, relative to the project directory, which is also where they land
        below the target; all unless given.
    policy : ConflictPolicy
        ``FAIL``: the target is empty, or holds none of the paths. ``OVERWRITE``: files that the
        snapshot has too are replaced. ``SKIP``: whatever is there stays. ``NEWER``: files that
        are older than the snapshot's are replaced. Files that the snapshot lacks always stay.
    saved : mapping, optional
        What can be brought back: nodes of files that are there. Anything else that is there is
        not replaced, and is a failure.
    first : sequence of str
        Files that come before all others.
    progress : Progress, optional
    cancel : threading.Event, optional
        Set to stop. Files that are whole by then stay.

    Returns
    -------
    RestoreRecord
        With the files that could not be restored; all others were.

    Raises
    ------
    AlreadyExists
        If policy is ``FAIL`` and something is there.
    NotFound
        If the snapshot has no such path.
    Cancelled
    """
    try:
        _prepare(target, paths, policy)
    except OSError as error:
        raise from_os_error(error, str(target)) from error
    run = _Restore(repository, target.resolve(), policy, saved, cancel or threading.Event())
    run.progress = progress
    try:
        run.walk(subtree(repository, snapshot), paths)
        run.write_files(first)
    finally:
        run.close()
    run.write_links()
    run.finish_directories()
    return RestoreRecord(
        snapshot.id,
        str(target),
        run.files,
        run.bytes,
        tuple(run.failures[:_MOST_FAILURES]),
        skipped=run.skipped,
    )


def _prepare(target: Path, paths: Sequence[str], policy: ConflictPolicy) -> None:
    if os.path.lexists(target) and not target.is_dir():
        raise NotADirectory("It is a file, not a directory", path=str(target))
    if policy is ConflictPolicy.FAIL:
        for path in paths:
            if os.path.lexists(target / path):
                raise AlreadyExists(
                    "It exists already",
                    path=str(target / path),
                    hint="Restore into another directory, or add --overwrite to replace it.",
                )
        if not paths and target.is_dir() and any(target.iterdir()):
            raise AlreadyExists(
                "The directory is not empty",
                path=str(target),
                hint="Restore into another directory, or add --overwrite to replace files in it.",
            )
    target.mkdir(parents=True, exist_ok=True)


class _Restore:
    def __init__(
        self,
        repository: Repository,
        target: Path,
        policy: ConflictPolicy,
        saved: Mapping[str, Node] | None,
        cancel: threading.Event,
    ) -> None:
        self._repository, self._target = repository, str(target)
        self._policy, self._saved, self._cancel = policy, saved, cancel
        self.progress: Progress | None = None
        self._lock = threading.Lock()
        self._filler = Filler(repository, self._done, self._fail, self._has_come, cancel)
        self._directories: list[tuple[str, Node]] = []
        self._made: set[str] = set()
        self._plain: list[File] = []
        self._hard: dict[tuple[int, int], str] = {}
        self._linked: list[tuple[str, Node, str]] = []
        self._others: list[tuple[str, Node]] = []
        self.failures: list[Failure] = []
        self.files = self.bytes = self.skipped = 0

    # Planning

    def walk(self, root: Node, paths: Sequence[str]) -> None:
        """Make all directories, and note what comes into them."""
        missing = set(paths)
        if not paths:
            self._directories.append(("", root))
        pending = [("", root)]
        while pending:
            self._check()
            key, directory = pending.pop()
            if key in self._made:
                self._filler.expect(len(self._plain))
            for child, node in self._children(key, directory):
                if paths and not any(is_below(child, path) for path in paths):
                    # Of directories between the root and a path nothing else is wanted.
                    between = node["type"] == "dir"
                    if not between or not any(path.startswith(child + "/") for path in missing):
                        continue
                else:
                    between = False
                missing.discard(child)
                try:
                    if node["type"] != "dir":
                        self._note(child, node)
                        continue
                    if self._make_directory(child) or not between:
                        self._directories.append((child, node))
                    pending.append((child, node))
                except (StorageError, OSError) as error:
                    self._fail(child, error)
        if missing:
            raise NotFound(
                "The snapshot has no such file or directory",
                path=min(missing),
                hint="'jupyter storage snapshot list' shows other snapshots.",
            )

    def _children(self, key: str, directory: Node) -> Iterator[tuple[str, Node]]:
        try:
            nodes = self._repository.load_tree(directory["subtree"])
        except (StorageError, KeyError) as error:
            self._fail(key or ".", error)
            return
        seen: set[str] = set()
        for node in nodes:
            try:
                name = _checked(node_name(node), seen)
            except (StorageError, ValueError) as error:
                self._fail(f"{key}/{node['name']}", error)
                continue
            yield f"{key}/{name}" if key else name, node

    def _make_directory(self, key: str) -> bool:
        """Make a directory; False where it is there."""
        path = self._path(key)
        try:
            os.mkdir(path, _OPEN_MODE)  # noqa: PTH102
        except FileExistsError:
            # A link here leads who knows where: only a real directory will do.
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                return False
            if self._policy is not ConflictPolicy.OVERWRITE or not self._is_saved(key, status):
                raise Conflict(
                    "A file is where the snapshot has a directory",
                    path=key,
                    hint="Restore into another directory, or replace it with --overwrite.",
                ) from None
            os.unlink(path)  # noqa: PTH108
            os.mkdir(path, _OPEN_MODE)  # noqa: PTH102
        self._made.add(key)
        return True

    def _note(self, key: str, node: Node) -> None:
        if node["type"] != "file":
            self._others.append((key, node))
            return
        if node.get("links", 1) > 1 and node.get("device_id"):
            first = self._hard.setdefault((node["device_id"], node.get("inode", 0)), key)
            if first != key:
                self._linked.append((key, node, first))
                return
        self._plain.append(File(key, self._path(key), node))

    # Files

    def write_files(self, first: Sequence[str]) -> None:
        """Write the content of all files, in the order in which people miss them."""
        for files in in_order(self._plain, first):
            self._filler.write([file for file in files if self._is_wanted(file)])

    def close(self) -> None:
        """Give back what files are written with."""
        self._filler.close()

    def _is_wanted(self, file: File) -> bool:
        self._check()
        # Where there was no directory, there is no need to look.
        file.absent = file.key.rpartition("/")[0] in self._made or not os.path.lexists(file.path)
        return file.absent or not self._stays(file.key, file.node)

    def _has_come(self, file: File) -> bool:
        """Whether what came while files were restored stays: somebody works here already."""
        if self._is_there(file.key, file.node):
            # By a process that died before it could say so.
            self._done(file)
            return True
        if self._policy is ConflictPolicy.FAIL:
            error = Conflict(
                "It came into being during the restore, so it was not replaced",
                hint="Restore it into another directory.",
            )
            self._fail(file.key, error)
            return True
        return self._stays(file.key, file.node)

    def _is_there(self, key: str, node: Node) -> bool:
        """Whether the same version is there already; of a file, as its size and time say."""
        if self._saved is not None and key in self._saved:
            return False
        try:
            status = os.lstat(self._path(key))
            if stat.S_ISLNK(status.st_mode):
                return node["type"] == "symlink" and link_target(node) == os.readlink(
                    self._path(key)
                )
        except OSError:
            return False
        if stat.S_ISFIFO(status.st_mode):
            return node["type"] == "fifo"
        return (
            stat.S_ISREG(status.st_mode)
            and node["type"] == "file"
            and status.st_size == node.get("size", 0)
            and status.st_mtime_ns == from_text(node["mtime"])
            # What a database has in its log is newer than its size and time.
            and not has_log(self._path(key))
        )

    def _is_saved(self, key: str, status: os.stat_result) -> bool:
        """Whether what is there can be brought back, if somebody wants to be able to."""
        if self._saved is None or stat.S_ISDIR(status.st_mode):
            return True
        node = self._saved.get(key)
        if node is not None and has_log(self._path(key)):
            # The copy of a database that is in use is as large as what is in its log makes it.
            node = {**node, "size": status.st_size}
        return node is not None and same_file(node, status)

    def _stays(self, key: str, node: Node, *, linked: bool = False) -> bool:
        """Whether what is there is not to be replaced; it is counted then."""
        try:
            status = os.lstat(self._path(key))
        except OSError:
            return False
        if self._policy is not ConflictPolicy.SKIP and self._is_there(key, node):
            # Two names of one file may be two files here: the link is made, where that is safe.
            if linked and self._saved is None:
                return False
            self._done(File(key, "", node))
            return True
        if self._policy is ConflictPolicy.SKIP or (
            self._policy is ConflictPolicy.NEWER and status.st_mtime_ns >= from_text(node["mtime"])
        ):
            self.skipped += 1
            return True
        if not self._is_saved(key, status):
            error = Conflict(
                "What is there is in no snapshot, so it was not replaced",
                hint="Restore it into another directory.",
            )
            self._fail(key, error)
            return True
        return False

    def _done(self, file: File) -> None:
        with self._lock:
            self.files += 1
            self.bytes += file.size
        if self.progress:
            self.progress(file.size, 1)

    # Links and directories

    def write_links(self) -> None:
        """Make hard links, symbolic links and named pipes."""
        for key, node, first in self._linked:
            self._check()
            try:
                if not self._stays(key, node, linked=True):
                    self._replace(key, partial(os.link, self._path(first)))
                    self._done(File(key, "", node))
            except OSError as error:
                self._fail(key, error)
        for key, node in self._others:
            self._check()
            try:
                if node["type"] not in _SOCKETS_AND_DEVICES and not self._stays(key, node):
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
        else:
            raise ValueError(f"it is a '{kind}', which is unknown")
        self._done(File(key, "", {**node, "size": 0}))

    def _replace(self, key: str, make: Callable[[str], None]) -> None:
        path = self._path(key)
        make_way(path)
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
        make(path)

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
        if self._cancel.is_set():
            raise Cancelled("The restore was cancelled", path=self._target)

    def _fail(self, key: str, error: Exception) -> None:
        if isinstance(error, OSError):
            error = from_os_error(error, key)
        if not isinstance(error, StorageError):
            error = StorageError(f"It cannot be restored: {error}", path=key)
        with self._lock:
            self.failures.append(Failure(printable(key), error.kind, error.message, error.hint))


def _checked(name: str, seen: set[str]) -> str:
    """Refuse names that would leave the directory: a repository may come from anybody."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise InvalidPath(f"The snapshot has a file with the impossible name {name!r}")
    if name in seen:
        raise InvalidPath("The snapshot has two files with this name")
    seen.add(name)
    return name
