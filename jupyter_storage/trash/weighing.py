"""How much something is, counted for a while only."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_storage.transfers.places import Place

__all__ = ["Weight", "weigh"]

PATIENCE = 2.0  # seconds; a person waits for it
LOOK = 100  # entries between two looks at the clock


@dataclass(frozen=True, slots=True)
class Weight:
    """Files and bytes; there are more where it is not ``complete``."""

    files: int
    bytes: int
    complete: bool


def weigh(places: Iterable[Place], *, patience: float = PATIENCE) -> Weight:
    """Count what is in files and directories.

    Parameters
    ----------
    places : iterable of Place
    patience : float
        Seconds after which the count ends where it is.

    Raises
    ------
    NotFound
        If one of them is not there.
    """
    until = time.monotonic() + patience
    files = size = 0
    for place in places:
        with place.naming():
            entry = place.store.stat(place.key)
            if not entry.is_directory or entry.link is not None:
                files, size = files + 1, size + (entry.size or 0)
                if time.monotonic() > until:
                    return Weight(files, size, False)
                continue
            for number, below in enumerate(place.store.walk(place.key)):
                if not below.is_directory:
                    files, size = files + 1, size + (below.size or 0)
                if number % LOOK == 0 and time.monotonic() > until:
                    return Weight(files, size, False)
    return Weight(files, size, True)
