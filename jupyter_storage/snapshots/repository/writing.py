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
from jupyter_storage.snapshots.repository.crypto import OVERHEAD, digest
from jupyter_storage.snapshots.repository.files import Files, pack_key
from jupyter_storage.snapshots.repository.index import MOST_BLOBS
from jupyter_storage.snapshots.repository.packs import BlobType, PackedBlob, Packer, choose_form

__all__ = ["BlobWriter", "SealedBlob"]

_UPLOADS = 2  # packs of 16 MiB that are written, or wait, at once
_PACKS_PER_INDEX = 128  # some 2 GiB: what a crash in a long first snapshot can cost


class SealedBlob(NamedTuple):
    """A blob as :func:`seal_blobs` makes it.

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
        # Full, and waiting to be written.
        self._done: list[Packer] = []
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
        form, uncompressed = choose_form(kind, plain)
        packer, place = self._reserve(kind, identifier, len(form) + OVERHEAD, uncompressed)
        self._files.keys.seal_into(form, place)
        self._filled(packer, len(plain), len(place))
        self._upload_done()
        return identifier.hex()

    def save_sealed(self, kind: BlobType, blobs: Iterable[SealedBlob]) -> None:
        """Put in blobs that were sealed elsewhere, unless they are there; see :meth:`save`."""
        with self._lock:
            fresh = self._fresh[kind]
            for blob in blobs:
                if self.has(kind, blob.id):
                    continue
                fresh.add(blob.id)
                packer, place = self._reserve(kind, blob.id, len(blob.sealed), blob.uncompressed)
                place[:] = blob.sealed
                self._filled(packer, blob.size, len(place))
        self._upload_done()

    def _reserve(
        self, kind: BlobType, identifier: bytes, length: int, uncompressed: int
    ) -> tuple[Packer, memoryview]:
        """Give a place in a pack."""
        with self._lock:
            packer = self._packers.get(kind)
            if packer is None or packer.full or not packer.fits(length):
                if packer is not None and not packer.unfilled:
                    self._done.append(packer)
                packer = self._packers[kind] = Packer(self._files.keys, kind, length)
            packer.unfilled += 1
            return packer, packer.reserve(identifier, length, uncompressed)

    def _filled(self, packer: Packer, size: int, packed: int) -> None:
        with self._lock:
            self.bytes_added += size
            self.bytes_packed += packed
            self.blobs_added[packer.kind] += 1
            packer.unfilled -= 1
            if packer.unfilled:
                return
            if packer is not self._packers.get(packer.kind):
                self._done.append(packer)
            elif packer.full:
                self._done.append(self._packers.pop(packer.kind))

    def flush(self) -> None:
        """Write what is still in memory: packs, then the index. Then all blobs are durable."""
        with self._lock:
            self._done += self._packers.values()
            self._packers.clear()
        self._upload_done()
        self._settle()
        self._write_index()
        with self._lock:
            self._fresh = {"data": set(), "tree": set()}

    def close(self) -> None:
        """Give up what was not flushed, and give back threads."""
        if self._uploads is not None:
            self._uploads.shutdown(cancel_futures=True)

    def _upload_done(self) -> None:
        # Not with the lock, which uploads need: this waits for them.
        while True:
            with self._lock:
                if not self._done:
                    return
                packer = self._done.pop()
            self._upload(packer)

    def _upload(self, packer: Packer) -> None:
        self._raise_failed()
        self._slots.acquire()
        try:
            with self._lock:
                if self._uploads is None:
                    self._uploads = ThreadPoolExecutor(_UPLOADS, "packs")
                future = self._uploads.submit(self._write_pack, packer)
                self._uploading.add(future)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(lambda _: self._slots.release())

    def _write_pack(self, packer: Packer) -> None:
        pack = packer.finish()
        name = pack.id.hex()
        self._files.put(pack_key(name), pack.content)
        if pack.type == "tree":
            self._files.cache.write("data", name, pack.content)
        with self._lock:
            self._catalog.add(name, pack.blobs)
            self._written.append((name, pack.blobs))
            listed = sum(len(blobs) for _, blobs in self._written)
            # Packs are much alike: with another one it would be cut into a large and a small file.
            full = listed + len(pack.blobs) > MOST_BLOBS
            enough = full or len(self._written) >= _PACKS_PER_INDEX
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
