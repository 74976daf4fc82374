"""Where a named storage lives: a bucket of its own, or a prefix of the artifacts."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Literal

from jupyter_storage.errors import AccessDenied, Conflict, InvalidRequest, NotFound
from jupyter_storage.locations import Locations
from jupyter_storage.paths import join, split_uri
from jupyter_storage.records import StorageRecord
from jupyter_storage.storages.buckets import Bucket, bucket_of
from jupyter_storage.storages.ledger import Ledger
from jupyter_storage.storages.marks import Mark, read_mark, write_mark
from jupyter_storage.storages.model import STORES, Storage
from jupyter_storage.tiers.registry import options_for
from jupyter_storage.transfers.places import Place

__all__ = ["PREFIX", "Home", "Homes"]

PREFIX = "storages"
"""Directory of the artifacts in which storages without a bucket of their own lie."""

_LOCAL = "local"
_NAMES = {**{scheme: name for name, scheme in STORES.items()}, "file": _LOCAL}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a storage is, or will be.

    Attributes
    ----------
    uri : str
    kind : {'bucket', 'prefix', 'external'}
        ``external``: it was there before and is not ours, so that it is never deleted.
    exists : bool
    """

    uri: str
    kind: Literal["bucket", "prefix", "external"]
    exists: bool


class Homes:
    """Finds and makes the places of storages.

    Parameters
    ----------
    locations : Locations
    ledger : Ledger
    """

    def __init__(self, locations: Locations, ledger: Ledger) -> None:
        self._locations, self._ledger = locations, ledger
        self._settings = locations.settings

    def place(self, uri: str) -> Place:
        """Open the place of a home."""
        return self._locations.place(uri)

    def find(self, name: str, store: str | None) -> Home:
        """Say where the storage of a name is, or will be.

        Parameters
        ----------
        name : str
        store : str or None
            As in :class:`Storage`.

        Raises
        ------
        AccessDenied
            If a bucket of that name is closed to these credentials.
        """
        record = self._ledger.get(name)
        if record is not None and store in {None, record.store} and self._is_there(record):
            return Home(record.uri, record.kind, exists=True)
        prefix = self._prefix(name)
        scheme = STORES[store] if store else split_uri(self._settings.bucket)[0]
        if scheme == split_uri(prefix)[0] and read_mark(self.place(prefix)) is not None:
            return Home(prefix, "prefix", exists=True)
        if scheme not in _NAMES:
            raise InvalidRequest(
                f"It does not say whether '{name}' is to be in S3 or in GCS",
                hint=f"Add 'store': one of {', '.join(STORES)}.",
            )
        if scheme == "file":
            return Home(prefix, "prefix", exists=False)
        return self._find_bucket(f"{scheme}://{name}", name)

    def make(self, name: str, storage: Storage, home: Home, command: str) -> Home:
        """Make the place of a storage, marked as ours, and record it.

        A kill on the way leaves something that the next call finishes.

        Returns
        -------
        Home
            A prefix, where these credentials make no buckets.
        """
        record = self._record(name, storage, home, command)
        if home.kind == "bucket":
            self._ledger.put(record)
            try:
                with closing(self._bucket(home.uri)) as bucket:
                    bucket.create()
            except AccessDenied as error:
                self._ledger.remove(name)
                home = self._instead(name, home, error)
                record = self._record(name, storage, home, command)
            except Conflict as error:
                self._ledger.remove(name)
                raise Conflict(
                    f"Somebody else has a bucket '{name}'",
                    path=home.uri,
                    hint="Choose another name: a bucket's name is taken for everybody.",
                ) from error
        self._ledger.put(record)
        self.mark(record)
        return Home(home.uri, home.kind, exists=True)

    def claim(self, name: str, storage: Storage, home: Home, command: str) -> StorageRecord:
        """Record a storage of ours that is there, maybe made on another machine or not wholly.

        What was once asked to stay stays, whatever a document says later.
        """
        mark = read_mark(self.place(home.uri))
        record = self._ledger.get(name)
        if record is None or record.uri != home.uri:
            record = self._record(name, storage, home, mark.command if mark else command)
            if mark is not None:
                record = replace(record, created=mark.created)
        before = record if mark is None else mark
        record = replace(record, persistent=storage.persistent or before.persistent)
        self._ledger.put(record)
        if mark is None or mark.persistent != record.persistent:
            self.mark(record)
        return record

    def mark(self, record: StorageRecord) -> None:
        """Write the mark that goes with a record."""
        mark = Mark(record.name, record.created, record.command, record.persistent)
        root = self.place(record.uri)
        with root.naming():
            write_mark(root, mark)

    def remove_bucket(self, uri: str) -> None:
        """Remove an empty bucket; nothing happens if there is none."""
        with closing(self._bucket(uri)) as bucket, suppress(NotFound):
            bucket.remove()

    def marked_prefixes(self) -> list[tuple[str, Mark]]:
        """List the storages in the artifacts, whoever created them, by their marks."""
        root = self.place(join(self._settings.artifacts, PREFIX))
        found = []
        cursor = None
        while True:
            page = root.store.list(root.key, cursor=cursor)
            for entry in page.entries:
                mark = read_mark(root.at(entry.path)) if entry.is_directory else None
                if mark is not None:
                    found.append((self._prefix(entry.name), mark))
            cursor = page.cursor
            if cursor is None:
                return found

    def _find_bucket(self, uri: str, name: str) -> Home:
        with closing(self._bucket(uri)) as bucket:
            try:
                exists = bucket.exists()
            except AccessDenied:
                # There is none, or it is somebody else's: making it will tell.
                exists = False
        if not exists:
            return Home(uri, "bucket", exists=False)
        record = self._ledger.get(name)
        status = record.status if record is not None and record.uri == uri else ""
        root = self.place(uri)
        if read_mark(root) is not None or status == "DELETING":
            return Home(uri, "bucket", exists=True)
        if status == "INIT" and not root.store.list("", limit=1).entries:
            # Made, and interrupted before it was marked.
            return Home(uri, "bucket", exists=True)
        return Home(uri, "external", exists=True)

    def _is_there(self, record: StorageRecord) -> bool:
        return read_mark(self.place(record.uri)) is not None

    def _instead(self, name: str, home: Home, error: AccessDenied) -> Home:
        """A prefix of the artifacts, if they are in the same service."""
        prefix = self._prefix(name)
        if split_uri(prefix)[0] != split_uri(home.uri)[0]:
            raise AccessDenied(
                "These credentials make no buckets",
                path=home.uri,
                hint="Ask for a bucket and name it by its URI as 'source', or set "
                "JUPYTER_STORAGE_BUCKET to a bucket of this service: the storage becomes a part "
                "of it.",
            ) from error
        return Home(prefix, "prefix", exists=False)

    def _record(self, name: str, storage: Storage, home: Home, command: str) -> StorageRecord:
        kind: Literal["bucket", "prefix"] = "bucket" if home.kind == "bucket" else "prefix"
        return StorageRecord(
            name=name,
            created=datetime.now(timezone.utc),
            store=_NAMES[split_uri(home.uri)[0]],
            command=command,
            status="INIT",
            uri=home.uri,
            kind=kind,
            persistent=storage.persistent,
        )

    def _prefix(self, name: str) -> str:
        return join(self._settings.artifacts, PREFIX, name)

    def _bucket(self, uri: str) -> Bucket:
        return bucket_of(uri, options_for(uri, self._settings))
