"""A repository: blobs in, blobs out, and the order of writes that keeps it whole.

Packs are written before the index that lists them, and both before the snapshot that needs them.
A crash leaves packs or indexes that nobody needs, never a snapshot that lacks something.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import zstandard

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    ChecksumMismatch,
    Conflict,
    InvalidRequest,
    NotFound,
    StorageError,
    Unsupported,
)
from jupyter_storage.snapshots.repository.cache import Cache
from jupyter_storage.snapshots.repository.crypto import Keys, digest, make_key_file, open_key_file
from jupyter_storage.snapshots.repository.index import MOST_BLOBS, Index, Location, encode_index
from jupyter_storage.snapshots.repository.locks import hold_lock
from jupyter_storage.snapshots.repository.packs import BlobType, Pack, PackedBlob, Packer
from jupyter_storage.snapshots.repository.polynomial import random_polynomial
from jupyter_storage.snapshots.repository.snapshots import Snapshot
from jupyter_storage.snapshots.repository.tree import Node, decode_tree, encode_tree
from jupyter_storage.stores.store import Store

__all__ = ["Repository"]

_UPLOADS = 3  # packs of 16 MiB that are written, or wait, at once
_PACKS_PER_INDEX = 128  # some 2 GiB: what a crash in a long first snapshot can cost
_LEVEL = 3
_TRIES = 4
_PAUSE = 0.25  # seconds before the second try; then twice that
_LARGEST = 2**30  # bytes; no blob or file of ours comes near
_DIRECTORIES = ("data", "index", "keys", "locks", "snapshots")
_CHECK = "Check the repository with 'restic check --read-data'."


class Repository:
    """An open repository. All methods are safe to call from several threads.

    Use :meth:`create` or :meth:`open`.
    """

    def __init__(
        self, store: Store, keys: Keys, config: dict[str, Any], cache: Path | None = None
    ) -> None:
        self._store, self._keys = store, keys
        self.id = str(config["id"])
        self._cache = Cache(cache / self.id if cache else None)
        self._index = Index()
        self._known: set[str] = set()
        self._lock = threading.RLock()
        self._packers: dict[BlobType, Packer] = {}
        self._fresh: dict[BlobType, set[bytes]] = {"data": set(), "tree": set()}
        self._written: list[tuple[str, tuple[PackedBlob, ...]]] = []
        self._uploads: ThreadPoolExecutor | None = None
        self._uploading: set[Future[None]] = set()
        self._slots = threading.BoundedSemaphore(_UPLOADS)
        self._tree_packs: OrderedDict[str, bytes] = OrderedDict()
        self._local = threading.local()
        self.bytes_added = 0
        self.bytes_packed = 0
        self.blobs_added: dict[BlobType, int] = {"data": 0, "tree": 0}

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
        if (root := store.local_path("")) is not None:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if store.keeps_directories:
            for name in _DIRECTORIES:
                store.make_directory(name)
        # A maker that died left its key: taken over, it is not in stock restic's way, which gives
        # up where it first tries a key that does not open the configuration.
        keys = next((each for _, each in _opened(store, password)), None)
        key_name = None
        if keys is None:
            keys = Keys.random()
            key_file = make_key_file(password, keys)
            key_name = f"keys/{digest(key_file).hex()}"
            store.write(key_name, key_file)
        config = {
            "version": 2,
            "id": os.urandom(32).hex(),
            "chunker_polynomial": f"{random_polynomial():x}",
        }
        try:
            store.write("config", keys.seal(json.dumps(config).encode()), exclusive=True)
        except AlreadyExists:
            # Who was first may have taken over our key; else it opens nothing.
            if key_name is not None and not _opens(keys, store.read("config")):
                with suppress(NotFound):
                    store.delete(key_name)
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
        Unsupported
            If its format is older or newer than version 2.
        """
        try:
            sealed = store.read("config")
        except NotFound as error:
            raise NotFound(
                "There is no snapshot repository",
                path=store.uri,
                hint="It is made with the first snapshot: 'jupyter storage snapshot now'.",
            ) from error
        found: Keys | None = None
        for name, keys in _opened(store, password):
            if _opens(keys, sealed):
                found = keys
            else:
                # Left by one of two who made the repository at once, and died in between. Stock
                # restic gives up where it tries this one first.
                with suppress(StorageError):
                    store.delete(f"keys/{name}")
        if found is not None:
            config = json.loads(found.open(sealed))
            if config.get("version") != 2:
                raise Unsupported(
                    f"The repository has format version {config.get('version')}, not 2",
                    path=store.uri,
                    hint="Upgrade it with 'restic migrate upgrade_repo_v2'.",
                )
            return cls(store, found, config, cache)
        raise AccessDenied(
            "The password does not open the snapshot repository",
            path=store.uri,
            hint="Check the password file, or JUPYTER_STORAGE_SNAPSHOT_PASSWORD.",
        )

    @property
    def uri(self) -> str:
        """Where it is."""
        return self._store.uri

    def lock(
        self, *, exclusive: bool = False, records: Path | None = None
    ) -> AbstractContextManager[Callable[[], None]]:
        """Hold a lock of the repository; see :func:`hold_lock`."""
        return hold_lock(self, exclusive=exclusive, records=records)

    # Small files: index, snapshots, locks

    def list_files(self, kind: str) -> list[str]:
        """List the IDs of files of one kind."""
        return _names(self._store, kind)

    def save_unpacked(self, kind: str, value: Any) -> str:
        """Write a file of JSON, compressed and sealed, and return its ID."""
        return self._save_sealed(kind, json.dumps(value, ensure_ascii=False).encode())

    def load_unpacked(self, kind: str, identifier: str) -> Any:
        """Read a file of JSON.

        Raises
        ------
        NotFound
            If it is not there.
        ChecksumMismatch
            If it is damaged.
        """
        return json.loads(self._load_sealed(kind, identifier))

    def delete_file(self, kind: str, identifier: str) -> None:
        """Delete a file."""
        self._store.delete(f"{kind}/{identifier}")

    # Snapshots

    def save_snapshot(self, snapshot: Snapshot) -> str:
        """Publish a snapshot; everything that it needs has been flushed before."""
        return self.save_unpacked("snapshots", snapshot.to_json())

    def snapshots(self) -> list[Snapshot]:
        """List all snapshots, oldest first."""
        names = self.list_files("snapshots")
        found = []
        with ThreadPoolExecutor(8, "snapshots") as pool:
            for snapshot in pool.map(self._snapshot, names):
                if snapshot is not None:
                    found.append(snapshot)
        self._cache.keep_only("snapshots", names)
        return sorted(found, key=lambda snapshot: (snapshot.time, snapshot.id))

    def _snapshot(self, identifier: str) -> Snapshot | None:
        try:
            return Snapshot.from_json(identifier, self.load_unpacked("snapshots", identifier))
        except NotFound:
            # Forgotten since the listing.
            return None

    # Index

    def refresh(self) -> None:
        """Learn what others wrote and deleted. To be called under a lock, before any look.

        If an index file is gone, somebody pruned: then the blobs that it listed may be gone as
        well, and all that is known is loaded anew.
        """
        names = set(self.list_files("index"))
        with self._lock:
            if self._known - names:
                self._index, self._known = Index(), set()
                self._tree_packs.clear()
            missing = sorted(names - self._known)
            with ThreadPoolExecutor(8, "index") as pool:
                contents = pool.map(lambda name: self._load_sealed("index", name), missing)
                for name, content in zip(missing, contents, strict=True):
                    self._index.load(content)
                    self._known.add(name)
        self._cache.keep_only("index", names)
        self._cache.keep_only("data", self._index.packs)

    # Blobs

    def has_blob(self, kind: BlobType, identifier: str) -> bool:
        """Whether a blob is in the repository, or on its way."""
        raw = bytes.fromhex(identifier)
        with self._lock:
            return raw in self._fresh[kind] or (kind, raw) in self._index

    def locate(self, kind: BlobType, identifier: str) -> Location:
        """Say where a blob lies.

        Raises
        ------
        NotFound
            If it is not in the repository.
        """
        location = self._index.find(kind, bytes.fromhex(identifier))
        if location is None:
            raise NotFound("A blob is missing in the repository", path=identifier, hint=_CHECK)
        return location

    def save_blob(self, kind: BlobType, plain: bytes) -> str:
        """Put a blob into a pack, unless it is there already, and return its ID.

        It is durable only after :meth:`flush`. Blocks while too many packs wait.
        """
        identifier = digest(plain)
        with self._lock:
            if identifier in self._fresh[kind] or (kind, identifier) in self._index:
                return identifier.hex()
            self._fresh[kind].add(identifier)
        compressed = self._compressor.compress(plain)
        worthwhile = len(compressed) < len(plain) or kind == "tree"
        sealed = self._keys.seal(compressed if worthwhile else plain)
        pack = None
        with self._lock:
            packer = self._packers.setdefault(kind, Packer(self._keys, kind))
            packer.add(identifier, sealed, len(plain) if worthwhile else 0)
            self.bytes_added += len(plain)
            self.bytes_packed += len(sealed)
            self.blobs_added[kind] += 1
            if packer.full:
                pack = packer.finish()
        if pack is not None:
            self._upload(pack)
        return identifier.hex()

    def load_blob(self, kind: BlobType, identifier: str) -> bytes:
        """Read one blob, checked against its ID."""
        place = self.locate(kind, identifier)
        if kind == "tree":
            pack = self._tree_pack(place.pack)
            sealed: bytes | memoryview = memoryview(pack)[place.offset :][: place.length]
        else:
            sealed = self.read_pack(place.pack, place.offset, place.length)
        return self.decode_blob(identifier, sealed, place.uncompressed)

    def decode_blob(self, identifier: str, sealed: bytes | memoryview, uncompressed: int) -> bytes:
        """Turn a sealed blob into the plain one.

        Raises
        ------
        ChecksumMismatch
            If it is damaged.
        """
        plain = self._keys.open(sealed)
        if uncompressed:
            plain = self._decompress(plain, uncompressed, identifier)
        if digest(plain).hex() != identifier:
            raise ChecksumMismatch("A blob is damaged", path=identifier, hint=_CHECK)
        return plain

    def read_pack(self, pack: str, offset: int, length: int) -> bytes:
        """Read a range of a pack.

        Raises
        ------
        ChecksumMismatch
            If the pack is shorter than that.
        """
        content = self._store.read(_pack_key(pack), offset=offset, length=length)
        if len(content) != length:
            raise ChecksumMismatch("A pack is cut short", path=pack, hint=_CHECK)
        return content

    def save_tree(self, nodes: list[Node]) -> str:
        """Save a directory and return its ID."""
        return self.save_blob("tree", encode_tree(nodes))

    def load_tree(self, identifier: str) -> list[Node]:
        """Read a directory."""
        return decode_tree(self.load_blob("tree", identifier))

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
        """Give up what was not flushed, and give back threads. The store stays open."""
        if self._uploads is not None:
            self._uploads.shutdown(cancel_futures=True)

    # Writing packs

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
        self._put(_pack_key(name), pack.content)
        if pack.type == "tree":
            self._cache.write("data", name, pack.content)
        with self._lock:
            self._index.add(name, pack.blobs)
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
        for content in encode_index(written):
            name = self._save_sealed("index", content)
            with self._lock:
                self._known.add(name)

    def _put(self, key: str, content: bytes) -> None:
        # Named by what is in it: to write it twice does no harm.
        for attempt in range(_TRIES):
            try:
                self._store.write(key, content)
            except StorageError as error:
                if not error.retryable or attempt == _TRIES - 1:
                    raise
                time.sleep(random.uniform(0.5, 1.5) * _PAUSE * 2**attempt)  # noqa: S311
            else:
                return

    # Reading

    def _tree_pack(self, pack: str) -> bytes:
        # Whole packs of trees: a directory's neighbours are wanted next.
        with self._lock:
            if (content := self._tree_packs.get(pack)) is not None:
                self._tree_packs.move_to_end(pack)
                return content
        content = self._cache.read("data", pack)
        if content is None:
            content = self._store.read(_pack_key(pack))
            if digest(content).hex() != pack:
                raise ChecksumMismatch("A pack is damaged", path=pack, hint=_CHECK)
            self._cache.write("data", pack, content)
        with self._lock:
            self._tree_packs[pack] = content
            while len(self._tree_packs) > 8:
                self._tree_packs.popitem(last=False)
        return content

    def _save_sealed(self, kind: str, plain: bytes) -> str:
        sealed = self._keys.seal(b"\x02" + self._compressor.compress(plain))
        name = digest(sealed).hex()
        self._put(f"{kind}/{name}", sealed)
        if kind != "locks":
            self._cache.write(kind, name, sealed)
        return name

    def _load_sealed(self, kind: str, identifier: str) -> bytes:
        sealed = None if kind == "locks" else self._cache.read(kind, identifier)
        if sealed is None:
            sealed = self._store.read(f"{kind}/{identifier}")
            if digest(sealed).hex() != identifier:
                raise ChecksumMismatch("A file is damaged", path=f"{kind}/{identifier}")
            if kind != "locks":
                self._cache.write(kind, identifier, sealed)
        plain = self._keys.open(sealed)
        # Files of repositories that came from version 1 may still be plain JSON.
        if plain[:1] in (b"{", b"["):
            return plain
        return self._decompress(plain[1:], 0, f"{kind}/{identifier}")

    def _decompress(self, content: bytes, size: int, name: str) -> bytes:
        try:
            return self._decompressor.decompress(content, max_output_size=size or _LARGEST)
        except zstandard.ZstdError as error:
            raise ChecksumMismatch("Compressed data is damaged", path=name, hint=_CHECK) from error

    # zstandard's contexts must not be shared between threads.

    @property
    def _compressor(self) -> zstandard.ZstdCompressor:
        if not hasattr(self._local, "compressor"):
            self._local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        compressor: zstandard.ZstdCompressor = self._local.compressor
        return compressor

    @property
    def _decompressor(self) -> zstandard.ZstdDecompressor:
        if not hasattr(self._local, "decompressor"):
            self._local.decompressor = zstandard.ZstdDecompressor()
        decompressor: zstandard.ZstdDecompressor = self._local.decompressor
        return decompressor

    def find_snapshot(self, prefix: str, among: list[Snapshot]) -> Snapshot:
        """Find a snapshot by the beginning of its ID, or the newest as ``latest``.

        Raises
        ------
        NotFound, Conflict
            If there is none, or more than one.
        """
        if prefix == "latest" and among:
            return among[-1]
        if not prefix:
            raise InvalidRequest("Name a snapshot", hint="'jupyter storage snapshot list'")
        found = [snapshot for snapshot in among if snapshot.id.startswith(prefix.lower())]
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} snapshots begin with '{prefix}'", hint="Give more of the ID."
            )
        if not found:
            raise NotFound(
                f"There is no snapshot '{prefix}'",
                hint="'jupyter storage snapshot list' shows those that there are.",
            )
        return found[0]


def _pack_key(pack: str) -> str:
    return f"data/{pack[:2]}/{pack}"


def _opened(store: Store, password: str) -> Iterator[tuple[str, Keys]]:
    """Keys that a password opens, with their names; makers at work may take theirs away."""
    for name in _names(store, "keys"):
        with suppress(NotFound):
            keys = open_key_file(password, store.read(f"keys/{name}"))
            if keys is not None:
                yield name, keys


def _opens(keys: Keys, sealed: bytes) -> bool:
    try:
        keys.open(sealed)
    except ChecksumMismatch:
        return False
    return True


def _names(store: Store, directory: str) -> list[str]:
    """Names in one directory; none where the directory does not exist yet."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        try:
            page = store.list(directory, cursor=cursor)
        except NotFound:
            return names
        names += [entry.name for entry in page.entries if len(entry.name) == 64]
        cursor = page.cursor
        if cursor is None:
            return names
