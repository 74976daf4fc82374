"""What a process knows of a repository's index files."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jupyter_storage.errors import Conflict, NotFound
from jupyter_storage.snapshots.repository.files import CHECK, Files
from jupyter_storage.snapshots.repository.index import (
    Index,
    Location,
    decode_index,
    encode_index,
)
from jupyter_storage.snapshots.repository.packs import BlobType, PackedBlob

__all__ = ["Catalog", "IndexFile"]

_READERS = 8
_TRIES = 5


@dataclass(frozen=True, slots=True)
class IndexFile:
    """What one index file lists.

    Attributes
    ----------
    packs : frozenset of str
    blobs : int
        Number of blobs in them.
    """

    packs: frozenset[str]
    blobs: int


class Catalog:
    """The index in memory, and the index files that it came from. Safe between threads.

    Parameters
    ----------
    files : Files
        Of the repository.

    Attributes
    ----------
    learned : int
        How many index files of others were learned of.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._index = Index()
        self._known: dict[str, IndexFile] = {}
        self._lock = threading.RLock()
        self.learned = 0

    def __contains__(self, blob: tuple[BlobType, bytes]) -> bool:
        return blob in self._index

    @property
    def packs(self) -> frozenset[str]:
        """IDs of all packs that are listed."""
        return self._index.packs

    @property
    def known(self) -> Mapping[str, IndexFile]:
        """The index files, by their IDs."""
        with self._lock:
            return dict(self._known)

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
        gone = False
        for attempt in range(_TRIES):
            names = set(self._files.list("index"))
            with self._lock:
                if self._known.keys() - names:
                    gone = True
                    self.forget()
                try:
                    self._load(sorted(names - self._known.keys()))
                    break
                except NotFound:
                    # Merged by somebody since the listing.
                    if attempt == _TRIES - 1:
                        raise
        self._files.cache.keep_only("index", names)
        self._files.cache.keep_only("data", self.packs)
        return gone

    def _load(self, names: Sequence[str]) -> None:
        with ThreadPoolExecutor(_READERS, "index") as pool:
            contents = pool.map(lambda name: self._files.load("index", name), names)
            for name, content in zip(names, contents, strict=True):
                packs = decode_index(content)
                for pack, blobs in packs:
                    self._index.add(pack, blobs)
                self._learn(name, packs)
                self.learned += 1

    def confirm(self) -> None:
        """Make sure that nobody took away packs since :meth:`refresh`.

        Locks forbid it; but a lock goes stale while a machine sleeps.

        Raises
        ------
        Conflict
            If somebody did.
        """
        before = self.packs
        if self.known.keys() <= set(self._files.list("index")):
            return
        self.refresh()
        if not before <= self.packs:
            raise Conflict(
                "Somebody pruned the repository meanwhile, in spite of the lock",
                hint="Take the snapshot again; JupyterLab does so by itself.",
            )

    def add(self, pack: str, blobs: Iterable[PackedBlob]) -> None:
        """Learn of a pack that was written and is not in an index file yet."""
        with self._lock:
            self._index.add(pack, blobs)

    def write(self, packs: Sequence[tuple[str, Sequence[PackedBlob]]]) -> None:
        """Write index files for packs that were added before."""
        for part, content in encode_index(packs):
            name = self._files.save("index", content)
            with self._lock:
                self._learn(name, part)

    def forget(self) -> None:
        """Drop all that is known; :meth:`refresh` loads it anew."""
        with self._lock:
            self._index, self._known = Index(), {}

    def drop(self, names: Collection[str]) -> None:
        """Delete index files; what they list stays known, for other files list it too."""
        for name in names:
            self._files.remove(f"index/{name}")
            with self._lock:
                self._known.pop(name, None)

    def _learn(self, name: str, packs: Sequence[tuple[str, Sequence[PackedBlob]]]) -> None:
        self._known[name] = IndexFile(
            frozenset(pack for pack, _ in packs), sum(len(blobs) for _, blobs in packs)
        )
