"""Blobs on their way into packs, and packs into the store.

Packs are written before the index that lists them. A crash leaves packs or indexes that nobody
needs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from jupyter_storage.snapshots.repository.catalog import Catalog
from jupyter_storage.snapshots.repository.crypto import digest
from jupyter_storage.snapshots.repository.files import Files, pack_key
from jupyter_storage.snapshots.repository.index import MOST_BLOBS
from jupyter_storage.snapshots.repository.packs import BlobType, Pack, PackedBlob, Packer, seal_blob

__all__ = ["BlobWriter", "SealedBlob"]

_UPLOADS = 3  # packs of 16 MiB that are written, or wait, at once
_PACKS_PER_INDEX = 128  # some 2 GiB: what a crash in a long first snapshot can cost


class SealedBlob(NamedTuple):
    """A blob as :func:`seal_blob` makes it.

    Attributes
    ----------
    id : bytes
        SHA-256 of the plain blob.
    sealed : bytes
    size : int
        Bytes of the plain blob.
    uncompressed : int
        The same if it was compressed, else 0.
    """

    id: bytes
    sealed: bytes
    size: int
    uncompressed: int


class BlobWriter:
    """Takes blobs in. Safe between threads.

    Parameters
    ----------
    files : Files
        Of the repository.
    catalog : Catalog
        What is there already, and learns what is written.
    """

    def __init__(self, files: Files, catalog: Catalog) -> None:
        self._files, self._catalog = files, catalog
        self._lock = threading.RLock()
        self._packers: dict[BlobType, Packer] = {}
        self._fresh: dict[BlobType, set[bytes]] = {"data": set(), "tree": set()}
        self._written: list[tuple[str, tuple[PackedBlob, ...]]] = []
        self._uploads: ThreadPoolExecutor | None = None
        self._uploading: set[Future[None]] = set()
        self._slots = threading.BoundedSemaphore(_UPLOADS)
        self.bytes_added = 0
        self.bytes_packed = 0
        self.blobs_added: dict[BlobType, int] = {"data": 0, "tree": 0}

    def has(self, kind: BlobType, identifier: bytes) -> bool:
        """Whether a blob is in the repository, or on its way."""
        with self._lock:
            return identifier in self._fresh[kind] or (kind, identifier) in self._catalog

    def save(self, kind: BlobType, plain: bytes, *, again: bool = False) -> str:
        """Put a blob into a pack, unless it is there already, and return its ID.

        It is durable only after :meth:`flush`. Blocks while too many packs wait. With ``again``
        it is written even if it is there, once until the next flush.
        """
        identifier = digest(plain)
        with self._lock:
            if identifier in self._fresh[kind] if again else self.has(kind, identifier):
                return identifier.hex()
            self._fresh[kind].add(identifier)
        sealed, uncompressed = seal_blob(self._files.keys, kind, plain)
        self._pack(kind, [SealedBlob(identifier, sealed, len(plain), uncompressed)])
        return identifier.hex()

    def save_sealed(self, kind: BlobType, blobs: Iterable[SealedBlob]) -> None:
        """Put in blobs that were sealed elsewhere, unless they are there; see :meth:`save`."""
        with self._lock:
            fresh, new = self._fresh[kind], []
            for blob in blobs:
                if not self.has(kind, blob.id):
                    fresh.add(blob.id)
                    new.append(blob)
        self._pack(kind, new)

    def _pack(self, kind: BlobType, blobs: Iterable[SealedBlob]) -> None:
        packs = []
        with self._lock:
            packer = self._packers.setdefault(kind, Packer(self._files.keys, kind))
            for blob in blobs:
                packer.add(blob.id, blob.sealed, blob.uncompressed)
                self.bytes_added += blob.size
                self.bytes_packed += len(blob.sealed)
                self.blobs_added[kind] += 1
                if packer.full and (pack := packer.finish()) is not None:
                    packs.append(pack)
        for pack in packs:
            self._upload(pack)

    def flush(self) -> None:
        """Write what is still in memory: packs, then the index. Then all blobs are durable."""
        for kind in ("data", "tree"):
            with self._lock:
                pack = self._packers[kind].finish() if kind in self._packers else None
            if pack is not None:
                self._upload(pack)
        self._settle()
        self._write_index()
        with self._lock:
            self._fresh = {"data": set(), "tree": set()}

    def close(self) -> None:
        """Give up what was not flushed, and give back threads."""
        if self._uploads is not None:
            self._uploads.shutdown(cancel_futures=True)

    def _upload(self, pack: Pack) -> None:
        self._raise_failed()
        self._slots.acquire()
        try:
            with self._lock:
                if self._uploads is None:
                    self._uploads = ThreadPoolExecutor(_UPLOADS, "packs")
                future = self._uploads.submit(self._write_pack, pack)
                self._uploading.add(future)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(lambda _: self._slots.release())

    def _write_pack(self, pack: Pack) -> None:
        name = pack.id.hex()
        self._files.put(pack_key(name), pack.content)
        if pack.type == "tree":
            self._files.cache.write("data", name, pack.content)
        with self._lock:
            self._catalog.add(name, pack.blobs)
            self._written.append((name, pack.blobs))
            listed = sum(len(blobs) for _, blobs in self._written)
            enough = len(self._written) >= _PACKS_PER_INDEX or listed >= MOST_BLOBS
        if enough:
            self._write_index()

    def _raise_failed(self) -> None:
        with self._lock:
            done = {future for future in self._uploading if future.done()}
            self._uploading -= done
        for future in done:
            future.result()

    def _settle(self) -> None:
        with self._lock:
            waiting, self._uploading = self._uploading, set()
        for future in waiting:
            future.result()

    def _write_index(self) -> None:
        with self._lock:
            written, self._written = self._written, []
        self._catalog.write(written)
