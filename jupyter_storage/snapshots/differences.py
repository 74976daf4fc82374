"""What of one version another one lacks, or has differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_storage.paths import is_below
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.tree import Node, node_name

__all__ = ["Loss", "losses"]


@dataclass(frozen=True)
class Loss:
    """A file or directory that goes, or is replaced, where one version gives way to another.

    Attributes
    ----------
    key : str
        Relative to the project directory.
    node : Node
        As it is before.
    replaced : bool
        Whether the other version has something of this name; else it is removed.
    in_the_way : bool
        Whether the other version has a file where this directory, or one above, is.
    """

    key: str
    node: Node
    replaced: bool
    in_the_way: bool = False


def losses(
    repository: Repository, before: Node, after: Node, paths: Sequence[str] = ()
) -> Iterator[Loss]:
    """Yield what of ``before`` is not in ``after``: directories before what is in them.

    Directories that are the same in both are not read.

    Parameters
    ----------
    repository : Repository
        Refreshed.
    before, after : Node
        Two versions of a directory.
    paths : sequence of str
        Only these, and what is below; all unless given.
    """
    pending: list[tuple[str, Node, Node | None, bool]] = [("", before, after, False)]
    while pending:
        key, old, new, in_the_way = pending.pop()
        if new is not None and new.get("subtree") == old.get("subtree"):
            continue
        others = _children(repository, new) if new is not None else {}
        for name, node in _children(repository, old).items():
            child = f"{key}/{name}" if key else name
            inside = not paths or any(is_below(child, path) for path in paths)
            if not inside and not any(path.startswith(child + "/") for path in paths):
                continue
            other = others.get(name)
            if node["type"] == "dir":
                is_directory = other is not None and other["type"] == "dir"
                blocked = in_the_way or (other is not None and not is_directory)
                if inside and not is_directory:
                    yield Loss(child, node, other is not None, blocked)
                pending.append((child, node, other if is_directory else None, blocked))
            elif inside and (other is None or not _same(node, other)):
                yield Loss(child, node, other is not None, in_the_way)


def _children(repository: Repository, directory: Node) -> dict[str, Node]:
    if not directory.get("subtree"):
        return {}
    return {node_name(node): node for node in repository.load_tree(directory["subtree"])}


def _same(node: Node, other: Node) -> bool:
    keys = ("type", "content", "linktarget", "mtime")
    return all(node.get(key) == other.get(key) for key in keys)
