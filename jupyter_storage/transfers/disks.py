"""Whether a path is on a disk of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_storage.stores.mount_table import mount_table

__all__ = ["is_on_local_disk"]

_LOCAL = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}


def is_on_local_disk(path: Path) -> bool:
    """Whether operations take microseconds there; False where nobody can tell."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        device = path.stat().st_dev
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    kinds = (each.kind for each in mount_table() if each.device == wanted)
    return next(kinds, "") in _LOCAL
