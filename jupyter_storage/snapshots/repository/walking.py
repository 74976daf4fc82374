"""All that snapshots hold: every tree, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.repository.snapshots import Snapshot
from jupyter_storage.snapshots.repository.tree import Node

__all__ = ["Visit", "walk"]

_READERS = 8


class Trees(Protocol):
    """What a walk needs of a repository."""

    def load_tree(self, identifier: str) -> list[Node]:
        """Read a directory."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A tree on the way.

    Attributes
    ----------
    snapshot : str
        ID of the first snapshot that holds it.
    path : str
        Where it lies there, with quoted names; empty at the top.
    tree : str
    """

    snapshot: str
    path: str
    tree: str


def walk(
    trees: Trees,
    snapshots: Iterable[Snapshot],
    failed: Callable[[Visit, StorageError], None] | None = None,
) -> Iterator[tuple[Visit, list[Node]]]:
    """Read every tree that snapshots hold; one that many hold is read once.

    Parameters
    ----------
    trees : Trees
    snapshots : iterable of Snapshot
    failed : callable, optional
        Told of trees that cannot be read; they are raised unless it is given.

    Yields
    ------
    tuple
        The tree, and what is in it.
    """
    seen: set[bytes] = set()

    def fresh(visits: Iterable[Visit]) -> list[Visit]:
        found = []
        for visit in visits:
            if (raw := bytes.fromhex(visit.tree)) not in seen:
                seen.add(raw)
                found.append(visit)
        return found

    def load(visit: Visit) -> list[Node] | StorageError:
        try:
            return trees.load_tree(visit.tree)
        except StorageError as error:
            return error

    with ThreadPoolExecutor(_READERS, "trees") as pool:
        level = fresh(Visit(each.id, "", each.tree) for each in snapshots)
        while level:
            below: list[Visit] = []
            for visit, nodes in zip(level, pool.map(load, level), strict=True):
                if isinstance(nodes, StorageError):
                    if failed is None:
                        raise nodes
                    failed(visit, nodes)
                    continue
                yield visit, nodes
                below += fresh(
                    Visit(visit.snapshot, f"{visit.path}/{node['name']}", node["subtree"])
                    for node in nodes
                    if node["type"] == "dir" and node.get("subtree")
                )
            level = below
