"""Directories whose trees are being made."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from jupyter_storage.snapshots.databases import SIDECARS
from jupyter_storage.snapshots.dirty import Dirty
from jupyter_storage.snapshots.entries import Entry, Names
from jupyter_storage.snapshots.ignore import Rules
from jupyter_storage.snapshots.repository.tree import Line, Node, node_name

__all__ = ["Directory", "HardLinked", "Row", "Totals", "with_companions"]


class HardLinked(Exception):
    """A file with several names changed: the other names changed with it, and could be anywhere."""


@dataclass
class Totals:
    """How much a tree holds."""

    files: int = 0
    bytes: int = 0
    directories: int = 0

    def add(self, other: Totals) -> None:
        """Add what something else holds."""
        self.files += other.files
        self.bytes += other.bytes
        self.directories += other.directories

    def count(self, node: Node, sign: int = 1) -> None:
        """Add a node alone, or take it away."""
        if node["type"] == "dir":
            self.directories += sign
        else:
            self.files += sign
            self.bytes += sign * node.get("size", 0)


Row = tuple[str, int, int, int, int, int, int, int]
"""What counts about an entry of a directory; see :mod:`jupyter_storage.snapshots.recognition`."""


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
    # Nodes that are taken over without a look at them.
    kept: list[Line] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    unread: int = 0
    # What was compared with the nodes before; None where something could not be.
    rows: list[Row] | None = None
    totals: Totals = field(default_factory=Totals)
    waiting: list[tuple[Node, list[Future[str]]]] = field(default_factory=list)

    @property
    def is_unchanged(self) -> bool:
        """Whether it holds what it held before: then it need not be written down anew."""
        if self.lines or len(self.nodes) != len(self.before):
            return False
        for node in self.nodes:
            before = self.before.get(node_name(node))
            if before is not node and before != node:
                return False
        return True


def with_companions(names: Iterable[str], *known: Container[str]) -> Iterator[str]:
    """Names, and those of the files that are one with them: databases and their logs.

    Parameters
    ----------
    names : iterable of str
    *known : container of str
        The files that there are, or were.
    """
    for name in names:
        base = next((name[: -len(s)] for s in SIDECARS if name.endswith(s)), name)
        for one in {name, base}:
            yield one
            for suffix in SIDECARS:
                if any(one + suffix in each for each in known):
                    yield one + suffix
