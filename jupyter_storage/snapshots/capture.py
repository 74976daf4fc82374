"""Takes a snapshot: looks at every file, reads those that changed, writes what is new.

A file counts as unchanged where size, times, inode, owner and permissions are those of the
parent snapshot; its blobs are taken over without reading it. A file that cannot be read, or that
changes all the time, keeps the version of the parent, is listed among the failures, and is tried
again by the next snapshot.

Whoever knows what changed since the parent may say so: then only that is looked at.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_storage.errors import NotADirectory, NotFound, StorageError
from jupyter_storage.records import SnapshotRecord, to_wire
from jupyter_storage.snapshots.dirty import Dirty, Mark
from jupyter_storage.snapshots.nodes import describe
from jupyter_storage.snapshots.parents import Parents, Trees
from jupyter_storage.snapshots.recognition import Recognition
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.crypto import user_name
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.times import now, to_text
from jupyter_storage.snapshots.repository.tree import Node
from jupyter_storage.snapshots.views import to_record
from jupyter_storage.snapshots.walk import HardLinked, Progress, Totals, Walk

__all__ = ["Changes", "Memory", "Progress", "Taken", "capture", "take"]


@dataclass(frozen=True)
class Changes:
    """All that changed since a snapshot.

    Attributes
    ----------
    base : str
        ID of the snapshot's whole tree.
    marks : sequence of Mark
        Where something changed.
    """

    base: str
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Taken:
    """A snapshot that was taken.

    Attributes
    ----------
    record : SnapshotRecord
    tree : str
        ID of its whole tree.
    failed : sequence of Mark
        What could not be read.
    """

    record: SnapshotRecord
    tree: str
    failed: Sequence[Mark] = ()


class Memory:
    """What one capture leaves for the next one on the same repository.

    Parameters
    ----------
    repository : Repository
    state : Path, optional
        Directory on this machine in which some of it outlives the process.
    """

    def __init__(self, repository: Repository, state: Path | None = None) -> None:
        self.parents = Parents(repository)
        self.trees = Trees(repository)
        path = state / f"directories-{repository.id[:16]}.sqlite" if state else None
        self.recognition = Recognition(repository, path)

    def close(self) -> None:
        """Let go of what is remembered in a file."""
        self.recognition.close()


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
    changes: Changes | None = None,
    lock: AbstractContextManager[Hold] | None = None,
    memory: Memory | None = None,
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
    changes : Changes, optional
        What changed. Where the parent has another tree than they build upon, and unless given,
        everything is looked at.
    lock : context manager, optional
        Gives a lock of the repository; one is taken unless given.
    memory : Memory, optional
        Of captures before, on the same repository.
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
    memory = memory or Memory(repository)
    started, written = now(), _Written(repository)
    with lock or repository.lock(patient=True) as confirm:
        parent, lost = _parent(
            repository,
            memory.parents,
            tags if lineage is None else lineage,
            changes.base if changes else None,
        )
        memory.recognition.begin(lost=lost)
        before = memory.trees.project(parent) if parent else None

        def walk(dirty: Dirty | None) -> tuple[Walk, Node]:
            totals = _totals(parent) if dirty is not None and parent else None
            walk = Walk(
                repository,
                memory.trees,
                project,
                excluded,
                gitignore=gitignore,
                dirty=dirty if totals else None,
                totals=totals or Totals(),
                recognition=memory.recognition,
            )
            walk.progress, walk.cancel = progress, cancel
            try:
                return walk, walk.tree(before)
            finally:
                walk.close()

        known = changes is not None and parent is not None and parent.tree == changes.base
        try:
            done, node = walk(Dirty.of(changes.marks) if changes and known else None)
        except HardLinked:
            done, node = walk(None)
        if parent and before and not force and _unchanged(before, node):
            memory.recognition.end(done.looked)
            record = replace(to_record(parent), failures=tuple(done.failures))
            return Taken(record, parent.tree, done.failed)
        tree = _wrap(repository, project, node)
        repository.flush()
        confirm()
        snapshot = replace(
            _described(project, tree, parent, tags, done),
            summary=_summary(done, written, started),
        )
        snapshot = replace(snapshot, id=repository.save_snapshot(snapshot))
        # The snapshot is safe; what fails here is tried again after the next.
        with suppress(StorageError):
            repository.merge_index(confirm)
        memory.parents.learn(snapshot)
        memory.trees.remember(tree, node)
        memory.recognition.end(done.looked)
        return Taken(to_record(snapshot), tree, done.failed)


def _parent(
    repository: Repository, parents: Parents, line: Sequence[str], base: str | None
) -> tuple[Snapshot | None, bool]:
    """The snapshot to be continued, and whether blobs may have gone from the repository."""
    lost = False
    if base is not None:
        lost = repository.refresh()
        if (last := parents.last(line, base)) is not None:
            return last, lost
    # Snapshots before the index: what a listed snapshot needs is in an index read later.
    parent = parents.newest(line)
    return parent, repository.refresh() or lost


def _totals(parent: Snapshot) -> Totals | None:
    """What the parent holds, if its writer noted it."""
    summary = parent.summary
    try:
        return Totals(
            summary["total_files_processed"],
            summary["total_bytes_processed"],
            summary["dirs_new"] + summary["dirs_changed"] + summary["dirs_unmodified"],
        )
    except KeyError:
        return None


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


def _described(
    project: Path, tree: str, parent: Snapshot | None, tags: Sequence[str], walk: Walk
) -> Snapshot:
    removed = None
    if parent and (known := parent.summary.get("total_files_processed")) is not None:
        removed = max(0, known - (walk.totals.files - walk.new))
    return Snapshot(
        id="",
        # A clock that was put back must not make this older than what it follows.
        time=max(now(), parent.time + 1000) if parent else now(),
        tree=tree,
        paths=(str(project).encode("utf-8", "surrogateescape").decode("utf-8", "replace"),),
        hostname=socket.gethostname(),
        username=user_name(),
        uid=os.getuid(),
        gid=os.getgid(),
        tags=tuple(tags),
        parent=parent.id if parent else None,
        program_version=f"jupyter_storage {_version()}",
        extra={"files_removed": removed, "failures": to_wire(walk.failures)},
    )


class _Written:
    """What a repository that was used before has written since."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._before = self._now()

    def _now(self) -> tuple[int, int, int, int]:
        repository = self._repository
        blobs = repository.blobs_added
        return blobs["data"], blobs["tree"], repository.bytes_added, repository.bytes_packed

    def since(self) -> tuple[int, ...]:
        return tuple(now - then for now, then in zip(self._now(), self._before, strict=True))


def _summary(walk: Walk, written: _Written, started: int) -> dict[str, object]:
    data, trees, plain, packed = written.since()
    totals = walk.totals
    return {
        "backup_start": to_text(started),
        "backup_end": to_text(now()),
        "files_new": walk.new,
        "files_changed": walk.changed,
        "files_unmodified": totals.files - walk.new - walk.changed,
        "dirs_new": 0,
        "dirs_changed": 0,
        "dirs_unmodified": totals.directories,
        "data_blobs": data,
        "tree_blobs": trees,
        "data_added": plain,
        "data_added_packed": packed,
        "total_files_processed": totals.files,
        "total_bytes_processed": totals.bytes,
    }


@cache
def _version() -> str:
    # Its import takes as long as many a snapshot.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jupyter_storage")
    except PackageNotFoundError:
        return ""
