"""Mounts of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_storage.errors import Unsupported
from jupyter_storage.records import MountRecord

__all__ = ["Mounts"]


class Mounts:
    """Attaches object storage to directories.

    Parameters
    ----------
    state : Path
        Directory of our own on this machine.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def mount(
        self,
        target: Path,
        uri: str,
        options: Mapping[str, Any],
        *,
        read_only: bool = False,
        cached: bool = False,
    ) -> MountRecord:
        """Mount, or say that it is mounted already."""
        raise Unsupported(
            "Buckets cannot be mounted here", path=str(target), hint="Use 'mode: COPY'."
        )

    def unmount(self, target: Path) -> None:
        """Detach; nothing happens if it is not mounted."""

    def mounted(self, target: Path) -> MountRecord | None:
        """What is mounted there and alive."""
        return None
