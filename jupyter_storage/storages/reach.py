"""How a bucket that is not ours can be used: with credentials, or as a public one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from jupyter_storage.errors import AccessDenied, StorageError
from jupyter_storage.locations import Locations
from jupyter_storage.paths import join, split_uri
from jupyter_storage.storages.buckets import bucket_of
from jupyter_storage.storages.marks import MARK
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.tiers.registry import options_for
from jupyter_storage.transfers.places import Place

__all__ = ["Reach", "reach"]


@dataclass(frozen=True, slots=True)
class Reach:
    """A place, and how it is opened.

    Attributes
    ----------
    uri : str
    place : Place
    options : mapping
        For the store; no secrets, only their names.
    read_only : bool
        Whether it is a public bucket, which nobody may write to.
    """

    uri: str
    place: Place
    options: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = False


def reach(locations: Locations, uri: str, *, to_write: bool = False) -> Reach:
    """Open a URI with the credentials that there are, else without any.

    Parameters
    ----------
    locations : Locations
    uri : str
    to_write : bool
        Whether to find out if it may be written to.

    Raises
    ------
    AccessDenied
        If neither works.
    """
    place = locations.place(uri)
    options = options_for(uri, locations.settings)
    anonymous = bool(options.get("anonymous"))
    if anonymous or split_uri(uri)[0] not in {"s3", "gs"}:
        return Reach(uri, place, options, read_only=anonymous)
    try:
        with place.naming():
            place.store.stat(place.key)
    except AccessDenied as error:
        scheme, bucket, _ = split_uri(uri)
        public = {**options, "anonymous": True}
        store = RetryingStore(open_store(f"{scheme}://{bucket}", public))
        with suppress(StorageError):
            store.stat(place.key)
            return Reach(uri, Place(store, place.key, f"{scheme}://{bucket}/"), public, True)
        store.close()
        raise error
    read_only = False
    if to_write:
        with closing(bucket_of(uri, options)) as there:
            read_only = not there.takes_writes(join(split_uri(uri)[2], MARK))
    return Reach(uri, place, options, read_only)
