"""What a process knows of a repository's index files."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from jupyter_storage.errors import NotFound
from jupyter_storage.snapshots.repository.files import CHECK, Files
from jupyter_storage.snapshots.repository.index import Index, Location, encode_index
from jupyter_storage.snapshots.repository.packs import BlobType, PackedBlob

__all__ = ["Catalog"]

_READERS = 8


class Catalog:
    """The index in memory, and the index files that it came from. Safe between threads.

    Parameters
    ----------
    files : Files
        Of the repository.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._index = Index()
        self._known: set[str] = set()
        self._lock = threading.RLock()

    def __contains__(self, blob: tuple[BlobType, bytes]) -> bool:
        return blob in self._index

    @property
    def packs(self) -> frozenset[str]:
        """IDs of all packs that are listed."""
        return self._index.packs

    def locate(self, kind: BlobType, identifier: str) -> Location:
        """Say where a blob lies.

        Raises
        ------
        NotFound
            If it is not in the repository.
        """
        location = self._index.find(kind, bytes.fromhex(identifier))
        if location is None:
            raise NotFound("A blob is missing in the repository", path=identifier, hint=CHECK)
        return location

    def refresh(self) -> bool:
        """Learn what others wrote and deleted.

        If an index file is gone, somebody pruned: then the blobs that it listed may be gone as
        well, and all that is known is loaded anew.

        Returns
        -------
        bool
            Whether an index file was gone.
        """
        names = set(self._files.list("index"))
        with self._lock:
            gone = bool(self._known - names)
            if gone:
                self._index, self._known = Index(), set()
            missing = sorted(names - self._known)
            with ThreadPoolExecutor(_READERS, "index") as pool:
                contents = pool.map(lambda name: self._files.load("index", name), missing)
                for name, content in zip(missing, contents, strict=True):
                    self._index.load(content)
                    self._known.add(name)
            packs = self._index.packs
        self._files.cache.keep_only("index", names)
        self._files.cache.keep_only("data", packs)
        return gone

    def add(self, pack: str, blobs: Iterable[PackedBlob]) -> None:
        """Learn of a pack that was written and is not in an index file yet."""
        with self._lock:
            self._index.add(pack, blobs)

    def write(self, packs: Sequence[tuple[str, Sequence[PackedBlob]]]) -> None:
        """Write index files for packs that were added before."""
        for content in encode_index(packs):
            name = self._files.save("index", content)
            with self._lock:
                self._known.add(name)
