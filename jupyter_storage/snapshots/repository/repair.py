"""Makes the index anew from what packs say of themselves, as ``restic rebuild-index`` does.

The new index is written before the old one is deleted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.records import Failure
from jupyter_storage.snapshots.repository.contents import AT_ONCE, Packs, Parts, pack_sizes
from jupyter_storage.snapshots.repository.files import pack_key
from jupyter_storage.snapshots.repository.index import decode_index
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.outcomes import RepairRecord
from jupyter_storage.snapshots.repository.packs import (
    PackedBlob,
    decode_header,
    header_length,
    pack_size,
)

__all__ = ["repair_index"]

_TAIL = 64 * 2**10  # bytes; most headers are shorter


def repair_index(parts: Parts, hold: Hold) -> RepairRecord:
    """Make the index agree with the packs that are there.

    Packs that an index lists as they are stay listed. Of the others, the header is read. What is
    not there any more is listed no more.

    Parameters
    ----------
    parts : Parts
    hold : Hold
        An exclusive lock.
    """
    old, listed, unreadable = _old_index(parts)
    sizes = pack_sizes(parts.files, listed)
    good: Packs = {
        pack: blobs for pack, blobs in listed.items() if sizes.get(pack) == pack_size(blobs)
    }
    found, failures = _headers(parts, sizes, sorted(sizes.keys() - good.keys()))
    gone = listed.keys() - good.keys() - found.keys()
    record = RepairRecord(
        index_files_unreadable=unreadable,
        packs_added=len(found.keys() - listed.keys()),
        packs_corrected=len(found.keys() & listed.keys()),
        packs_removed=len(gone),
        failures=tuple(failures),
    )
    if unreadable or found or gone:
        hold()
        parts.catalog.write(list((good | found).items()))
        hold()
        parts.catalog.drop(old)
        parts.catalog.forget()
        parts.catalog.refresh()
    return record


def _old_index(parts: Parts) -> tuple[list[str], Packs, int]:
    names = parts.files.list("index")
    packs: Packs = {}
    unreadable = 0
    for name in names:
        try:
            for pack, blobs in decode_index(parts.files.load("index", name, fresh=True)):
                if len(blobs) >= len(packs.get(pack, ())):
                    packs[pack] = blobs
        except NotFound:
            continue
        except StorageError:
            unreadable += 1
    return names, packs, unreadable


def _headers(parts: Parts, sizes: dict[str, int], names: list[str]) -> tuple[Packs, list[Failure]]:
    def read(pack: str) -> list[PackedBlob] | StorageError:
        try:
            return _header(parts, pack, sizes[pack])
        except StorageError as error:
            return error

    packs: Packs = {}
    failures = []
    with ThreadPoolExecutor(AT_ONCE, "headers") as pool:
        for pack, blobs in zip(names, pool.map(read, names), strict=True):
            if isinstance(blobs, StorageError):
                failures.append(
                    Failure(
                        pack_key(pack),
                        blobs.kind,
                        f"The pack cannot be read, and is left out: {blobs.message}",
                        "'jupyter storage snapshot check' says whether anything needs it.",
                    )
                )
            else:
                packs[pack] = blobs
    return packs, failures


def _header(parts: Parts, pack: str, size: int) -> list[PackedBlob]:
    length = min(size, _TAIL)
    tail = parts.files.store.read(pack_key(pack), offset=size - length, length=length)
    whole = min(size, header_length(tail))
    if whole > length:
        tail = parts.files.store.read(pack_key(pack), offset=size - whole, length=whole)
    return decode_header(parts.files.keys, tail[-whole:])
