"""A snapshot into another repository: the beginning of a new workspace."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.index import Location
from jupyter_storage.snapshots.repository.walking import walk

__all__ = ["clone"]

_READERS = 4


def clone(source: Repository, snapshot: Snapshot, target: Repository, tag: str) -> Snapshot:
    """Copy a snapshot with all that it holds.

    Parameters
    ----------
    source : Repository
        Refreshed, and locked by the caller.
    snapshot : Snapshot
    target : Repository
        As ``source``. Blobs that it has are not copied again.
    tag : str
        Of the workspace that it is for; the only one that the copy carries.

    Returns
    -------
    Snapshot
        The copy. It appears when all that it needs is there.
    """
    packs: dict[str, dict[str, Location]] = defaultdict(dict)
    for visit, nodes in walk(source, [snapshot]):
        if not target.has_blob("tree", visit.tree):
            target.save_blob("tree", source.load_blob("tree", visit.tree))
        for blob in (blob for node in nodes for blob in node.get("content") or ()):
            if not target.has_blob("data", blob):
                place = source.locate("data", blob)
                packs[place.pack][blob] = place
    with ThreadPoolExecutor(_READERS, "clone") as pool:
        for _ in pool.map(lambda pack: _copy(source, target, *pack), packs.items()):
            pass
    target.flush()
    copy = replace(snapshot, id="", tags=(tag,), parent=None)
    return replace(copy, id=target.save_snapshot(copy))


def _copy(source: Repository, target: Repository, pack: str, blobs: dict[str, Location]) -> None:
    """Copy some blobs of one pack, which is read once."""
    start = min(place.offset for place in blobs.values())
    end = max(place.offset + place.length for place in blobs.values())
    content = memoryview(source.read_pack(pack, start, end - start))
    for blob, place in blobs.items():
        sealed = content[place.offset - start :][: place.length]
        target.save_blob("data", source.decode_blob(blob, sealed, place.uncompressed))
