"""How full tiers were, now and then: what a forecast is made of."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["Points"]

APART = 900.0  # seconds between two points of one tier
KEPT = 700  # a week of them


class Points:
    """Remembers how many bytes of each tier were used when.

    A figure that cannot be kept is lost, and nothing else.

    Parameters
    ----------
    path : Path
        A file of this person on this machine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, list[tuple[float, int]]] | None = None

    def note(self, root: str, used: int, *, now: float | None = None) -> None:
        """Remember a figure, unless one was noted a moment ago.

        Parameters
        ----------
        root : str
            URI of the tier: another root is another tier.
        used : int
            Bytes.
        now : float, optional
            Seconds since 1970.
        """
        moment = time.time() if now is None else now
        with self._lock:
            known = self._load()
            points = known.setdefault(root, [])
            if points and 0 <= moment - points[-1][0] < APART:
                return
            # A clock that was set back makes what follows it worthless.
            points[:] = [point for point in points if point[0] < moment][-KEPT + 1 :]
            points.append((moment, used))
            with suppress(OSError):
                self._save(known)

    def of(self, root: str) -> list[tuple[float, int]]:
        """Give what is known of a tier, the oldest first."""
        with self._lock:
            return list(self._load().get(root, ()))

    def _load(self) -> dict[str, list[tuple[float, int]]]:
        if self._known is None:
            self._known = {}
            with suppress(OSError, ValueError, TypeError, AttributeError):
                content = json.loads(self._path.read_text())
                self._known = {
                    root: [(float(at), int(used)) for at, used in points]
                    for root, points in content.items()
                }
        return self._known

    def _save(self, known: dict[str, list[tuple[float, int]]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        try:
            temporary.write_text(json.dumps(known))
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
