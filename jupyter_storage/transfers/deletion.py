"""Deletions: whole directories where a store can, else one file after the other."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jupyter_storage.errors import HoldsMount, IsADirectory, NotFound, StorageError
from jupyter_storage.records import Entry
from jupyter_storage.transfers.buffers import run
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import check_cancelled, tried

__all__ = ["delete", "prune"]


def delete(
    targets: Sequence[Place],
    *,
    recursive: bool,
    meter: Meter,
    cancel: threading.Event,
    concurrency: int,
    pause: float,
) -> None:
    """Delete files and exact directories.

    Parameters
    ----------
    targets : sequence of Place
    recursive : bool
        Needed for directories.
    meter : Meter
    cancel : threading.Event
    concurrency : int
        Requests at once.
    pause : float
        See :func:`jupyter_storage.transfers.streams.tried`.

    Raises
    ------
    Cancelled
        If it was. What is gone is gone.
    """
    meter.run()

    def count(files: int) -> None:
        check_cancelled(cancel)
        meter.done(files)

    def work(place: Place) -> None:
        meter.begin(place.path)
        try:
            with place.naming():
                entry = place.store.stat(place.key)
                if not entry.is_directory or entry.link is not None:
                    tried(lambda _: place.store.delete(place.key), cancel, pause=pause)
                    meter.done()
                elif not recursive:
                    raise IsADirectory("It is a directory", path=place.key)
                else:
                    try:
                        place.store.delete_directory(place.key, progress=count)
                    except HoldsMount:
                        raise
                    except StorageError:
                        check_cancelled(cancel)
                        _delete_one_by_one(place, meter, cancel, concurrency, pause)
        except StorageError as error:
            if not cancel.is_set():
                meter.fail(failure(error, place.path))

    run(targets, work, concurrency=concurrency, depth=concurrency, cancel=cancel)
    check_cancelled(cancel)


def _delete_one_by_one(
    place: Place, meter: Meter, cancel: threading.Event, concurrency: int, pause: float
) -> None:
    """Delete what can be deleted, and list what cannot."""
    failed = threading.Event()

    def work(entry: Entry) -> None:
        found = place.at(entry.path)
        try:
            with found.naming():
                tried(lambda _: found.store.delete(found.key), cancel, pause=pause)
            meter.done()
        except NotFound:
            return
        except StorageError as error:
            failed.set()
            if not cancel.is_set():
                meter.fail(failure(error, found.path))

    run(
        (entry for entry in place.store.walk(place.key) if not entry.is_directory),
        work,
        concurrency=concurrency,
        depth=1000,
        cancel=cancel,
    )
    check_cancelled(cancel)
    if failed.is_set():
        prune(place)
    else:
        place.store.delete_directory(place.key)


def prune(place: Place) -> None:
    """Remove a directory's empty directories, and itself if nothing is left."""
    local = place.store.local_path(place.key)
    if local is None:
        if all(entry.is_directory for entry in place.store.walk(place.key)):
            place.store.delete_directory(place.key)
        return
    for directory, _, _ in os.walk(local, topdown=False):
        if directory != str(local) or place.key:
            with suppress(OSError):
                Path(directory).rmdir()
