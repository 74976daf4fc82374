"""Repositories in restic's format, version 2, on any store.

The format is restic's: https://github.com/restic/restic/blob/master/doc/design.rst
"""

from jupyter_storage.snapshots.repository.repository import Repository
from jupyter_storage.snapshots.repository.snapshots import Snapshot

__all__ = ["Repository", "Snapshot"]
