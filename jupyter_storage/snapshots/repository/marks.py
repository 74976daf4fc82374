"""What earlier passes of pruning found, and what time it is for the store.

Marks lie beside the repository, for stock restic knows nothing of them. They are dated by the
store: clocks of machines may be wrong.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from jupyter_storage.errors import NotFound, Unsupported
from jupyter_storage.stores.store import Store

__all__ = ["Mark", "Marks"]

_CLOCK = "clock"
_PREFIX = "pass-"


@dataclass(frozen=True)
class Mark:
    """What one pass found.

    Attributes
    ----------
    name : str
    time : datetime
        When it was written, by the store's clock.
    packs : frozenset of str
        IDs of packs that nothing needed.
    """

    name: str
    time: datetime
    packs: frozenset[str]


class Marks:
    """The marks of one repository.

    Parameters
    ----------
    store : Store
        Its root is theirs alone.
    repository : str
        ID of the repository; marks of another one that was here before count for nothing.
    """

    def __init__(self, store: Store, repository: str) -> None:
        self._store, self._repository = store, repository

    def clock(self) -> datetime:
        """Say what time it is for the store."""
        if (root := self._store.local_path("")) is not None:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store.write(_CLOCK, uuid4().hex.encode())
        return self._time(_CLOCK)

    def read(self) -> list[Mark]:
        """Read the marks, oldest first."""
        found = []
        for name in self._names():
            with suppress(NotFound, ValueError, KeyError, TypeError):
                wire = json.loads(self._store.read(name))
                if wire["repository"] == self._repository:
                    found.append(Mark(name, self._time(name), frozenset(wire["packs"])))
        return sorted(found, key=lambda mark: mark.time)

    def write(self, packs: frozenset[str]) -> None:
        """Write a mark."""
        content = {"repository": self._repository, "packs": sorted(packs)}
        self._store.write(f"{_PREFIX}{uuid4().hex}", json.dumps(content).encode())

    def delete(self, mark: Mark) -> None:
        """Delete a mark."""
        with suppress(NotFound):
            self._store.delete(mark.name)

    def _names(self) -> list[str]:
        names: list[str] = []
        cursor: str | None = None
        while True:
            try:
                page = self._store.list("", cursor=cursor)
            except NotFound:
                return names
            names += [entry.name for entry in page.entries if entry.name.startswith(_PREFIX)]
            cursor = page.cursor
            if cursor is None:
                return names

    def _time(self, name: str) -> datetime:
        modified = self._store.stat(name).modified
        if modified is None:
            raise Unsupported(
                "This store does not say when a file was written, so nothing can be pruned safely",
                path=f"{self._store.uri}/{name}",
                hint="Use stock restic: 'restic forget --prune' while nothing else is running.",
            )
        return modified
