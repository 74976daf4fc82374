"""Whether a path is on a disk of this machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_on_local_disk"]

_LOCAL = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
_MOUNTS = Path("/proc/self/mountinfo")


def is_on_local_disk(path: Path) -> bool:
    """Whether operations take microseconds there; False where nobody can tell.

    Linux tells in ``/proc/self/mountinfo`` (proc(5)): the third field is the device, and the
    first one after the separator ``-`` the type of the file system.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        device = path.stat().st_dev
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == wanted:
            return kind.split()[0] in _LOCAL
    return False
