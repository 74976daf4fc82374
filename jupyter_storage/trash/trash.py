"""The trash of one tier: put there, listed, brought back, emptied.

In a directory, things move by a rename. In a bucket they are copied by the service, all of a thing
before the first of it is deleted; coming back, file by file. So a kill leaves each file where it
was or in the trash, or in both, and what is done again goes on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from jupyter_storage.errors import AlreadyExists, NotFound, StorageError
from jupyter_storage.paths import join
from jupyter_storage.records import Entry
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import check_cancelled, tried
from jupyter_storage.trash.bundles import (
    Bundle,
    description_of,
    directory_of,
    is_identifier,
    moment_of,
    new_identifier,
)
from jupyter_storage.trash.weighing import Weight

__all__ = ["COPIED", "Trash"]

COPIED = 10_000  # files of one deletion that a bucket copies
_PRIVATE = 0o700


class Trash:
    """What a person deleted on one tier.

    Parameters
    ----------
    root : Place
        The tier.
    user : str
        Whose trash it is, as one part of a key.
    concurrency : int
        Requests at once.
    """

    def __init__(self, root: Place, user: str, *, concurrency: int = 32) -> None:
        self._root, self._store = root, root.store
        self._directory = directory_of(user)
        self._concurrency = concurrency

    # Before

    def problem(self, places: Sequence[Place], weight: Weight, largest: int) -> str:
        """Say why things cannot go to the trash; empty where they can.

        Parameters
        ----------
        places : sequence of Place
            Of this tier.
        weight : Weight
            What they are together.
        largest : int
            Bytes that a bucket copies.
        """
        local = self._local()
        if local is not None:
            return _problem_of(local, [self._store.local_path(place.key) for place in places])
        if not self._store.can_copy_from(self._store):
            return "This kind of storage has no trash"
        if weight.bytes > largest or weight.files > COPIED or not weight.complete:
            return "It is more than the trash of a bucket takes"
        return ""

    # Putting

    def put(
        self, places: Sequence[Place], weight: Weight, *, meter: Meter, cancel: threading.Event
    ) -> str:
        """Move things to the trash.

        Parameters
        ----------
        places : sequence of Place
            Files and directories of this tier.
        weight : Weight
        meter : Meter
            Hears of progress and of failures; the rest is carried on with.
        cancel : threading.Event

        Returns
        -------
        str
            ID of the bundle.

        Raises
        ------
        Cancelled
            If it was. What has moved is in the trash.
        """
        bundle = self._begin(places, weight)
        meter.trash(f"{self._root.label}{bundle.id}")
        meter.expect(0, len(places))
        meter.run()
        for number, place in enumerate(places):
            check_cancelled(cancel)
            meter.begin(place.path)
            try:
                with place.naming():
                    self._put_one(place.key, bundle.place_of(number), cancel)
                meter.done()
            except StorageError as error:
                check_cancelled(cancel)
                meter.fail(failure(error, place.path))
        return bundle.id

    def put_one(self, place: Place, weight: Weight) -> str:
        """Move one thing to the trash; unlike :meth:`put` it raises what goes wrong."""
        bundle = self._begin([place], weight)
        with place.naming():
            self._put_one(place.key, bundle.place_of(0), threading.Event())
        return bundle.id

    def _begin(self, places: Sequence[Place], weight: Weight) -> Bundle:
        bundle = Bundle(new_identifier(), self._directory, [place.key for place in places], weight)
        local = self._local()
        with self._root.naming():
            if local is not None:
                local.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            bundle.write(self._store)
        return bundle

    def _put_one(self, key: str, to: str, cancel: threading.Event) -> None:
        if self._local() is not None:
            # The target is new: nothing is replaced, and the rename is one step.
            self._store.rename(key, to, exclusive=False)
            return
        entry = self._store.stat(key)
        copied = [entry] if not entry.is_directory else list(self._store.walk(key))
        if entry.is_directory:
            self._store.make_directory(to)
        run(
            copied,
            lambda each: self._copy(each, to + each.path[len(key) :], cancel),
            concurrency=self._concurrency,
            depth=self._concurrency,
            cancel=cancel,
        )
        check_cancelled(cancel)
        # Exactly what was copied: a file that came meanwhile stays.
        self._store.delete_files([each.path for each in copied if not each.is_directory])
        if entry.is_directory:
            self._drop_directories(key)

    def _copy(self, entry: Entry, to: str, cancel: threading.Event) -> None:
        if entry.is_directory:
            self._store.make_directory(to)
        else:
            tried(lambda _: self._store.copy_from(self._store, entry.path, to), cancel)

    # Looking

    def bundles(self) -> Iterator[Bundle]:
        """Yield what is in the trash, the newest first; damaged ones are passed over."""
        for identifier in sorted(self._identifiers(), reverse=True):
            with suppress(StorageError):
                yield Bundle.read(self._store, self._directory, identifier)

    def bundle(self, identifier: str) -> Bundle:
        """Find one.

        Raises
        ------
        NotFound
        """
        if not is_identifier(identifier):
            raise _missing(identifier)
        try:
            return Bundle.read(self._store, self._directory, identifier)
        except NotFound as error:
            raise _missing(identifier) from error

    def _identifiers(self) -> list[str]:
        try:
            names: list[str] = []
            cursor: str | None = None
            while True:
                page = self._store.list(self._directory, cursor=cursor)
                names += [each.name for each in page.entries if is_identifier(each.name)]
                cursor = page.cursor
                if cursor is None:
                    return names
        except NotFound:
            return []

    # Bringing back

    def restore(self, bundle: Bundle, *, meter: Meter, cancel: threading.Event) -> None:
        """Bring everything of a bundle back to where it was; nothing that is there is replaced.

        Parameters
        ----------
        bundle : Bundle
        meter : Meter
            Hears of progress, and of each thing that could not come back: it stays in the trash.
        cancel : threading.Event

        Raises
        ------
        Cancelled
            If it was. What is not back is in the trash.
        """
        meter.expect(0, len(bundle.keys))
        meter.run()
        failed = False
        for number, key in enumerate(bundle.keys):
            check_cancelled(cancel)
            place = self._root.at(key)
            meter.begin(place.path)
            try:
                with place.naming(), suppress(_Gone):
                    self._restore_one(bundle.place_of(number), key, cancel)
                meter.done()
            except StorageError as error:
                check_cancelled(cancel)
                failed = True
                meter.fail(failure(error, place.path))
        if not failed:
            with suppress(NotFound):
                self._store.delete_directory(bundle.key)

    def _restore_one(self, key: str, to: str, cancel: threading.Event) -> None:
        try:
            entry = self._store.stat(key)
        except NotFound as error:
            raise _Gone from error
        if self._local() is not None:
            self._restore_local(key, to, entry)
        elif not entry.is_directory:
            self._restore_object(entry, to, cancel)
        else:
            self._restore_objects(key, to, cancel)

    def _restore_local(self, key: str, to: str, entry: Entry) -> None:
        try:
            self._store.rename(key, to)
        except AlreadyExists:
            # A kill between the two halves of a rename leaves one file under both names.
            if entry.is_directory or not _same(self._store.stat(to), entry):
                raise
            self._store.delete(key)

    def _restore_objects(self, key: str, to: str, cancel: threading.Event) -> None:
        problems: list[StorageError] = []

        def work(entry: Entry) -> None:
            target = to + entry.path[len(key) :]
            try:
                if entry.is_directory:
                    self._store.make_directory(target)
                else:
                    self._restore_object(entry, target, cancel)
            except StorageError as error:
                problems.append(error)

        entries = list(self._store.walk(key))
        if not any(not entry.is_directory for entry in entries):
            self._store.make_directory(to)
        run(
            entries,
            work,
            concurrency=self._concurrency,
            depth=self._concurrency,
            cancel=cancel,
        )
        check_cancelled(cancel)
        if problems:
            raise problems[0]

    def _restore_object(self, entry: Entry, to: str, cancel: threading.Event) -> None:
        def once(_: int) -> None:
            try:
                self._store.copy_from(self._store, entry.path, to, exclusive=True)
            except AlreadyExists:
                # Listings may say less than a look at the object itself.
                if not _same(self._store.stat(to), self._store.stat(entry.path)):
                    raise

        tried(once, cancel)
        self._store.delete(entry.path)

    # Emptying

    def empty(
        self,
        identifiers: Sequence[str] | None = None,
        *,
        before: datetime | None = None,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        """Delete for good: some bundles, or those that are older than a moment, or all.

        Raises
        ------
        Cancelled
        """
        chosen = self._identifiers() if identifiers is None else list(identifiers)
        meter.run()
        for identifier in chosen:
            if before is not None and moment_of(identifier) >= before:
                continue
            check_cancelled(cancel)
            if not is_identifier(identifier):
                raise _missing(identifier)
            try:
                with self._root.naming():
                    # The description first: what is half gone is not offered any more.
                    with suppress(NotFound):
                        self._store.delete(description_of(self._directory, identifier))
                    self._store.delete_directory(
                        join(self._directory, identifier), progress=meter.done
                    )
            except NotFound:
                continue
            except StorageError as error:
                meter.fail(failure(error, f"{self._root.label}{identifier}"))

    def size(self) -> int:
        """Bytes that the trash holds."""
        return sum(bundle.weight.bytes for bundle in self.bundles())

    def _local(self) -> Path | None:
        return self._store.local_path(self._directory)

    def _drop_directories(self, key: str) -> None:
        """Remove the markers of a directory that is empty now."""
        with suppress(NotFound):
            left = list(self._store.walk(key))
            for entry in sorted(left, key=lambda each: len(each.path), reverse=True):
                if entry.is_directory:
                    self._store.delete_empty(entry.path)
            self._store.delete_empty(key)


class _Gone(Exception):
    """It is not in the trash: it never came there, or is back already."""


def _missing(identifier: str) -> NotFound:
    return NotFound(
        f"There is no '{identifier[:64]}' in the trash",
        hint="'jupyter storage trash list' shows what is there.",
    )


def _same(one: Entry, other: Entry) -> bool:
    return (one.type, one.size) == (other.type, other.size) and (
        one.checksum == other.checksum if one.checksum else one.modified == other.modified
    )


def _problem_of(trash: Path, paths: Sequence[Path | None]) -> str:
    """Say why a rename into a directory's trash would fail, without trying it."""
    root = trash.parent
    writable = trash if trash.is_dir() else root
    if not os.access(writable, os.W_OK | os.X_OK):
        return "You may not make a trash at the root of this tier"
    device = writable.stat().st_dev
    if any(path is not None and path.lstat().st_dev != device for path in paths):
        return "It lies on another disk than the tier itself"
    return ""
