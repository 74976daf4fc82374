"""Blobs out of packs."""

from __future__ import annotations

import threading
from collections import OrderedDict

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.catalog import Catalog
from jupyter_storage.snapshots.repository.crypto import digest
from jupyter_storage.snapshots.repository.files import CHECK, Files, pack_key
from jupyter_storage.snapshots.repository.packs import BlobType, open_blob

__all__ = ["BlobReader"]

_KEPT = 8  # packs of trees in memory


class BlobReader:
    """Gives blobs, checked against their IDs. Safe between threads.

    Parameters
    ----------
    files : Files
        Of the repository.
    catalog : Catalog
        Knows where blobs lie.
    """

    def __init__(self, files: Files, catalog: Catalog) -> None:
        self._files, self._catalog = files, catalog
        self._lock = threading.Lock()
        self._tree_packs: OrderedDict[str, bytes] = OrderedDict()

    def load(self, kind: BlobType, identifier: str) -> bytes:
        """Read one blob."""
        place = self._catalog.locate(kind, identifier)
        if kind == "tree":
            pack = self._tree_pack(place.pack)
            sealed: bytes | memoryview = memoryview(pack)[place.offset :][: place.length]
        else:
            sealed = self._files.read_pack(place.pack, place.offset, place.length)
        return self.decode(identifier, sealed, place.uncompressed)

    def decode(self, identifier: str, sealed: bytes | memoryview, uncompressed: int) -> bytes:
        """Turn a sealed blob into the plain one; raises ChecksumMismatch if it is damaged."""
        return open_blob(self._files.keys, identifier, sealed, uncompressed)

    def forget(self) -> None:
        """Drop what is kept in memory: it may be gone in the repository."""
        with self._lock:
            self._tree_packs.clear()

    def _tree_pack(self, pack: str) -> bytes:
        # Whole packs of trees: a directory's neighbours are wanted next.
        with self._lock:
            if (content := self._tree_packs.get(pack)) is not None:
                self._tree_packs.move_to_end(pack)
                return content
        content = self._files.cache.read("data", pack)
        if content is None:
            content = self._files.store.read(pack_key(pack))
            if digest(content).hex() != pack:
                raise ChecksumMismatch("A pack is damaged", path=pack, hint=CHECK)
            self._files.cache.write("data", pack, content)
        with self._lock:
            self._tree_packs[pack] = content
            while len(self._tree_packs) > _KEPT:
                self._tree_packs.popitem(last=False)
        return content
