"""Files of a repository: small ones, which are sealed JSON, and packs.

A file is named by the SHA-256 of what is in it, so that writing it a second time does no harm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_storage.errors import ChecksumMismatch, Conflict, NotFound, StorageError
from jupyter_storage.snapshots.repository.cache import Cache
from jupyter_storage.snapshots.repository.compression import CHECK, compress, decompress
from jupyter_storage.snapshots.repository.crypto import Keys, digest
from jupyter_storage.stores.pace import jittered
from jupyter_storage.stores.store import Store

__all__ = ["CHECK", "Files", "list_names", "pack_key"]

_PUBLISHED = frozenset({"index", "snapshots"})
_TRIES = 4
_PAUSE = 0.25  # seconds before the second try; then twice that


class Files:
    """Sealed files in a store, with copies on this machine. Safe between threads.

    Parameters
    ----------
    store : Store
        Its root is the repository.
    keys : Keys
        The master keys.
    cache : Path or None
        Directory for copies of small files.

    Attributes
    ----------
    fences : list of callable
        Of the locks that are held: each raises Conflict where others may have taken us for dead.
    """

    def __init__(self, store: Store, keys: Keys, cache: Path | None) -> None:
        self.store, self.keys, self.cache = store, keys, Cache(cache)
        self.fences: list[Callable[[], None]] = []

    def list(self, kind: str) -> list[str]:
        """List the IDs of files of one kind."""
        return list_names(self.store, kind)

    def list_times(self, kind: str) -> dict[str, datetime | None]:
        """List the IDs of files of one kind, and when they were written by the store's clock."""
        return _times(self.store, kind)

    def save_unpacked(self, kind: str, value: Any) -> str:
        """Write a file of JSON, compressed and sealed, and return its ID."""
        return self.save(kind, json.dumps(value, ensure_ascii=False).encode())

    def load_unpacked(self, kind: str, identifier: str) -> Any:
        """Read a file of JSON.

        Raises
        ------
        NotFound
            If it is not there.
        ChecksumMismatch
            If it is damaged.
        """
        return json.loads(self.load(kind, identifier))

    def save(self, kind: str, plain: bytes) -> str:
        """Write a small file, compressed and sealed, and return its ID."""
        sealed = self.keys.seal(b"\x02" + compress(plain))
        name = digest(sealed).hex()
        if kind in _PUBLISHED:
            self._publish(f"{kind}/{name}", sealed)
        else:
            self.put(f"{kind}/{name}", sealed)
        if kind != "locks":
            self.cache.write(kind, name, sealed)
        return name

    def load(self, kind: str, identifier: str, *, fresh: bool = False) -> bytes:
        """Read a small file; with ``fresh`` from the store in any case.

        Raises
        ------
        NotFound, ChecksumMismatch
            As :meth:`load_unpacked`.
        """
        sealed = None if fresh or kind == "locks" else self.cache.read(kind, identifier)
        if sealed is None:
            sealed = self.store.read(f"{kind}/{identifier}")
            if digest(sealed).hex() != identifier:
                raise ChecksumMismatch("A file is damaged", path=f"{kind}/{identifier}", hint=CHECK)
            if kind != "locks":
                self.cache.write(kind, identifier, sealed)
        plain = self.keys.open(sealed)
        # Files of repositories that came from version 1 may still be plain JSON.
        if plain[:1] in (b"{", b"["):
            return plain
        return decompress(plain[1:], 0, f"{kind}/{identifier}")

    def _publish(self, key: str, content: bytes) -> None:
        """Write what others build upon from now on."""
        self._confirm()
        self.put(key, content)
        try:
            self._confirm()
        except Conflict:
            # The machine slept while this was on its way: what it needs may be gone.
            self.remove(key)
            raise

    def _confirm(self) -> None:
        for fence in tuple(self.fences):
            fence()

    def is_there(self, kind: str, identifier: str) -> bool:
        """Whether a file is in the store, by its name."""
        try:
            self.store.stat(f"{kind}/{identifier}")
        except NotFound:
            return False
        return True

    def put(self, key: str, content: bytes | memoryview) -> None:
        """Write a file whole, several times if need be."""
        self._persist(lambda: self.store.write(key, content))

    def remove(self, key: str) -> None:
        """Delete a file, several times if need be; one that is gone already will do."""

        def delete() -> None:
            with suppress(NotFound):
                self.store.delete(key)

        self._persist(delete)

    def _persist(self, work: Callable[[], object]) -> None:
        for attempt in range(_TRIES):
            try:
                work()
            except StorageError as error:
                if not error.retryable or attempt == _TRIES - 1:
                    raise
                time.sleep(jittered(_PAUSE * 2**attempt))
            else:
                return

    def read_pack(self, pack: str, offset: int, length: int) -> bytes:
        """Read a range of a pack.

        Raises
        ------
        ChecksumMismatch
            If the pack is shorter than that.
        """
        content = self.store.read(pack_key(pack), offset=offset, length=length)
        if len(content) != length:
            raise ChecksumMismatch("A pack is cut short", path=pack, hint=CHECK)
        return content


def pack_key(pack: str) -> str:
    """Say where a pack lies in the store."""
    return f"data/{pack[:2]}/{pack}"


def list_names(store: Store, directory: str) -> list[str]:
    """Names in one directory; none where the directory does not exist yet."""
    return list(_times(store, directory))


def _times(store: Store, directory: str) -> dict[str, datetime | None]:
    found: dict[str, datetime | None] = {}
    cursor: str | None = None
    while True:
        try:
            page = store.list(directory, cursor=cursor)
        except NotFound:
            return found
        found |= {entry.name: entry.modified for entry in page.entries if len(entry.name) == 64}
        cursor = page.cursor
        if cursor is None:
            return found
