"""The object in a storage that says that it was created here, and may be deleted here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone

from jupyter_storage.errors import NotFound
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.transfers.places import Place

__all__ = ["MARK", "Mark", "read_mark", "write_mark"]

MARK = f"{TEMPORARY_PREFIX}storage"
"""Key below the storage's root: listings hide it, and no face writes it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the object says.

    Attributes
    ----------
    name : str
        Of the storage.
    created : datetime
    command : str
        What created it.
    persistent : bool
    """

    name: str
    created: datetime
    command: str
    persistent: bool


def read_mark(root: Place) -> Mark | None:
    """Read the mark of a storage, or None where there is none that can be understood."""
    try:
        fields = json.loads(root.store.read(root.below(MARK).key))
        created = datetime.fromisoformat(fields["created"])
        return Mark(
            str(fields["name"]), created, str(fields["command"]), bool(fields["persistent"])
        )
    except (NotFound, ValueError, KeyError, TypeError):
        return None


def write_mark(root: Place, mark: Mark) -> None:
    """Write the mark of a storage."""
    fields = {
        "name": mark.name,
        "created": mark.created.astimezone(timezone.utc).isoformat(),
        "command": mark.command,
        "persistent": mark.persistent,
    }
    root.store.write(root.below(MARK).key, json.dumps(fields, indent=2).encode())
