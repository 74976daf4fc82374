"""What a repository holds, and what its snapshots need of it: for pruning and checking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from jupyter_storage.errors import NotFound
from jupyter_storage.snapshots.repository.catalog import Catalog
from jupyter_storage.snapshots.repository.files import Files, pack_key
from jupyter_storage.snapshots.repository.index import decode_index
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.packs import BlobType, PackedBlob
from jupyter_storage.snapshots.repository.reading import BlobReader
from jupyter_storage.snapshots.repository.snapshots import Snapshot
from jupyter_storage.snapshots.repository.walking import Trees, walk
from jupyter_storage.snapshots.repository.writing import BlobWriter

__all__ = ["AT_ONCE", "Needed", "Packs", "Parts", "listed_packs", "needed_blobs", "pack_sizes"]

AT_ONCE = 8
"""Files that are read or deleted at the same time."""

Needed = dict[BlobType, set[bytes]]
Packs = dict[str, Sequence[PackedBlob]]


@dataclass(frozen=True)
class Parts:
    """The parts of an open repository."""

    files: Files
    catalog: Catalog
    reader: BlobReader
    writer: BlobWriter


def pack_sizes(files: Files, known: Iterable[str]) -> dict[str, int]:
    """List the packs that are there, with their sizes.

    Parameters
    ----------
    files : Files
    known : iterable of str
        Packs that should be there. A list may be behind: who is not in it is looked for by name.
    """
    sizes: dict[str, int] = {}
    # An object store has no directory before there is something in it.
    with suppress(NotFound):
        for entry in files.store.walk("data"):
            if entry.type == "file" and len(entry.name) == 64:
                sizes[entry.name] = entry.size or 0
    with ThreadPoolExecutor(AT_ONCE, "packs") as pool:
        for name, size in pool.map(partial(_size, files), set(known) - sizes.keys()):
            if size is not None:
                sizes[name] = size
    return sizes


def _size(files: Files, pack: str) -> tuple[str, int | None]:
    try:
        return pack, files.store.stat(pack_key(pack)).size or 0
    except NotFound:
        return pack, None


def listed_packs(files: Files, names: Iterable[str]) -> Packs:
    """Read which packs index files list, and their blobs."""
    packs: Packs = {}
    with ThreadPoolExecutor(AT_ONCE, "index") as pool:
        for content in pool.map(lambda name: files.load("index", name), names):
            for pack, blobs in decode_index(content):
                if len(blobs) >= len(packs.get(pack, ())):
                    packs[pack] = blobs
    return packs


def needed_blobs(trees: Trees, snapshots: Iterable[Snapshot], hold: Hold) -> Needed:
    """All that snapshots hold.

    Parameters
    ----------
    trees : Trees
    snapshots : iterable of Snapshot
    hold : Hold
        Confirmed at every tree, for this may take long.

    Raises
    ------
    NotFound, ChecksumMismatch
        If a tree cannot be read.
    """
    needed: Needed = {"data": set(), "tree": set()}
    for visit, nodes in walk(trees, snapshots):
        hold()
        needed["tree"].add(bytes.fromhex(visit.tree))
        for node in nodes:
            needed["data"].update(map(bytes.fromhex, node.get("content") or ()))
    return needed
