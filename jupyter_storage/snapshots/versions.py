"""Nodes as entries and versions of files, for faces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Literal, cast

from jupyter_storage.records import Entry, FileVersion
from jupyter_storage.snapshots.nodes import printable
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.repository.times import from_text, to_datetime
from jupyter_storage.snapshots.repository.tree import Node, link_target

__all__ = ["SHOWN", "group_versions", "to_entry"]

# Pipes, sockets and devices hold nothing to look at.
SHOWN = {"dir": "directory", "file": "file", "symlink": "symlink"}

Found = tuple[Snapshot, Node]


def to_entry(node: Node, key: str) -> Entry:
    """Describe what lies at a key of a snapshot; its checksum names its content."""
    kind = SHOWN[node["type"]]
    shown = printable(key)
    checksum = None
    if kind == "file":
        blobs = "".join(node.get("content") or ())
        checksum = f"blobs-sha256:{sha256(blobs.encode()).hexdigest()}"
    return Entry(
        path=shown,
        name=shown.rpartition("/")[2],
        type=cast("Literal['file', 'directory', 'symlink']", kind),
        size=_size(node),
        modified=_modified(node),
        checksum=checksum,
        link=printable(link_target(node)) if kind == "symlink" else None,
    )


def group_versions(
    key: str, found: Sequence[Found], status: os.stat_result | None
) -> list[FileVersion]:
    """Put the snapshots of a file together into versions, newest first.

    The same content and time is one version, also where two machines take turns. The same content
    in one version after another was only touched: that is one as well.

    Parameters
    ----------
    key : str
    found : sequence of tuple
        Snapshots that have the file, oldest first, and its node in them.
    status : os.stat_result or None
        Of the file as it is now.
    """
    same: dict[object, list[Found]] = {}
    for each in found:
        same.setdefault((_content(each[1]), each[1].get("mtime")), []).append(each)
    merged: list[list[Found]] = []
    for group in sorted(same.values(), key=lambda group: group[-1][0].time):
        if merged and _content(merged[-1][-1][1]) == _content(group[-1][1]):
            merged[-1] += group
        else:
            merged.append(group)
    return [_version(key, group, status) for group in reversed(merged)]


def _version(key: str, group: list[Found], status: os.stat_result | None) -> FileVersion:
    group = sorted(group, key=lambda each: each[0].time, reverse=True)
    newest, node = group[0]
    return FileVersion(
        path=printable(key),
        snapshot=newest.id,
        snapshots=tuple(snapshot.id for snapshot, _ in group),
        first=to_datetime(group[-1][0].time),
        last=to_datetime(newest.time),
        type="file" if node["type"] == "file" else "symlink",
        size=_size(node),
        modified=_modified(node),
        current=status is not None and any(_is_now(each, status) for _, each in group),
    )


def _is_now(node: Node, status: os.stat_result) -> bool:
    size = status.st_size if node["type"] == "file" else 0
    with suppress(ValueError, KeyError):
        return node.get("size", 0) == size and from_text(node["mtime"]) == status.st_mtime_ns
    return False


def _content(node: Node) -> tuple[object, ...]:
    return node["type"], node.get("size", 0), tuple(node.get("content") or ()), link_target(node)


def _size(node: Node) -> int | None:
    return node.get("size", 0) if node["type"] == "file" else None


def _modified(node: Node) -> datetime | None:
    with suppress(ValueError, KeyError):
        return to_datetime(from_text(node["mtime"]))
    return None
