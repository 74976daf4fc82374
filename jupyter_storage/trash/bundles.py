"""What a trash holds: a bundle for each deletion, with a description written before anything moves.

A bundle is a directory. ``bundle.json`` says what was deleted and from where; beside it lies each
thing under its number. What is not there never came, or has gone back.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.paths import TEMPORARY_PREFIX, clean_key, join
from jupyter_storage.stores.store import Store
from jupyter_storage.trash.weighing import Weight

__all__ = [
    "Bundle",
    "description_of",
    "directory_of",
    "is_identifier",
    "moment_of",
    "new_identifier",
]

_DESCRIPTION = "bundle.json"
_LARGEST = 64 * 2**20  # bytes of a description; a hundred thousand long paths
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One deletion.

    Attributes
    ----------
    id : str
        Begins with the time.
    directory : str
        Key of the trash.
    keys : sequence of str
        Where the things were; number n lies under ``str(n)``.
    weight : Weight
        Counted before they moved.
    """

    id: str
    directory: str
    keys: Sequence[str]
    weight: Weight

    @property
    def key(self) -> str:
        """Where the bundle lies."""
        return join(self.directory, self.id)

    @property
    def deleted(self) -> datetime:
        """When it was."""
        return moment_of(self.id)

    def place_of(self, number: int) -> str:
        """Key of a thing in the trash."""
        return join(self.key, str(number))

    def write(self, store: Store) -> None:
        """Write the description."""
        content = {
            "version": 1,
            "keys": list(self.keys),
            "files": self.weight.files,
            "bytes": self.weight.bytes,
            "complete": self.weight.complete,
        }
        store.write(description_of(self.directory, self.id), json.dumps(content).encode())

    @classmethod
    def read(cls, store: Store, directory: str, identifier: str) -> Bundle:
        """Read the description of a bundle.

        Raises
        ------
        NotFound
            If there is none.
        StorageError
            If it cannot be read.
        """
        data = store.read(description_of(directory, identifier), length=_LARGEST)
        try:
            content: dict[str, Any] = json.loads(data)
            # Whoever can write to the tier can write here.
            keys = [clean_key(str(key)) for key in content["keys"]]
            weight = Weight(
                int(content["files"]), int(content["bytes"]), bool(content.get("complete"))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(
                "The description of what was deleted is damaged",
                path=join(directory, identifier),
                hint="What was deleted still lies beside it.",
            ) from error
        return cls(identifier, directory, keys, weight)


def description_of(directory: str, identifier: str) -> str:
    """Key of a bundle's description."""
    return join(directory, identifier, _DESCRIPTION)


def directory_of(user: str) -> str:
    """Key of a person's trash: what is deleted is not for others to see."""
    return f"{TEMPORARY_PREFIX}trash-{user}"


def new_identifier() -> str:
    """Make an ID that sorts by time."""
    return f"{datetime.now(timezone.utc).strftime(_TIME)}-{secrets.token_hex(4)}"


def is_identifier(name: str) -> bool:
    """Whether a bundle may be called so."""
    return _ID.fullmatch(name) is not None


def moment_of(identifier: str) -> datetime:
    """Read the time in an ID.

    Raises
    ------
    NotFound
        If it is none.
    """
    try:
        return datetime.strptime(identifier[:16], _TIME).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise NotFound(f"There is no '{identifier[:64]}' in the trash") from error
