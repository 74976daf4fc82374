"""Few index files in place of many: each snapshot writes one, and opening reads them all.

What is merged is written before the old files are deleted: a crash leaves packs that are listed
twice, which does no harm. Nothing is deleted while somebody else holds a lock: stock restic gives
up where a file is gone that it has just seen in a listing. Whoever takes a lock now looks at the
index a fifth of a second later; so locks are looked for again before each few files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jupyter_storage.snapshots.repository.catalog import Catalog, IndexFile
from jupyter_storage.snapshots.repository.files import Files
from jupyter_storage.snapshots.repository.index import MOST_BLOBS, decode_index
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.packs import PackedBlob

__all__ = ["merge_index"]

_MOST_SMALL = 32
# Blobs; a file with more than the last of these stays as it is. Files are merged with others
# between the same two sizes alone: the few blobs of a change never cost many to be written anew.
_SIZES = (MOST_BLOBS // 100, MOST_BLOBS // 10, MOST_BLOBS // 2)
_AT_ONCE = 8


def merge_index(files: Files, catalog: Catalog, hold: Hold) -> int:
    """Merge small index files, if there are many and nobody else is at work.

    Parameters
    ----------
    files : Files
    catalog : Catalog
        Refreshed under this lock.
    hold : Hold
        An ordinary lock will do.

    Returns
    -------
    int
        Number of files that are gone.
    """
    known = catalog.known
    small = _small(known)
    if not small or not hold.alone():
        return 0
    # Left twice by a crash: large files have it already.
    listed = {pack for name in known.keys() - set(small) for pack in known[name].packs}
    packs: dict[str, Sequence[PackedBlob]] = {}
    for name in small:
        for pack, blobs in decode_index(files.load("index", name)):
            if pack not in listed and len(blobs) > len(packs.get(pack, ())):
                packs[pack] = blobs
    catalog.write(list(packs.items()))
    gone = 0
    for start in range(0, len(small), _AT_ONCE):
        hold()
        if not hold.alone():
            break
        batch = small[start : start + _AT_ONCE]
        catalog.drop(batch)
        gone += len(batch)
    return gone


def _small(known: Mapping[str, IndexFile]) -> Sequence[str]:
    """Names of files of one size, if they are too many."""
    for least, most in pairwise((0, *_SIZES)):
        names = [name for name, file in known.items() if least <= file.blobs < most]
        if len(names) > _MOST_SMALL:
            return names
    return ()
