"""Repositories in restic's format, version 2, on any store.

The format is restic's: https://github.com/restic/restic/blob/master/doc/design.rst
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_storage.snapshots.repository.repository import Repository
    from jupyter_storage.snapshots.repository.snapshots import Snapshot

__all__ = ["Repository", "Snapshot"]


def __getattr__(name: str) -> Any:
    """Import the whole only where it is wanted: helpers need the seal alone, and start often."""
    if name in __all__:
        from jupyter_storage.snapshots.repository.repository import Repository
        from jupyter_storage.snapshots.repository.snapshots import Snapshot

        return {"Repository": Repository, "Snapshot": Snapshot}[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
