"""Compression by zstd, as restic does it."""

from __future__ import annotations

import threading

import zstandard

from jupyter_storage.errors import ChecksumMismatch

__all__ = ["CHECK", "compress", "decompress"]

CHECK = "Check the repository with 'restic check --read-data'."

_LEVEL = 3
_LARGEST = 2**30  # bytes; no blob or file of ours comes near

# zstandard's contexts must not be shared between threads.
_local = threading.local()


def compress(plain: bytes) -> bytes:
    """Compress."""
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    compressed: bytes = _local.compressor.compress(plain)
    return compressed


def decompress(content: bytes, size: int, name: str) -> bytes:
    """Undo :func:`compress`.

    Parameters
    ----------
    content : bytes
    size : int
        Bytes of the plain content; 0 where that is not known.
    name : str
        For the error.

    Raises
    ------
    ChecksumMismatch
        If it was not compressed.
    """
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    try:
        plain: bytes = _local.decompressor.decompress(content, max_output_size=size or _LARGEST)
    except zstandard.ZstdError as error:
        raise ChecksumMismatch("Compressed data is damaged", path=name, hint=CHECK) from error
    return plain
