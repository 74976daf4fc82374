"""A store that hands every verb to another: the base of wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.records import Entry, Page, UnfinishedUpload, Usage
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.store import Fill, Progress, Store, Writer

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["ForwardingStore", "unwrapped"]


class ForwardingStore(Store):
    """Does what another store does; wrappers override what they change.

    Parameters
    ----------
    store : Store
        The one that does the work.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store.uri)
        self.inner = store
        self.keeps_links = store.keeps_links
        self.keeps_directories = store.keeps_directories

    def stat(self, key: str) -> Entry:
        return self.inner.stat(key)

    def details(self, key: str) -> Mapping[str, str]:
        return self.inner.details(key)

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        return self.inner.list(key, cursor=cursor, limit=limit)

    def walk(self, key: str = "") -> Iterator[Entry]:
        return self.inner.walk(key)

    def creates_exclusively(self) -> bool:
        return self.inner.creates_exclusively()

    def checksums(self, key: str) -> Sequence[Checksum]:
        return self.inner.checksums(key)

    def local_path(self, key: str) -> Path | None:
        return self.inner.local_path(key)

    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        return self.inner.open(key, offset=offset, length=length)

    def fill(self, key: str, size: int, write: Fill, *, progress: Progress) -> bool:
        return self.inner.fill(key, size, write, progress=progress)

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        return self.inner.create(key, exclusive=exclusive, size=size, modified=modified)

    def resume(
        self,
        key: str,
        token: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer | None:
        return self.inner.resume(key, token, exclusive=exclusive, size=size, modified=modified)

    def unfinished(self, key: str = "") -> Iterator[UnfinishedUpload]:
        return self.inner.unfinished(key)

    def discard(self, upload: UnfinishedUpload) -> None:
        self.inner.discard(upload)

    def make_directory(self, key: str) -> None:
        self.inner.make_directory(key)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def delete_files(self, keys: Sequence[str]) -> None:
        self.inner.delete_files(keys)

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        return self.inner.delete_directory(key, progress=progress)

    def delete_empty(self, key: str) -> None:
        self.inner.delete_empty(key)

    def can_copy_from(self, source: Store) -> bool:
        return self.inner.can_copy_from(unwrapped(source))

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        return self.inner.copy_from(
            unwrapped(source), source_key, key, exclusive=exclusive, progress=progress
        )

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        self.inner.rename(key, to, exclusive=exclusive)

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self.inner.filesystem()

    def url(self, key: str, *, expires: int = 3600) -> str:
        return self.inner.url(key, expires=expires)

    def usage(self) -> Usage:
        return self.inner.usage()

    def check(self) -> None:
        self.inner.check()

    def close(self) -> None:
        self.inner.close()


def unwrapped(store: Store) -> Store:
    """Give the store that does the work, below any wrappers."""
    while isinstance(store, ForwardingStore):
        store = store.inner
    return store
