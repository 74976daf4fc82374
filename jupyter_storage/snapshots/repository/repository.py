"""A repository: blobs in, blobs out, and the order of writes that keeps it whole.

Packs are written before the index that lists them, and both before the snapshot that needs them.
A crash leaves packs or indexes that nobody needs, never a snapshot that lacks something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import Conflict, NotFound
from jupyter_storage.snapshots.repository.catalog import Catalog
from jupyter_storage.snapshots.repository.contents import Parts, needed_blobs
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.files import Files
from jupyter_storage.snapshots.repository.index import Location
from jupyter_storage.snapshots.repository.keys import KeyRing
from jupyter_storage.snapshots.repository.locks import Hold, hold_lock
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.snapshots.repository.merging import merge_index
from jupyter_storage.snapshots.repository.opening import make_repository, open_repository
from jupyter_storage.snapshots.repository.packs import BlobType
from jupyter_storage.snapshots.repository.reading import BlobReader
from jupyter_storage.snapshots.repository.snapshots import Snapshot
from jupyter_storage.snapshots.repository.tree import Node, decode_tree, encode_tree
from jupyter_storage.snapshots.repository.writing import BlobWriter, SealedBlob
from jupyter_storage.stores.store import Store

if TYPE_CHECKING:
    from jupyter_storage.snapshots.repository.outcomes import (
        CheckRecord,
        PruneRecord,
        RepairRecord,
    )

__all__ = ["Repository"]


class Repository:
    """An open repository. All methods are safe to call from several threads.

    Use :meth:`create` or :meth:`open`.
    """

    def __init__(
        self, store: Store, keys: Keys, config: dict[str, Any], cache: Path | None = None
    ) -> None:
        self.id = str(config["id"])
        self._files = Files(store, keys, cache / self.id if cache else None)
        self._catalog = Catalog(self._files)
        self._reader = BlobReader(self._files, self._catalog)
        self._writer = BlobWriter(self._files, self._catalog)
        self._parts = Parts(self._files, self._catalog, self._reader, self._writer)

    # Opening

    @classmethod
    def exists(cls, store: Store) -> bool:
        """Whether there is a repository in a store."""
        try:
            store.stat("config")
        except NotFound:
            return False
        return True

    @classmethod
    def create(cls, store: Store, password: str, *, cache: Path | None = None) -> Repository:
        """Make a repository, or open the one that somebody made at the same moment.

        Parameters
        ----------
        store : Store
            Its root is the repository.
        password : str
            Opens it from now on.
        cache : Path, optional
            Directory for copies of small files; see :class:`Cache`.
        """
        make_repository(store, password)
        return cls.open(store, password, cache=cache)

    @classmethod
    def open(cls, store: Store, password: str, *, cache: Path | None = None) -> Repository:
        """Open a repository.

        Raises
        ------
        NotFound
            If there is none.
        AccessDenied
            If the password is another one.
        ChecksumMismatch
            If the configuration is damaged.
        Unsupported
            If its format is older or newer than version 2.
        """
        keys, config = open_repository(store, password)
        return cls(store, keys, config, cache)

    @property
    def master_keys(self) -> Keys:
        """What seals its blobs."""
        return self._files.keys

    @property
    def uri(self) -> str:
        """Where it is."""
        return self._files.store.uri

    @contextmanager
    def lock(
        self, *, exclusive: bool = False, records: Path | None = None, patient: bool = False
    ) -> Iterator[Hold]:
        """Hold a lock of the repository; see :func:`hold_lock`."""
        with hold_lock(self, exclusive=exclusive, records=records, patient=patient) as hold:
            fence = hold.fence
            self._files.fences.append(fence)
            try:
                yield hold
            finally:
                self._files.fences.remove(fence)

    # Small files: index, snapshots, locks

    def list_files(self, kind: str) -> list[str]:
        """List the IDs of files of one kind."""
        return self._files.list(kind)

    def list_times(self, kind: str) -> dict[str, datetime | None]:
        """List the IDs of files of one kind, and when the store got them."""
        return self._files.list_times(kind)

    def save_unpacked(self, kind: str, value: Any) -> str:
        """Write a file of JSON; see :meth:`Files.save_unpacked`."""
        return self._files.save_unpacked(kind, value)

    def load_unpacked(self, kind: str, identifier: str) -> Any:
        """Read a file of JSON; see :meth:`Files.load_unpacked`."""
        return self._files.load_unpacked(kind, identifier)

    def delete_file(self, kind: str, identifier: str) -> None:
        """Delete a file; one that is gone already will do."""
        self._files.remove(f"{kind}/{identifier}")
        self._files.cache.drop(kind, identifier)

    # Snapshots

    def save_snapshot(self, snapshot: Snapshot) -> str:
        """Publish a snapshot; everything that it needs has been flushed before.

        Raises
        ------
        Conflict
            If somebody took away what it may need, in spite of the lock.
        """
        self._catalog.confirm()
        return self.save_unpacked("snapshots", snapshot.to_json())

    def snapshots(self) -> list[Snapshot]:
        """List all snapshots, oldest first.

        A list may be behind: one that was seen before and is not in it is looked for by name.
        """
        names = set(self.list_files("snapshots"))
        late = self._files.cache.names("snapshots") - names
        found = []
        with ThreadPoolExecutor(8, "snapshots") as pool:
            names |= {name for name in pool.map(self._if_there, late) if name is not None}
            for snapshot in pool.map(self._snapshot, names):
                if snapshot is not None:
                    found.append(snapshot)
        self._files.cache.keep_only("snapshots", names)
        return sorted(found, key=lambda snapshot: (snapshot.time, snapshot.id))

    def _if_there(self, identifier: str) -> str | None:
        return identifier if self._files.is_there("snapshots", identifier) else None

    def _snapshot(self, identifier: str) -> Snapshot | None:
        try:
            return Snapshot.from_json(identifier, self.load_unpacked("snapshots", identifier))
        except NotFound:
            # Forgotten since the listing.
            return None

    # Blobs

    def refresh(self) -> bool:
        """Learn what others wrote and deleted. To be called under a lock, before any look.

        Returns
        -------
        bool
            Whether somebody deleted something, which may be a blob.
        """
        gone = self._catalog.refresh()
        if gone:
            self._reader.forget()
        return gone

    @property
    def index_files(self) -> frozenset[str]:
        """IDs of the index files that are known."""
        return frozenset(self._catalog.known)

    @property
    def learned(self) -> int:
        """How many index files of others were learned of."""
        return self._catalog.learned

    def has_blob(self, kind: BlobType, identifier: str | bytes) -> bool:
        """Whether a blob is in the repository, or on its way."""
        raw = bytes.fromhex(identifier) if isinstance(identifier, str) else identifier
        return self._writer.has(kind, raw)

    def locate(self, kind: BlobType, identifier: str) -> Location:
        """Say where a blob lies; raises NotFound if it is not in the repository."""
        return self._catalog.locate(kind, identifier)

    def save_blob(self, kind: BlobType, plain: bytes) -> str:
        """Put a blob into a pack; see :meth:`BlobWriter.save`."""
        return self._writer.save(kind, plain)

    def save_sealed(self, blobs: Sequence[SealedBlob]) -> None:
        """Put sealed blobs of data into packs; see :meth:`BlobWriter.save_sealed`."""
        self._writer.save_sealed("data", blobs)

    def load_blob(self, kind: BlobType, identifier: str) -> bytes:
        """Read one blob, checked against its ID."""
        return self._reader.load(kind, identifier)

    def decode_blob(self, identifier: str, sealed: bytes | memoryview, uncompressed: int) -> bytes:
        """Turn a sealed blob into the plain one; raises ChecksumMismatch if it is damaged."""
        return self._reader.decode(identifier, sealed, uncompressed)

    def read_pack(self, pack: str, offset: int, length: int) -> bytes:
        """Read a range of a pack; raises ChecksumMismatch if the pack is shorter than that."""
        return self._files.read_pack(pack, offset, length)

    def save_tree(self, nodes: list[Node]) -> str:
        """Save a directory and return its ID."""
        return self.save_blob("tree", encode_tree(nodes))

    def load_tree(self, identifier: str) -> list[Node]:
        """Read a directory."""
        return decode_tree(self.load_blob("tree", identifier))

    def flush(self) -> None:
        """Write what is still in memory: packs, then the index. Then all blobs are durable."""
        self._writer.flush()

    def close(self) -> None:
        """Give up what was not flushed, and give back threads. The store stays open."""
        self._writer.close()

    def merge_index(self, hold: Hold) -> int:
        """Keep opening fast; see :func:`merge_index`. Costs nothing where nothing is to be done."""
        return merge_index(self._files, self._catalog, hold)

    def prune(self, marks: Marks, hold: Hold) -> PruneRecord:
        """Remove what no snapshot needs, in two passes that lie a day apart.

        Parameters
        ----------
        marks : Marks
            Of passes before.
        hold : Hold
            An exclusive lock.

        Raises
        ------
        ChecksumMismatch, NotFound
            If something that snapshots need is not there. Then nothing is deleted.
        Conflict
            If a snapshot appears meanwhile, which the list lacked. Neither then.
        """
        # Here and below: taking snapshots, which begins in a new process, needs none of this.
        from jupyter_storage.snapshots.repository.prune import prune

        snapshots = self.snapshots()
        self.refresh()
        needed = needed_blobs(self, snapshots, hold)

        def confirm() -> None:
            hold()
            if set(self.list_files("snapshots")) - {snapshot.id for snapshot in snapshots}:
                raise Conflict(
                    "There are more snapshots than the store had listed before",
                    hint="Nothing was deleted. Try again later.",
                )

        return prune(self._parts, marks, needed, hold, confirm)

    def check(
        self, *, percent: float = 0.0, progress: Callable[[int, int], None] | None = None
    ) -> CheckRecord:
        """Look whether all is whole, under a lock; see :func:`check`."""
        from jupyter_storage.snapshots.repository.check import check

        return check(self._parts, self, percent=percent, progress=progress)

    def repair_index(self, hold: Hold) -> RepairRecord:
        """Make the index agree with the packs, under an exclusive lock."""
        from jupyter_storage.snapshots.repository.repair import repair_index

        return repair_index(self._parts, hold)

    def keys(self, password: str) -> KeyRing:
        """Give the keys; ``password`` is the one in use."""
        return KeyRing(self._files, password)

    # What was written since it was opened

    @property
    def bytes_added(self) -> int:
        """Bytes of the plain blobs."""
        return self._writer.bytes_added

    @property
    def bytes_packed(self) -> int:
        """Bytes of the sealed blobs."""
        return self._writer.bytes_packed

    @property
    def blobs_added(self) -> Mapping[BlobType, int]:
        """Numbers of blobs."""
        return self._writer.blobs_added
