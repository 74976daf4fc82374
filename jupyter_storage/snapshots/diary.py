"""When the daily upkeep is due, and what the last one came to."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["DAY", "Diary"]

DAY = 24 * 3600.0
"""Seconds."""


class Diary:
    """Notes of this machine on the upkeep of one repository.

    Parameters
    ----------
    state : Path
        Directory of our own on this machine.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "upkeep.json"

    def read(self) -> dict[str, Any]:
        """Give what the last upkeep came to; empty before the first."""
        with suppress(OSError, ValueError):
            notes = json.loads(self._path.read_text())
            if isinstance(notes, dict):
                return notes
        return {}

    def write(self, wait: float, **notes: Any) -> None:
        """Note what it came to, and when it is due again.

        A full disk costs a pass too many, no more.
        """
        moment = time.time()
        content = json.dumps({"time": moment, "due": moment + wait, **notes})
        temporary = self._path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        with suppress(OSError):
            try:
                temporary.write_text(content)
                temporary.replace(self._path)
            finally:
                temporary.unlink(missing_ok=True)

    def overdue(self) -> float:
        """Seconds since the next upkeep is due; negative before that."""
        due = self.read().get("due")
        if not isinstance(due, float):
            self.write(0.0)
            return 0.0
        since = time.time() - due
        # A clock that went back must not put it off for ever.
        return since if since >= -DAY else 0.0
