"""Snapshots as records, the lines that they form, and the project directory in their trees.

A workspace has one main line of snapshots, and a fork for each machine that wrote while another
one held the lease (see :mod:`~jupyter_storage.snapshots.lease`). A snapshot's tags say which:
``epoch:<number>``, and on a fork also ``fork:<id>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from jupyter_storage.records import Failure, SnapshotRecord
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.times import to_datetime
from jupyter_storage.snapshots.repository.tree import Node, find

__all__ = [
    "EPOCH",
    "FORK",
    "NAME",
    "PINNED",
    "age",
    "epoch_of",
    "fork_of",
    "newest",
    "subtree",
    "to_record",
]

EPOCH, FORK, NAME = "epoch:", "fork:", "name:"
PINNED = "pinned"


def fork_of(tags: Sequence[str]) -> str | None:
    """Name of the fork that a snapshot with these tags is on; None for the main line."""
    return next((tag.removeprefix(FORK) for tag in tags if tag.startswith(FORK)), None)


def epoch_of(tags: Sequence[str]) -> int:
    """Epoch in which a snapshot with these tags was taken; 0 where nobody held a lease."""
    numbers = [tag.removeprefix(EPOCH) for tag in tags if tag.startswith(EPOCH)]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def age(snapshot: Snapshot) -> tuple[int, int]:
    """What snapshots of one line are sorted by.

    The epoch comes first: a holder that was taken over and has not noticed yet writes nothing
    that would count as newest, and clocks of different machines are not compared.
    """
    return epoch_of(snapshot.tags), snapshot.time


def newest(snapshots: Sequence[Snapshot], tags: Sequence[str]) -> Snapshot | None:
    """The newest of some snapshots that has all these tags; of the main line, or the fork named."""
    fork = fork_of(tags)
    line = [s for s in snapshots if set(tags) <= set(s.tags) and fork_of(s.tags) == fork]
    return max(line, key=age, default=None)


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
        fork=fork_of(snapshot.tags),
        label=_label(snapshot.tags),
        parent=snapshot.parent,
        files=summary.get("total_files_processed"),
        bytes=summary.get("total_bytes_processed"),
        files_new=summary.get("files_new"),
        files_changed=summary.get("files_changed"),
        files_removed=extra.get("files_removed"),
        bytes_added=summary.get("data_added_packed"),
        failures=tuple(Failure(**failure) for failure in extra.get("failures") or ()),
    )


def _label(tags: Sequence[str]) -> str | None:
    names = [tag.removeprefix(NAME) for tag in tags if tag.startswith(NAME)]
    return names[0] if names else (PINNED if PINNED in tags else None)
