"""From the kernel's words to operations, where mfusepy's own way is too long or says too little."""

from __future__ import annotations

import ctypes
from typing import Any

import mfusepy
from mfusepy import FUSE

from jupyter_storage.mounts.operations import StoreOperations

__all__ = ["Kernel"]

THREADS = 64  # requests of the kernel at the same time


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
        if (mfusepy.fuse_version_major, mfusepy.fuse_version_minor) >= (3, 12):
            options["max_threads"] = THREADS
        super().__init__(operations, target, **options)

    def open(self, path: bytes, fip: Any) -> int:
        info = fip.contents
        name = path.decode(self.encoding, self.errors)
        info.fh, info.keep_cache = self.operations.open_cached(name, info.flags)
        return 0

    def read(self, path: bytes | None, buf: Any, size: int, offset: int, fip: Any) -> int:
        # What is read goes into the kernel's memory at once.
        there = (ctypes.c_char * size).from_address(ctypes.addressof(buf.contents))
        target = memoryview(there).cast("B")
        return int(self.operations.read(target, offset, fip.contents.fh))
