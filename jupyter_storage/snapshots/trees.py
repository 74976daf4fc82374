"""Finds nodes in a repository's trees, and keeps what it found.

A tree never changes under its ID, so that what was found in it holds for ever. No lock is taken:
who looks must not keep anybody from writing. If a prune moves blobs meanwhile, the index is read
anew and the look is taken again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar

from jupyter_storage.errors import NotFound
from jupyter_storage.snapshots.nodes import printable
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.tree import Node, node_name

__all__ = ["Trees"]

_KEPT_TREES = 8
_KEPT_CHILDREN = 50_000

T = TypeVar("T")


class Trees:
    """Looks into the trees of one repository. Safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._refreshed = 0
        self._trees: OrderedDict[str, list[Node]] = OrderedDict()
        self._children: OrderedDict[tuple[str, str], Node | None] = OrderedDict()

    def nodes(self, directory: Node | None) -> list[Node]:
        """Nodes of a directory; none for whatever is no directory."""
        if directory is None or directory["type"] != "dir" or not directory.get("subtree"):
            return []
        tree = directory["subtree"]
        with self._lock:
            if (kept := self._trees.get(tree)) is not None:
                self._trees.move_to_end(tree)
                return kept
        nodes = self.current(lambda: self.repository.load_tree(tree))
        with self._lock:
            self._trees[tree] = nodes
            while len(self._trees) > _KEPT_TREES:
                self._trees.popitem(last=False)
        return nodes

    def child(self, directory: Node, name: str) -> Node | None:
        """Find a node in a directory, by its name or by how its name is shown."""
        key = (directory.get("subtree", ""), name)
        with self._lock:
            if key in self._children:
                self._children.move_to_end(key)
                return self._children[key]
        nodes = self.nodes(directory)
        found = next((node for node in nodes if node_name(node) == name), None)
        if found is None and "\ufffd" in name:
            # Bytes that are not UTF-8 are shown like this, and cannot be typed.
            found = next((node for node in nodes if printable(node_name(node)) == name), None)
        with self._lock:
            self._children[key] = found
            while len(self._children) > _KEPT_CHILDREN:
                self._children.popitem(last=False)
        return found

    def descend(self, directory: Node, key: str) -> Node | None:
        """Find what lies at a key below a directory."""
        node: Node | None = directory
        for part in key.split("/") if key else ():
            if node is None or node["type"] != "dir":
                return None
            node = self.child(node, part)
        return node

    def project(self, snapshot: Snapshot) -> Node:
        """Find the node of the directory that a snapshot was taken of.

        restic notes a directory that was named absolutely by its whole path, and one that was
        named relatively by the part that was typed: the longest end of the path is it.
        """
        root: Node = {"name": "", "type": "dir", "subtree": snapshot.tree, "content": None}
        parts = PurePosixPath(snapshot.paths[0]).parts[1:] if len(snapshot.paths) == 1 else ()
        for start in range(len(parts)):
            node = self.descend(root, "/".join(parts[start:]))
            if node is not None and node["type"] == "dir":
                return node
        return root

    def current(self, look: Callable[[], T]) -> T:
        """Look, and once more with the index as it is now if something is not there."""
        seen = self._refreshed
        try:
            return look()
        except NotFound:
            with self._refreshing:
                if self._refreshed == seen:
                    self.repository.refresh()
                    self._refreshed += 1
        return look()
