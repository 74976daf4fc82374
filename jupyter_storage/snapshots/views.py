"""Snapshots as records, and the project directory's place in their trees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from jupyter_storage.records import Failure, SnapshotRecord
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.times import to_datetime
from jupyter_storage.snapshots.repository.tree import Node, find

__all__ = ["newest", "subtree", "to_record"]


def newest(snapshots: Sequence[Snapshot], tags: Sequence[str]) -> Snapshot | None:
    """The last of some snapshots (oldest first) that has all these tags."""
    return next((s for s in reversed(snapshots) if set(tags) <= set(s.tags)), None)


def subtree(repository: Repository, snapshot: Snapshot) -> Node:
    """Find the node of the directory that a snapshot was taken of.

    restic notes a directory that was named absolutely by its whole path, and one that was named
    relatively by the part that was typed: the longest end of the path that is there is it.
    """
    root: Node = {"name": "", "type": "dir", "subtree": snapshot.tree, "content": None}
    parts = PurePosixPath(snapshot.paths[0]).parts[1:] if len(snapshot.paths) == 1 else ()
    for start in range(len(parts)):
        node: Node | None = root
        for part in parts[start:]:
            if node is not None and node["type"] == "dir" and node.get("subtree"):
                node = find(repository.load_tree(node["subtree"]), part)
            else:
                node = None
        if node is not None and node["type"] == "dir":
            return node
    return root


def to_record(snapshot: Snapshot) -> SnapshotRecord:
    """Describe a snapshot for faces."""
    summary, extra = snapshot.summary, snapshot.extra
    return SnapshotRecord(
        id=snapshot.id,
        short_id=snapshot.id[:8],
        time=to_datetime(snapshot.time),
        hostname=snapshot.hostname,
        username=snapshot.username,
        paths=snapshot.paths,
        tags=snapshot.tags,
        parent=snapshot.parent,
        files=summary.get("total_files_processed"),
        bytes=summary.get("total_bytes_processed"),
        files_new=summary.get("files_new"),
        files_changed=summary.get("files_changed"),
        files_removed=extra.get("files_removed"),
        bytes_added=summary.get("data_added_packed"),
        failures=tuple(Failure(**failure) for failure in extra.get("failures") or ()),
    )
