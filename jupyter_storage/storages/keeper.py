"""Storages that were created: listed, looked into, deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from jupyter_storage.errors import NotFound, Protected, StorageError
from jupyter_storage.locations import Locations
from jupyter_storage.paths import split_uri
from jupyter_storage.records import Plan, StorageRecord
from jupyter_storage.storages.homes import Homes
from jupyter_storage.storages.ledger import Ledger
from jupyter_storage.storages.marks import MARK, read_mark
from jupyter_storage.storages.model import STORES
from jupyter_storage.stores.store import Progress
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.streams import check_cancelled

__all__ = ["Keeper"]

_STORES = {**{scheme: name for name, scheme in STORES.items()}, "file": "local"}


class Keeper:
    """What was created by applying documents, and nothing else.

    Parameters
    ----------
    locations : Locations
    ledger : Ledger
    homes : Homes
    """

    def __init__(self, locations: Locations, ledger: Ledger, homes: Homes) -> None:
        self._locations, self._ledger, self._homes = locations, ledger, homes

    def all(self) -> list[StorageRecord]:
        """List the storages, oldest first, each as it is now.

        Those that lie in the artifacts are found whoever created them; those with a bucket of
        their own are known on the machine that created them.
        """
        records = {record.name: self._looked_at(record) for record in self._ledger.all()}
        try:
            prefixes = self._homes.marked_prefixes()
        except StorageError:
            # The artifacts are not there: what is recorded here is listed all the same.
            prefixes = []
        for uri, mark in prefixes:
            store = _STORES.get(split_uri(uri)[0], split_uri(uri)[0])
            found = StorageRecord(
                mark.name,
                mark.created,
                store,
                mark.command,
                "READY",
                uri,
                "prefix",
                mark.persistent,
            )
            records.setdefault(mark.name, found)
        return sorted(records.values(), key=lambda record: record.created)

    def get(self, name: str) -> StorageRecord:
        """Describe one.

        Raises
        ------
        NotFound
            Also for buckets that were not created here: those are not ours.
        """
        for record in self.all():
            if record.name == name:
                return record
        raise NotFound(
            f"There is no storage '{name}'",
            hint="'jupyter storage storages' lists those that were created here. Buckets of "
            "others, and public ones, are not listed and never deleted.",
        )

    def measure(self, name: str) -> Plan:
        """Say how much deleting one would lose."""
        place = self._place(self.get(name))
        files = size = 0
        try:
            with place.naming():
                for entry in place.store.walk(place.key):
                    files += not entry.is_directory
                    size += entry.size or 0
        except NotFound:
            return Plan(0, 0)
        return Plan(files, size)

    def delete(
        self, name: str, *, progress: Progress | None = None, cancel: threading.Event | None = None
    ) -> StorageRecord:
        """Delete a storage with all that is in it, and its bucket if that was made for it.

        Parameters
        ----------
        name : str
        progress : callable, optional
            Called with numbers of files.
        cancel : threading.Event, optional
            Stops between two batches; deleting again does the rest.

        Raises
        ------
        NotFound
            If there is no such storage.
        Protected
            If the bucket does not have our mark: then it is somebody else's.
        """
        record = self.get(name)
        place = self._place(record)
        if record.status not in {"DELETING", "GONE"} and read_mark(place) is None:
            raise Protected(
                f"The bucket of '{name}' has no mark that it was created here",
                path=record.uri,
                hint="It may be somebody else's by now. Delete it with the service's own tools, "
                "if you are sure.",
            )
        if record.status != "GONE":
            self._ledger.put(replace(record, status="DELETING"))
            self._empty(record, place, _stoppable(progress, cancel))
        self._ledger.remove(name)
        return record

    def _empty(self, record: StorageRecord, place: Place, progress: Progress) -> None:
        with place.naming():
            # An earlier try may have come this far.
            with suppress(NotFound):
                place.store.delete_directory(place.key, progress=progress)
            if record.kind == "bucket":
                self._homes.remove_bucket(record.uri)

    def _looked_at(self, record: StorageRecord) -> StorageRecord:
        try:
            place = self._place(record)
            if place.store.list(place.key, limit=1).entries or self._has_mark(place):
                return record
        except NotFound:
            pass
        except StorageError:
            return replace(record, status="UNREACHABLE")
        if record.kind == "bucket" and record.status in {"INIT", "DELETING"}:
            return record
        return replace(record, status="GONE")

    def _has_mark(self, place: Place) -> bool:
        try:
            place.store.stat(place.below(MARK).key)
        except NotFound:
            return False
        return True

    def _place(self, record: StorageRecord) -> Place:
        return self._homes.place(record.uri)


def _stoppable(progress: Progress | None, cancel: threading.Event | None) -> Callable[[int], None]:
    def count(files: int) -> None:
        if cancel is not None:
            check_cancelled(cancel)
        if progress is not None:
            progress(files)

    return count
