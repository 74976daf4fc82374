"""Which snapshot a new one continues, and the directories of its tree that are wanted again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from jupyter_storage.errors import NotFound
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.tree import (
    Line,
    Node,
    decode_tree,
    encode_tree,
    spelled_nodes,
)
from jupyter_storage.snapshots.views import age, fork_of, newest, subtree

__all__ = ["Parents", "Trees"]

_READERS = 8
_MOST_BYTES = 16 * 2**20
_RECENT = 60.0  # seconds for which a list will do: of a busy hour it names 1,000 snapshots


class Parents:
    """Finds the newest snapshot. Files of snapshots never change: each is read once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {}
        self._last: Snapshot | None = None
        self._learned = -1
        self._listed = float("-inf")

    def last(self, tags: Sequence[str], base: str) -> Snapshot | None:
        """The snapshot that was written here last, if nobody can have written another one since.

        To be called after a refresh: whoever writes a snapshot writes an index before.

        Parameters
        ----------
        tags : sequence of str
            As for :meth:`newest`.
        base : str
            The tree that it must have.
        """
        last = self._last
        alone = self._repository.learned == self._learned
        if last is None or last.tree != base or not alone:
            return None
        recent = time.monotonic() < self._listed + _RECENT
        return newest([last], tags) if recent else None

    def newest(self, tags: Sequence[str]) -> Snapshot | None:
        """The newest snapshot that has all these tags; see :func:`views.newest`."""
        self._list()
        wanted, fork = set(tags), fork_of(tags)
        line = [
            (old, name)
            for name, (old, has) in self._known.items()
            if wanted <= set(has) and fork_of(has) == fork
        ]
        return self._load(max(line)[1]) if line else None

    def _list(self) -> None:
        self._learned, self._listed = self._repository.learned, time.monotonic()
        names = set(self._repository.list_files("snapshots"))
        for gone in self._known.keys() - names:
            del self._known[gone]
        if new := names - self._known.keys():
            with ThreadPoolExecutor(min(_READERS, len(new)), "snapshots") as pool:
                for snapshot in pool.map(self._load, new):
                    if snapshot is not None:
                        self._note(snapshot)

    def learn(self, snapshot: Snapshot) -> None:
        """Note a snapshot that was just written."""
        self._last = snapshot
        self._note(snapshot)

    def _note(self, snapshot: Snapshot) -> None:
        self._known[snapshot.id] = (age(snapshot), snapshot.tags)

    def _load(self, name: str) -> Snapshot | None:
        try:
            return Snapshot.from_json(name, self._repository.load_unpacked("snapshots", name))
        except NotFound:
            # Forgotten since the listing.
            return None


class Trees:
    """Directories of a repository, some of them in memory.

    The directories on the way to a changed file are wanted with every change; the rest of a tree
    may be large and is not.

    Parameters
    ----------
    repository : Repository
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._project: tuple[str, Node] | None = None

    def load(self, identifier: str) -> list[Node]:
        """Read a directory."""
        return decode_tree(self._content(identifier))

    def spelled(self, identifier: str) -> dict[str, str]:
        """Read a directory; see :func:`spelled_nodes`."""
        return spelled_nodes(self._content(identifier))

    def _content(self, identifier: str) -> bytes:
        content = self._kept.get(identifier)
        if content is None:
            content = self._repository.load_blob("tree", identifier)
            self._keep(identifier, content)
        else:
            self._kept.move_to_end(identifier)
        return content

    def save(self, nodes: list[Node], lines: Sequence[Line] = ()) -> str:
        """Save a directory and return its ID; see :func:`encode_tree`."""
        content = encode_tree(nodes, lines)
        identifier = self._repository.save_blob("tree", content)
        self._keep(identifier, content)
        return identifier

    def project(self, snapshot: Snapshot) -> Node:
        """Find the node of the project directory in a snapshot."""
        if self._project is None or self._project[0] != snapshot.tree:
            self._project = (snapshot.tree, subtree(self._repository, snapshot))
        return self._project[1]

    def remember(self, tree: str, project: Node) -> None:
        """Note the node of the project directory in a snapshot with a certain tree."""
        self._project = (tree, project)

    def _keep(self, identifier: str, content: bytes) -> None:
        if identifier in self._kept:
            return
        self._kept[identifier] = content
        self._size += len(content)
        while self._size > _MOST_BYTES:
            self._size -= len(self._kept.popitem(last=False)[1])
