"""What differs between two trees.

Equal trees have equal IDs: what did not change is not looked at, so that the cost is that of the
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from jupyter_storage.records import Comparison, Difference
from jupyter_storage.snapshots.nodes import printable
from jupyter_storage.snapshots.repository.names import raw
from jupyter_storage.snapshots.repository.tree import Node, node_name
from jupyter_storage.snapshots.trees import Trees

__all__ = ["compare", "differences"]

MOST = 200_000
"""Differences that are counted; more are cut off and said to be."""

Kind = Literal["file", "directory", "symlink", "other"]

_KINDS: dict[str, Kind] = {"file": "file", "dir": "directory", "symlink": "symlink"}
_ATTRIBUTES = ("mode", "uid", "gid", "extended_attributes")


def differences(
    trees: Trees, before: Node | None, after: Node | None, path: str = ""
) -> Iterator[Difference]:
    """Yield what differs between two nodes and below them, in the order of paths.

    Parameters
    ----------
    trees : Trees
    before, after : Node or None
        None where there was, or is, nothing.
    path : str
        How they are called.
    """
    stack = [(path, before, after)]
    while stack:
        here, old, new = stack.pop()
        if (found := _difference(here, old, new)) is not None:
            yield found
        if _tree(old) != _tree(new):
            stack.extend(reversed(_pairs(trees, here, old, new)))


def compare(
    trees: Trees,
    before: Node | None,
    after: Node | None,
    *,
    names: tuple[str | None, str],
    path: str = "",
    limit: int = 1000,
) -> Comparison:
    """Count what differs, and list the first ``limit`` of it; ``names`` are the snapshots' IDs."""
    counts = {"added": 0, "removed": 0, "changed": 0}
    plus = minus = seen = 0
    entries: list[Difference] = []
    stream = differences(trees, before, after, path)
    for entry in islice(stream, MOST):
        seen += 1
        if len(entries) < limit:
            entries.append(entry)
        if entry.type != "directory":
            counts["changed" if entry.change in {"type", "attributes"} else entry.change] += 1
        grown = (entry.after or 0) - (entry.before or 0)
        plus, minus = plus + max(grown, 0), minus + max(-grown, 0)
    complete = seen == len(entries) and next(stream, None) is None
    return Comparison(
        names[0], names[1], printable(path), **counts, bytes_added=plus, bytes_removed=minus,
        entries=tuple(entries), complete=complete,
    )  # fmt: skip


def _difference(path: str, old: Node | None, new: Node | None) -> Difference | None:
    if not path:
        return None
    shown = printable(path)
    if old is None or new is None:
        there = new if old is None else old
        if there is None:
            return None
        change: Literal["added", "removed"] = "added" if old is None else "removed"
        return Difference(shown, change, _kind(there), _size(old), _size(new))
    if old["type"] != new["type"]:
        return Difference(shown, "type", _kind(new), _size(old), _size(new))
    content = ("content", "linktarget", "device")
    if any((old.get(field) or None) != (new.get(field) or None) for field in content):
        return Difference(shown, "changed", _kind(new), _size(old), _size(new))
    if any(old.get(field) != new.get(field) for field in _ATTRIBUTES):
        return Difference(shown, "attributes", _kind(new), _size(old), _size(new))
    return None


def _pairs(
    trees: Trees, path: str, old: Node | None, new: Node | None
) -> list[tuple[str, Node | None, Node | None]]:
    olds = {node_name(node): node for node in trees.nodes(old)}
    news = {node_name(node): node for node in trees.nodes(new)}
    return [
        (f"{path}/{name}" if path else name, olds.get(name), news.get(name))
        for name in sorted(olds.keys() | news.keys(), key=raw)
        if olds.get(name) != news.get(name)
    ]


def _tree(node: Node | None) -> str | None:
    return node.get("subtree") if node is not None and node["type"] == "dir" else None


def _kind(node: Node) -> Kind:
    return _KINDS.get(node["type"], "other")


def _size(node: Node | None) -> int | None:
    return node.get("size", 0) if node is not None and node["type"] == "file" else None
