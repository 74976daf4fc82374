"""Directories whose trees are being made."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from jupyter_storage.snapshots.dirty import Dirty
from jupyter_storage.snapshots.entries import Entry, Names
from jupyter_storage.snapshots.ignore import Rules
from jupyter_storage.snapshots.repository.tree import Line, Node

__all__ = ["Directory", "Totals"]


@dataclass
class Totals:
    """How much a tree holds."""

    files: int = 0
    bytes: int = 0
    directories: int = 0

    def count(self, node: Node, sign: int = 1) -> None:
        """Add a node alone, or take it away."""
        if node["type"] == "dir":
            self.directories += sign
        else:
            self.files += sign
            self.bytes += sign * node.get("size", 0)


@dataclass
class Directory:
    """A directory whose tree is being made."""

    path: str
    key: str
    node: Node
    rules: Rules
    names: set[str] | Names
    logs: bool
    dirty: Dirty | None
    tree: str | None = None
    above: Directory | None = None
    before: dict[str, Node] = field(default_factory=dict)
    gone: dict[str, Node] = field(default_factory=dict)
    below: list[Entry] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    unread: int = 0
    waiting: list[tuple[Node, list[Future[str]]]] = field(default_factory=list)
