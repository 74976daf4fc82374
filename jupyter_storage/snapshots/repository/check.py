"""Looks whether a repository is whole: its structure, and as much of its data as is asked for."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from jupyter_storage.errors import ChecksumMismatch, NotFound, StorageError
from jupyter_storage.records import Failure
from jupyter_storage.snapshots.repository.contents import AT_ONCE, Packs, Parts, pack_sizes
from jupyter_storage.snapshots.repository.crypto import digest
from jupyter_storage.snapshots.repository.files import pack_key
from jupyter_storage.snapshots.repository.index import decode_index
from jupyter_storage.snapshots.repository.names import unquote
from jupyter_storage.snapshots.repository.outcomes import CheckRecord
from jupyter_storage.snapshots.repository.packs import decode_header, header_length, pack_size
from jupyter_storage.snapshots.repository.snapshots import Snapshot
from jupyter_storage.snapshots.repository.walking import Trees, Visit, walk

__all__ = ["check"]

_MOST_FAILURES = 1000

Progress = Callable[[int, int], None]
"""Called with the numbers of bytes and packs that were read since the last call."""

_REPAIR = "'jupyter storage snapshot repair' rebuilds the index from what is there."
_LOST = (
    "What is damaged cannot be made whole. If it is still in the project directory, 'jupyter "
    "storage snapshot repair' and the next snapshot bring it back; or restore an older snapshot."
)


@dataclass
class _Findings:
    failures: list[Failure] = field(default_factory=list)
    notes: list[Failure] = field(default_factory=list)

    def bad(self, path: str, message: str, hint: str, kind: str = "ChecksumMismatch") -> None:
        if len(self.failures) < _MOST_FAILURES:
            self.failures.append(Failure(path, kind, message, hint))

    def note(self, path: str, message: str, hint: str) -> None:
        self.notes.append(Failure(path, "Note", message, hint))


def check(
    parts: Parts, trees: Trees, *, percent: float = 0.0, progress: Progress | None = None
) -> CheckRecord:
    """Check a repository, under a lock.

    Parameters
    ----------
    parts : Parts
    trees : Trees
        Reads the trees.
    percent : float
        Of the packs, how many are read whole, chosen by chance; 0 checks the structure alone.
    progress : Progress, optional

    Returns
    -------
    CheckRecord
        With what was found; nothing is raised for damage.
    """
    found = _Findings()
    _keys(parts, found)
    # Snapshots before the index, and that before the packs: what a listed one needs is there.
    snapshots = _snapshots(parts, found)
    packs, whole = _index(parts, found)
    sizes = pack_sizes(parts.files, packs)
    _compare(packs, sizes, found)
    if whole:
        parts.catalog.refresh()
        _trees(trees, snapshots, packs, sizes, found)
    there = sorted(packs.keys() & sizes.keys())
    chosen = random.sample(there, math.ceil(len(there) * min(percent, 100) / 100))
    read = _read(parts, chosen, packs, found, progress)
    return CheckRecord(
        snapshots=len(snapshots),
        packs=len(there),
        blobs=sum(map(len, packs.values())),
        bytes=sum(sizes.values()),
        packs_read=len(chosen),
        bytes_read=read,
        failures=tuple(found.failures),
        notes=tuple(found.notes),
    )


def _keys(parts: Parts, found: _Findings) -> None:
    for name in parts.files.list("keys"):
        with suppress(NotFound):
            if digest(parts.files.store.read(f"keys/{name}")).hex() != name:
                found.bad(
                    f"keys/{name}",
                    "The key is damaged",
                    "'jupyter storage snapshot key add' makes another, 'key remove' takes this one "
                    "away.",
                )


def _snapshots(parts: Parts, found: _Findings) -> list[Snapshot]:
    snapshots = []
    for name in parts.files.list("snapshots"):
        try:
            wire = json.loads(parts.files.load("snapshots", name, fresh=True))
            snapshots.append(Snapshot.from_json(name, wire))
        except NotFound:
            continue
        except (StorageError, ValueError):
            found.bad(
                f"snapshots/{name}",
                "The snapshot cannot be read",
                "Others are not affected. 'jupyter storage snapshot forget' cannot remove it; "
                "delete the file in the bucket.",
            )
    return sorted(snapshots, key=lambda snapshot: snapshot.time, reverse=True)


def _index(parts: Parts, found: _Findings) -> tuple[Packs, bool]:
    packs: Packs = {}
    whole = True
    for name in parts.files.list("index"):
        try:
            for pack, blobs in decode_index(parts.files.load("index", name, fresh=True)):
                if len(blobs) >= len(packs.get(pack, ())):
                    packs[pack] = blobs
        except NotFound:
            continue
        except StorageError:
            whole = False
            found.bad(f"index/{name}", "The index file cannot be read", _REPAIR)
    return packs, whole


def _compare(packs: Packs, sizes: dict[str, int], found: _Findings) -> None:
    for pack, blobs in packs.items():
        if pack not in sizes:
            found.bad(pack_key(pack), "A pack is missing", _LOST, "NotFound")
        elif sizes[pack] != (expected := pack_size(blobs)):
            found.bad(
                pack_key(pack),
                f"A pack has {sizes[pack]:,} bytes in place of {expected:,}",
                _LOST,
            )
    if orphans := sizes.keys() - packs.keys():
        size = sum(sizes[pack] for pack in orphans)
        found.note(
            "data",
            f"{len(orphans):,} packs with {size:,} bytes are in no index: nothing needs them",
            "They are harmless; 'jupyter storage snapshot prune' removes them.",
        )


def _trees(
    trees: Trees,
    snapshots: Iterable[Snapshot],
    packs: Packs,
    sizes: dict[str, int],
    found: _Findings,
) -> None:
    there = {
        (blob.type, blob.id) for pack, blobs in packs.items() if pack in sizes for blob in blobs
    }

    def failed(visit: Visit, error: StorageError) -> None:
        found.bad(_place(visit), f"The directory cannot be read: {error.message}", _LOST)

    for visit, nodes in walk(trees, snapshots, failed):
        for node in nodes:
            lost = sum(
                ("data", bytes.fromhex(blob)) not in there for blob in node.get("content") or ()
            )
            if lost:
                found.bad(
                    f"{_place(visit)}/{_shown(node['name'])}",
                    f"{lost:,} of the file's {len(node['content'] or ()):,} parts are missing",
                    _LOST,
                    "NotFound",
                )


def _place(visit: Visit) -> str:
    return f"{visit.snapshot[:8]}:{_shown(visit.path)}"


def _shown(quoted: str) -> str:
    try:
        return unquote(quoted)
    except ValueError:
        return quoted


def _read(
    parts: Parts,
    chosen: Iterable[str],
    packs: Packs,
    found: _Findings,
    progress: Progress | None,
) -> int:
    def read(pack: str) -> tuple[str, int, str]:
        try:
            content = parts.files.store.read(pack_key(pack))
            if digest(content).hex() != pack:
                return pack, len(content), "A pack is damaged"
            tail = content[-header_length(content[-4:]) :]
            if set(decode_header(parts.files.keys, tail)) != set(packs[pack]):
                return pack, len(content), "A pack does not hold what the index says"
            for blob in packs[pack]:
                sealed = memoryview(content)[blob.offset :][: blob.length]
                parts.reader.decode(blob.id.hex(), sealed, blob.uncompressed)
        except ChecksumMismatch as error:
            return pack, 0, f"A pack is damaged: {error.message}"
        except StorageError as error:
            return pack, 0, f"A pack cannot be read: {error.message}"
        return pack, len(content), ""

    total = 0
    with ThreadPoolExecutor(AT_ONCE, "check") as pool:
        for pack, size, problem in pool.map(read, chosen):
            total += size
            if progress is not None:
                progress(size, 1)
            if problem:
                found.bad(pack_key(pack), problem, _LOST)
    return total
