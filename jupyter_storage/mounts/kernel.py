"""From the kernel's words to operations, where mfusepy's own way is too long or says too little."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import Any

import mfusepy
from mfusepy import FUSE

from jupyter_storage.mounts.operations import StoreOperations

__all__ = ["Kernel"]

THREADS = 64  # requests of the kernel at the same time
READ_AHEAD = 2**20  # bytes that the kernel asks for at once where a file is read in order


class Kernel(FUSE):  # type: ignore[misc]
    """Mounts, and hands requests of the kernel to :class:`StoreOperations` until it is unmounted.

    Parameters
    ----------
    operations : StoreOperations
    target : str
    **options
        Of libfuse.
    """

    def __init__(self, operations: StoreOperations, target: str, **options: object) -> None:
        self._target, self._is_new = target, True
        if (mfusepy.fuse_version_major, mfusepy.fuse_version_minor) >= (3, 12):
            options["max_threads"] = THREADS
        super().__init__(operations, target, **options)

    def open(self, path: bytes, fip: Any) -> int:
        if self._is_new:
            # Not before: at the start the kernel sets it to its own.
            self._is_new = False
            _read_more_at_once(self._target)
        info = fip.contents
        name = path.decode(self.encoding, self.errors)
        info.fh, info.keep_cache = self.operations.open_cached(name, info.flags)
        return 0

    def read(self, path: bytes | None, buf: Any, size: int, offset: int, fip: Any) -> int:
        # What is read goes into the kernel's memory at once.
        there = (ctypes.c_char * size).from_address(ctypes.addressof(buf.contents))
        target = memoryview(there).cast("B")
        return int(self.operations.read(target, offset, fip.contents.fh))


def _read_more_at_once(target: str) -> None:
    """Let the kernel ask for more at once, where this user may say so: a request costs its time."""
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(" ")
        if fields[4] == target:
            with suppress(OSError):
                Path(f"/sys/class/bdi/{fields[2]}/read_ahead_kb").write_text(
                    str(READ_AHEAD // 1024), "ascii"
                )
