"""Removes what no snapshot needs, in two passes that lie a day apart.

A pass runs under restic's exclusive lock. It deletes a pack only if nothing needs it now and a
pass at least 24 hours ago, by the store's clock, found the same, as did all passes in between: a
machine that slept through its lock has a day to finish what it was writing. Packs that are used in
part, and wasteful, are written anew; the old ones wait for the second pass as well, and stay in
the index until then: somebody may be writing a snapshot that needs more of them.

The order is what keeps the repository whole at any moment: new packs and their index, then the
index without what goes, then the old index files, then the packs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.contents import (
    AT_ONCE,
    Needed,
    Packs,
    Parts,
    listed_packs,
    pack_sizes,
)
from jupyter_storage.snapshots.repository.files import Files, pack_key
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.marks import Mark, Marks
from jupyter_storage.snapshots.repository.outcomes import PruneRecord

__all__ = ["GRACE", "prune"]

GRACE = timedelta(hours=24)

_WASTE = 0.05  # of what is needed: how much may lie unused in packs that are used
_SMALL = 2**20  # bytes
_MOST_SMALL = 100  # packs of either type


@dataclass
class _Plan:
    """What a pass is going to do.

    Attributes
    ----------
    listed : dict
        Packs of the index, and what is in them.
    unneeded : set of str
        Packs that nothing needs, in the index or not.
    repack : set of str
        Packs to be written anew.
    lost : set of str
        Packs of the index that are not there, and that nothing needs.
    wanted : dict
        Of the other packs, the blobs that are needed from them.
    """

    listed: Packs
    unneeded: set[str]
    repack: set[str]
    lost: set[str]
    wanted: dict[str, set[bytes]] = field(default_factory=dict)


def prune(
    parts: Parts, marks: Marks, needed: Needed, hold: Hold, confirm: Callable[[], None]
) -> PruneRecord:
    """Make one pass.

    Parameters
    ----------
    parts : Parts
        Refreshed under this lock.
    marks : Marks
        Of passes before.
    needed : Needed
        All that snapshots hold.
    hold : Hold
        An exclusive lock.
    confirm : Callable
        Called before anything goes; raises where ``needed`` may not be all.

    Returns
    -------
    PruneRecord

    Raises
    ------
    ChecksumMismatch
        If something that snapshots need is not there. Then nothing is deleted.
    """
    time = marks.clock()
    earlier = marks.read()
    listed = _listed(parts, earlier)
    sizes = pack_sizes(parts.files, listed)
    plan = _plan(parts, listed, needed, sizes)
    deleted = plan.unneeded & _ripe(earlier, time)
    repacked = sum(sizes[pack] for pack in plan.repack)
    before = parts.writer.bytes_packed
    if plan.repack:
        _repack(parts, plan, hold)
    confirm()
    _rewrite_index(parts, plan.lost | deleted)
    hold()
    _delete(parts.files, deleted)
    left = frozenset((plan.unneeded | plan.repack) - deleted)
    marks.write(left)
    for mark in _outdated(earlier, time):
        marks.delete(mark)
    return PruneRecord(
        packs_deleted=len(deleted),
        bytes_deleted=sum(sizes[pack] for pack in deleted),
        packs_repacked=len(plan.repack),
        bytes_repacked=repacked,
        packs_waiting=len(left),
        bytes_waiting=sum(sizes[pack] for pack in left),
        bytes_stored=sum(sizes.values())
        - sum(sizes[pack] for pack in deleted)
        + parts.writer.bytes_packed
        - before,
    )


def _listed(parts: Parts, earlier: Sequence[Mark]) -> Packs:
    """Packs of the index; those that wait to be deleted come after what replaced them."""
    packs = listed_packs(parts.files, parts.catalog.known)
    waiting = frozenset[str]().union(*(mark.packs for mark in earlier))
    return dict(sorted(packs.items(), key=lambda item: item[0] in waiting))


def _plan(parts: Parts, listed: Packs, needed: Needed, sizes: Mapping[str, int]) -> _Plan:
    missing = {kind: set(blobs) for kind, blobs in needed.items()}
    plan = _Plan(listed, sizes.keys() - listed.keys(), set(), set())
    for pack, blobs in listed.items():
        # A blob that lies in two packs is wanted from the first of them only.
        wanted = {blob.id for blob in blobs if blob.id in missing[blob.type]}
        if pack not in sizes:
            plan.lost.add(pack)
        elif wanted:
            for blob in blobs:
                missing[blob.type].discard(blob.id)
            plan.wanted[pack] = wanted
        else:
            plan.unneeded.add(pack)
    if count := sum(map(len, missing.values())):
        raise ChecksumMismatch(
            f"{count:,} parts that snapshots need are missing, so nothing was removed",
            path=parts.files.store.uri,
            hint="'jupyter storage snapshot check' says what is affected, and 'jupyter storage "
            "snapshot repair' looks for the parts.",
        )
    plan.repack = _wasteful(plan) | _small(plan, sizes)
    return plan


def _wasteful(plan: _Plan) -> set[str]:
    """The packs with the most waste, until the rest wastes little."""
    unused = {
        pack: sum(blob.length for blob in plan.listed[pack] if blob.id not in wanted)
        for pack, wanted in plan.wanted.items()
    }
    used = sum(
        sum(blob.length for blob in plan.listed[pack] if blob.id in wanted)
        for pack, wanted in plan.wanted.items()
    )
    waste, chosen = sum(unused.values()), set()
    for pack in sorted(unused, key=lambda pack: unused[pack], reverse=True):
        if waste <= _WASTE * used:
            break
        waste -= unused[pack]
        chosen.add(pack)
    return chosen


def _small(plan: _Plan, sizes: Mapping[str, int]) -> set[str]:
    """Small packs, where there are many: each snapshot writes two or so."""
    chosen: set[str] = set()
    for kind in ("data", "tree"):
        small = {
            pack
            for pack in plan.wanted
            if plan.listed[pack][0].type == kind and sizes[pack] < _SMALL
        }
        if len(small) > _MOST_SMALL:
            chosen |= small
    return chosen


def _ripe(marks: Sequence[Mark], time: datetime) -> frozenset[str]:
    """Packs that a pass long enough ago found unneeded, and each pass since."""
    old = [mark for mark in marks if time - mark.time >= GRACE]
    if not old:
        return frozenset()
    return old[-1].packs.intersection(*(mark.packs for mark in marks[len(old) :]))


def _outdated(marks: Sequence[Mark], time: datetime) -> list[Mark]:
    """Marks before the last one that is old enough."""
    return [mark for mark in marks if time - mark.time >= GRACE][:-1]


def _repack(parts: Parts, plan: _Plan, hold: Hold) -> None:
    def read(pack: str) -> tuple[str, bytes]:
        return pack, parts.files.store.read(pack_key(pack))

    for start in range(0, len(plan.repack), AT_ONCE):
        hold()
        batch = sorted(plan.repack)[start : start + AT_ONCE]
        with ThreadPoolExecutor(AT_ONCE, "repack") as pool:
            for pack, content in pool.map(read, batch):
                wanted = plan.wanted[pack]
                for blob in plan.listed[pack]:
                    if blob.id in wanted:
                        sealed = memoryview(content)[blob.offset :][: blob.length]
                        plain = parts.reader.decode(blob.id.hex(), sealed, blob.uncompressed)
                        parts.writer.save(blob.type, plain, again=True)
    parts.writer.flush()


def _rewrite_index(parts: Parts, gone: set[str]) -> None:
    """Write anew the index files that list packs that go, without them."""
    old = [name for name, file in parts.catalog.known.items() if file.packs & gone]
    if not old:
        return
    packs = listed_packs(parts.files, old)
    parts.catalog.write([(pack, blobs) for pack, blobs in packs.items() if pack not in gone])
    parts.catalog.drop(old)
    parts.catalog.forget()
    parts.catalog.refresh()


def _delete(files: Files, packs: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE, "deletions") as pool:
        for _ in pool.map(lambda pack: files.remove(pack_key(pack)), packs):
            continue
