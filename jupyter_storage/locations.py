"""From what a person types to a store and a key, and what may be changed there."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_storage.config import Settings
from jupyter_storage.errors import InvalidPath, NotFound, Protected
from jupyter_storage.paths import is_below, join, parse, split_uri
from jupyter_storage.stores.mount_table import refuse_mounts
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.store import Store
from jupyter_storage.tiers import Tier, build_tiers
from jupyter_storage.tiers.registry import options_for
from jupyter_storage.transfers.places import Place

__all__ = ["PRIVATE_PREFIX", "Locations", "Protection"]

PRIVATE_PREFIX = ".jupyter_storage"
"""Directory of system data below the artifacts, for credentials that reach nothing else."""


class Locations:
    """Opens stores once, and keeps system data from harm.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tiers: Mapping[str, Tier] = build_tiers(settings)
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def configure(self, settings: Settings) -> None:
        """Go on with other tiers; of those that changed, stores are opened anew."""
        tiers = build_tiers(settings)
        with self._lock:
            for name, tier in self.tiers.items():
                if tiers.get(name) != tier:
                    self._stores.pop(tier.uri, None)
        self.settings, self.tiers = settings, tiers

    def tier(self, name: str) -> Tier:
        """Find a tier by its name.

        Raises
        ------
        NotFound
            If there is none.
        """
        if name not in self.tiers:
            raise NotFound(
                f"There is no tier '{name}'",
                path=f"{name}:",
                hint=f"The tiers are: {', '.join(self.tiers)}.",
            )
        return self.tiers[name]

    def open_tier(self, tier: Tier) -> Store:
        """Open the store of a tier, or give the one that is open."""
        return self._open(tier.uri, tier.options)

    def place(self, path: str) -> Place:
        """Say where a path is.

        Parameters
        ----------
        path : str
            ``tier:relative/path``, a URI or a local path.

        Returns
        -------
        Place
            A URI inside a tier is opened as that tier, with its options.

        Raises
        ------
        InvalidPath
            If the path cannot be understood.
        """
        address = parse(path, tiers=set(self.tiers))
        if address.tier is not None:
            tier = self.tiers[address.tier]
            return Place(self.open_tier(tier), address.key, f"{address.tier}:", address.directory)
        if address.root == "file://":
            store = self._open("file:///", {})
            return Place(store, address.key, "/", address.directory)
        uri = join(address.root, address.key)
        for tier in self.tiers.values():
            if is_below(uri, tier.uri):
                key = uri[len(tier.uri) :].strip("/")
                return Place(self.open_tier(tier), key, f"{tier.uri}/", address.directory)
        store = self._open(address.root, options_for(uri, self.settings))
        return Place(store, address.key, f"{address.root}/", address.directory)

    def reference(self, path: str) -> tuple[str, Mapping[str, Any]]:
        """Say where a path is such that another process can open it.

        Returns
        -------
        tuple
            A URI, and the options of its store, which hold no secret.
        """
        place = self.place(path)
        local = place.store.local_path(place.key)
        if local is not None:
            return local.absolute().as_uri(), {}
        uri = join(place.store.uri, place.key)
        for tier in self.tiers.values():
            if is_below(uri, tier.uri):
                return uri, tier.options
        return uri, options_for(uri, self.settings)

    def guard(self, place: Place, *, force: bool, deletes: bool = False) -> None:
        """Refuse to change what the product itself needs.

        Parameters
        ----------
        place : Place
            What is about to be written or deleted.
        force : bool
            A person insists.
        deletes : bool
            Whether everything below the place goes with it.

        Raises
        ------
        Protected
            For system data without force.
        InvalidPath
            For the root of a tier or a bucket, which is never deleted.
        HoldsMount
            Where storage is mounted in a directory that goes.
        """
        if deletes and not place.key:
            raise InvalidPath(
                "The root of a tier or bucket cannot be deleted",
                path=place.label,
                hint="Delete what is in it.",
            )
        local = place.store.local_path(place.key) if deletes else None
        if local is not None:
            refuse_mounts(local, place.key)
        if not force:
            self.protection().check(place, deletes=deletes)

    def protection(self) -> Protection:
        """What must not be changed, for the checks of one request."""
        return Protection(self.settings, self.tiers)

    def system_below(self, place: Place) -> list[str]:
        """Give the names below a directory at which system data lies."""
        uri = _uri(place)
        private = join(_canonical(self.settings.artifacts), PRIVATE_PREFIX)
        system = _canonical(self.settings.system_uri)
        return [
            found[len(uri) :].strip("/")
            for found in (private, system)
            if found != uri and is_below(found, uri)
        ]

    def close(self) -> None:
        """Close every store that was opened."""
        with self._lock:
            stores, self._stores = list(self._stores.values()), {}
        for store in stores:
            store.close()

    def _open(self, uri: str, options: Mapping[str, object]) -> Store:
        with self._lock:
            if uri not in self._stores:
                store = open_store(uri, options)
                local = store.local_path("") is not None
                self._stores[uri] = store if local else RetryingStore(store)
            return self._stores[uri]


class Protection:
    """System data, links in its path resolved once: good for one request, however many files.

    Parameters
    ----------
    settings : Settings
    tiers : mapping of str to Tier
    """

    def __init__(self, settings: Settings, tiers: Mapping[str, Tier]) -> None:
        self._system = _canonical(settings.system_uri)
        self._private = join(_canonical(settings.artifacts), PRIVATE_PREFIX)
        self._tiers = tiers
        self._directories: dict[str, str] = {}

    def check(self, place: Place, *, deletes: bool = False) -> None:
        """Refuse to change system data; see :meth:`Locations.guard`.

        Raises
        ------
        Protected
        """
        uri = self._uri(place)
        system, private = self._system, self._private
        if deletes and (is_below(system, uri) or is_below(private, uri)):
            raise _protected(place, "It holds system data: snapshots and shared tiers")
        if is_below(uri, private) or (is_below(uri, system) and not self._in_a_tier(uri)):
            raise _protected(place, "This is system data: snapshots or a workload's tier")

    def _uri(self, place: Place) -> str:
        """As :func:`_uri`; of many files in a directory, the directory is resolved once."""
        root = place.store.local_path("")
        if root is None or not place.key:
            return _uri(place)
        # Of strings, for paths of pathlib cost more than the look at the disk.
        path = os.path.join(root, place.key)  # noqa: PTH118
        if os.path.islink(path):  # noqa: PTH114
            return _uri(place)
        above, name = os.path.split(path)
        if above not in self._directories:
            self._directories[above] = os.path.realpath(above)
        return f"file://{os.path.join(self._directories[above], name)}"  # noqa: PTH118

    def _in_a_tier(self, uri: str) -> bool:
        return any(is_below(uri, _canonical(tier.uri)) for tier in self._tiers.values())


def _protected(place: Place, what: str) -> Protected:
    return Protected(
        what,
        path=place.path,
        hint="Changing it loses snapshots or other workloads' files for good, and cannot be "
        "undone. Use --force if you are sure.",
    )


def _uri(place: Place) -> str:
    local = place.store.local_path("")
    if local is not None:
        return _canonical((local / place.key).as_uri())
    return join(place.store.uri, place.key)


def _canonical(uri: str) -> str:
    """One spelling: links in local paths resolved, nothing percent-encoded."""
    scheme, bucket, key = split_uri(uri)
    if scheme == "file":
        return "file://" + str(Path("/" + key).resolve())
    return join(f"{scheme}://{bucket}", key)
