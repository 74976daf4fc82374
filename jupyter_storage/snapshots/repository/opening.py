"""Making and opening a repository: its configuration, and the keys that open it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    ChecksumMismatch,
    NotFound,
    StorageError,
    Unsupported,
)
from jupyter_storage.snapshots.repository.crypto import Keys, digest, make_key_file, open_key_file
from jupyter_storage.snapshots.repository.files import list_names
from jupyter_storage.snapshots.repository.polynomial import random_polynomial
from jupyter_storage.stores.store import Store

__all__ = ["make_repository", "open_repository", "opened_keys"]

_DIRECTORIES = ("data", "index", "keys", "locks", "snapshots")


def make_repository(store: Store, password: str) -> None:
    """Make a repository, unless somebody made it at the same moment."""
    if (root := store.local_path("")) is not None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if store.keeps_directories:
        for name in _DIRECTORIES:
            store.make_directory(name)
    # A maker that died left its key: taken over, it is not in stock restic's way, which gives
    # up where it first tries a key that does not open the configuration.
    keys = next((each for _, each in opened_keys(store, password)), None)
    if keys is None:
        keys = Keys.random()
        key_file = make_key_file(password, keys)
        store.write(f"keys/{digest(key_file).hex()}", key_file)
    config = {
        "version": 2,
        "id": os.urandom(32).hex(),
        "chunker_polynomial": f"{random_polynomial():x}",
    }
    # Where somebody was first, opening it finds out which keys are the right ones.
    with suppress(AlreadyExists):
        store.write("config", keys.seal(json.dumps(config).encode()), exclusive=True)


def open_repository(store: Store, password: str) -> tuple[Keys, dict[str, Any]]:
    """Give the master keys and the configuration; raises as :meth:`Repository.open`."""
    try:
        sealed = store.read("config")
    except NotFound as error:
        raise NotFound(
            "There is no snapshot repository",
            path=store.uri,
            hint="It is made with the first snapshot: 'jupyter storage snapshot now'.",
        ) from error
    found: Keys | None = None
    strange = []
    for name, keys in opened_keys(store, password):
        if _opens(keys, sealed):
            found = keys
        else:
            strange.append(name)
    if found is None and strange:
        raise ChecksumMismatch(
            "The configuration of the snapshot repository is damaged",
            path=f"{store.uri}/config",
            hint="Try again. If it stays, bring the file back from an older version in the bucket.",
        )
    if found is None:
        raise AccessDenied(
            "The password does not open the snapshot repository",
            path=store.uri,
            hint="Check the password file, or JUPYTER_STORAGE_SNAPSHOT_PASSWORD.",
        )
    for name in strange:
        # Left by one of two who made the repository at once, and died in between. Stock restic
        # gives up where it tries this one first.
        with suppress(StorageError):
            store.delete(f"keys/{name}")
    config: dict[str, Any] = json.loads(found.open(sealed))
    if config.get("version") != 2:
        raise Unsupported(
            f"The repository has format version {config.get('version')}, not 2",
            path=store.uri,
            hint="Upgrade it with 'restic migrate upgrade_repo_v2'.",
        )
    return found, config


def opened_keys(store: Store, password: str) -> Iterator[tuple[str, Keys]]:
    """Keys that a password opens, with their names; makers at work may take theirs away."""
    for name in list_names(store, "keys"):
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
