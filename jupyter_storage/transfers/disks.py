"""Whether a path is on a disk of this machine, and turns in working there."""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from jupyter_storage.stores.mount_table import mount_table

__all__ = ["is_on_local_disk", "turn"]

_LASTS = 5.0  # seconds after which it is looked at again: something may be mounted there by then
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


_turns = threading.Lock()
_known: dict[Path, tuple[float, bool]] = {}  # until when it is believed, and what was found


def turn(root: Path | None) -> AbstractContextManager[object]:
    """Let one thread after the other work on small files on disks of this machine.

    Calls take microseconds there. Threads that make them side by side do little but hand each other
    Python's lock: 32 of them take twice the processor time.

    Parameters
    ----------
    root : Path or None
        Of the store; of one that is elsewhere nobody waits.
    """
    if root is None:
        return nullcontext()
    until, is_local = _known.get(root, (0.0, False))
    if time.monotonic() > until:
        is_local = is_on_local_disk(root)
        _known[root] = time.monotonic() + _LASTS, is_local
    return _turns if is_local else nullcontext()
