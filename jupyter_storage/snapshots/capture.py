"""Takes a snapshot: looks at every file, reads those that changed, writes what is new.

A file counts as unchanged where size, times, inode, owner and permissions are those of the
parent snapshot; its blobs are taken over without reading it. A file that cannot be read, or that
changes all the time, keeps the version of the parent, is listed among the failures, and is tried
again by the next snapshot.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jupyter_storage.errors import Cancelled, NotADirectory, NotFound, StorageError, from_os_error
from jupyter_storage.records import Failure, SnapshotRecord, to_wire
from jupyter_storage.snapshots.contents import ContentReader, Unreadable
from jupyter_storage.snapshots.databases import SIDECARS
from jupyter_storage.snapshots.ignore import Rules
from jupyter_storage.snapshots.nodes import describe, printable, same_file
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.crypto import user_name
from jupyter_storage.snapshots.repository.times import now, to_text
from jupyter_storage.snapshots.repository.tree import Node, node_name
from jupyter_storage.snapshots.views import newest, subtree, to_record

__all__ = ["Progress", "Taken", "capture", "take"]

Progress = Callable[[int, int], None]
"""Called with the numbers of bytes and files that were read since the last call."""

_MOST_FAILURES = 1000


@dataclass(frozen=True)
class Taken:
    """A snapshot, and the ID of its whole tree."""

    record: SnapshotRecord
    tree: str


def capture(repository: Repository, project: Path, **options: Any) -> SnapshotRecord:
    """Take a snapshot as :func:`take` does, and return its record alone."""
    return take(repository, project, **options).record


def take(
    repository: Repository,
    project: Path,
    *,
    tags: Sequence[str] = (),
    lineage: Sequence[str] | None = None,
    excluded: Sequence[Path] = (),
    gitignore: bool = True,
    force: bool = False,
    records: Path | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Taken:
    """Take a snapshot of a directory.

    Parameters
    ----------
    repository : Repository
        Not to be used again if this raises.
    project : Path
        The directory.
    tags : sequence of str
        Given to the snapshot.
    lineage : sequence of str, optional
        The newest snapshot that has these tags is the parent; ``tags`` unless given.
    excluded : sequence of Path
        Left out in any case, if they lie inside.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    force : bool
        Write a snapshot even if nothing changed.
    records : Path, optional
        See :meth:`Repository.lock`.
    progress : Progress, optional
    cancel : threading.Event, optional
        Set to stop; nothing is published then.

    Returns
    -------
    Taken
        The new one, or the parent if nothing changed; with the failures of this time.

    Raises
    ------
    NotFound, NotADirectory
        If there is no such directory.
    Conflict
        If somebody holds an exclusive lock.
    """
    project = project.resolve()
    if not project.exists():
        raise NotFound("The project directory does not exist", path=str(project))
    if not project.is_dir():
        raise NotADirectory("The project directory is a file", path=str(project))
    started = now()
    with repository.lock(records=records) as confirm:
        # Snapshots before the index: what a listed snapshot needs is in an index read later.
        parent = newest(repository.snapshots(), tags if lineage is None else lineage)
        repository.refresh()
        run = _Run(repository, project, excluded, gitignore=gitignore)
        run.progress, run.cancel = progress, cancel
        try:
            before = subtree(repository, parent) if parent else None
            node = run.tree(before)
            if parent and before and not force and _unchanged(before, node):
                record = replace(to_record(parent), failures=tuple(run.failures))
                return Taken(record, parent.tree)
            tree = _wrap(repository, project, node)
            repository.flush()
            confirm()
            snapshot = run.snapshot(tree, parent, tags, started)
            identifier = repository.save_snapshot(snapshot)
            # The snapshot is safe; what fails here is tried again after the next.
            with suppress(StorageError):
                repository.merge_index(confirm)
            return Taken(to_record(replace(snapshot, id=identifier)), tree)
        finally:
            run.close()


def _unchanged(before: Node, node: Node) -> bool:
    keys = ("subtree", "mode", "uid", "gid")
    return all(before.get(key) == node.get(key) for key in keys)


def _wrap(repository: Repository, project: Path, node: Node) -> str:
    """Save the directories above, as restic does, and return the ID of the whole tree."""
    for above in project.parents:
        identifier = repository.save_tree([node])
        if above.name:
            node = describe(str(above), above.name, above.lstat())
            node["subtree"] = identifier
    return identifier


@dataclass
class _Directory:
    """A directory whose tree is being made."""

    path: str
    key: str
    node: Node
    rules: Rules
    before: dict[str, Node] = field(default_factory=dict)
    below: list[os.DirEntry[str]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    waiting: list[tuple[Node, list[Future[str]]]] = field(default_factory=list)


class _Run:
    """One walk through the project directory."""

    def __init__(
        self,
        repository: Repository,
        project: Path,
        excluded: Sequence[Path],
        *,
        gitignore: bool,
    ) -> None:
        self._repository, self._project = repository, project
        self._excluded = frozenset(str(path.resolve()) for path in excluded)
        self._rules = Rules.of_project(project, gitignore=gitignore)
        self.progress: Progress | None = None
        self.cancel: threading.Event | None = None
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, "chunks")
        self._reader = ContentReader(repository, self._pool)
        self.failures: list[Failure] = []
        self.files = self.bytes = self.directories = 0
        self.new = self.changed = self.unmodified = 0

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def tree(self, before: Node | None) -> Node:
        """Save the project directory and return its node."""
        path = str(self._project)
        root = describe(path, self._project.name, self._project.lstat())
        try:
            entries = _scan(path)
        except OSError as error:
            raise from_os_error(error, path) from error
        stack = [self._enter(_Directory(path, "", root, self._rules), before, entries)]
        while True:
            here = stack[-1]
            if here.below:
                entry = here.below.pop()
                if (inside := self._descend(here, entry)) is not None:
                    stack.append(inside)
                continue
            node = self._leave(stack.pop())
            if not stack:
                return node
            stack[-1].nodes.append(node)

    def _descend(self, above: _Directory, entry: os.DirEntry[str]) -> _Directory | None:
        before = above.before.get(entry.name)
        try:
            status = entry.stat(follow_symlinks=False)
            node = describe(entry.path, entry.name, status)
            if before and same_file(before, status):
                node["atime"] = before["atime"]
            entries = _scan(entry.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fail(above, entry.name, from_os_error(error, above.key + entry.name).message)
            return None
        key = f"{above.key}{entry.name}/"
        return self._enter(_Directory(entry.path, key, node, above.rules), before, entries)

    def _enter(
        self, here: _Directory, before: Node | None, entries: list[os.DirEntry[str]]
    ) -> _Directory:
        if before and before["type"] == "dir" and before.get("subtree"):
            nodes = self._repository.load_tree(before["subtree"])
            here.before = {node_name(child): child for child in nodes}
        names = {entry.name for entry in entries}
        here.rules = here.rules.enter(here.key, here.path, names)
        self.directories += 1
        # The files that a database keeps beside itself come after it.
        for entry in sorted(entries, key=lambda e: (e.name.endswith(SIDECARS), e.name)):
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled("The snapshot was cancelled")
            directory = entry.is_dir(follow_symlinks=False)
            if entry.path in self._excluded or here.rules.excludes(
                here.key + entry.name, directory=directory
            ):
                continue
            if directory:
                here.below.append(entry)
            else:
                self._file(here, entry, names)
        here.below.reverse()
        return here

    def _leave(self, here: _Directory) -> Node:
        for node, futures in here.waiting:
            node["content"] = [future.result() for future in futures]
        here.node["subtree"] = self._repository.save_tree(here.nodes)
        return here.node

    def _file(self, here: _Directory, entry: os.DirEntry[str], names: set[str]) -> None:
        before = here.before.get(entry.name)
        try:
            if self._reader.is_covered(here.path, entry.name):
                return
            status = entry.stat(follow_symlinks=False)
            busy = any(entry.name + suffix in names for suffix in SIDECARS)
            if before and not busy and same_file(before, status) and self._holds(before):
                self._count(before, before)
                here.nodes.append(before)
                return
            if not stat.S_ISREG(status.st_mode):
                node = describe(entry.path, entry.name, status)
            else:
                node, futures = self._reader.read(here.path, entry.name, names)
                here.waiting.append((node, futures))
                if busy and before and _same_but_read(before, node):
                    node["atime"] = before["atime"]
            self._count(node, before)
            here.nodes.append(node)
            if self.progress:
                self.progress(node.get("size", 0), 1)
        except FileNotFoundError:
            # Deleted since the scan: as if the scan had come a moment later.
            return
        except Unreadable as error:
            self._fail(here, entry.name, str(error), "Unstable")
        except OSError as error:
            self._fail(here, entry.name, from_os_error(error, entry.name).message)

    def _holds(self, node: Node) -> bool:
        return all(self._repository.has_blob("data", blob) for blob in node.get("content") or ())

    def _fail(self, here: _Directory, name: str, message: str, kind: str = "AccessDenied") -> None:
        before = here.before.get(name)
        if before is not None:
            here.nodes.append(before)
            self._count(before, before)
            message += "; the snapshot keeps the version before"
        if len(self.failures) < _MOST_FAILURES:
            hint = "It is tried again by the next snapshot; or name it in .storageignore."
            self.failures.append(Failure(printable(here.key + name), kind, message, hint))

    def _count(self, node: Node, before: Node | None) -> None:
        if node["type"] == "dir":
            return
        self.files += 1
        self.bytes += node.get("size", 0)
        if before is node:
            self.unmodified += 1
        elif before is None:
            self.new += 1
        else:
            self.changed += 1

    def snapshot(
        self, tree: str, parent: Snapshot | None, tags: Sequence[str], started: int
    ) -> Snapshot:
        """Describe the whole, for publication."""
        repository = self._repository
        removed = None
        if parent and (known := parent.summary.get("total_files_processed")) is not None:
            removed = max(0, known - self.unmodified - self.changed)
        time = now()
        return Snapshot(
            id="",
            time=time,
            tree=tree,
            paths=(
                str(self._project).encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            ),
            hostname=socket.gethostname(),
            username=user_name(),
            uid=os.getuid(),
            gid=os.getgid(),
            tags=tuple(tags),
            parent=parent.id if parent else None,
            program_version=f"jupyter_storage {_version()}",
            summary=_summary(self, repository, started, time),
            extra={
                "files_removed": removed,
                "failures": to_wire(self.failures),
            },
        )


def _summary(run: _Run, repository: Repository, started: int, ended: int) -> dict[str, object]:
    return {
        "backup_start": to_text(started),
        "backup_end": to_text(ended),
        "files_new": run.new,
        "files_changed": run.changed,
        "files_unmodified": run.unmodified,
        "dirs_new": 0,
        "dirs_changed": 0,
        "dirs_unmodified": run.directories,
        "data_blobs": repository.blobs_added["data"],
        "tree_blobs": repository.blobs_added["tree"],
        "data_added": repository.bytes_added,
        "data_added_packed": repository.bytes_packed,
        "total_files_processed": run.files,
        "total_bytes_processed": run.bytes,
    }


def _same_but_read(before: Node, node: Node) -> bool:
    return all(before.get(key) == node.get(key) for key in ("mtime", "ctime", "inode", "mode"))


def _scan(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as scan:
        return list(scan)


def _version() -> str:
    try:
        return version("jupyter_storage")
    except PackageNotFoundError:
        return ""
