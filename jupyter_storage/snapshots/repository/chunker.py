"""Cuts streams into chunks whose borders follow the content.

An insertion in the middle of a large file moves all that follows, and yet most chunks stay the
same. FastCDC finds the borders [1]_; where its compiled form is missing, chunks have a fixed
size: any cuts make a valid repository.

References
----------
.. [1] W. Xia et al., The Design of Fast Content Defined Chunking for Data Deduplication Based
   Storage Systems, IEEE TPDS 31 (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

__all__ = ["MAXIMUM", "MINIMUM", "chunks"]

MINIMUM = 512 * 2**10
AVERAGE = 2**20
MAXIMUM = 8 * 2**20

_BUFFER = 2 * MAXIMUM


@cache
def _cutter() -> Any:
    try:
        from pyfastcdc.cy import FastCDC
    except ImportError:
        return None
    return FastCDC(avg_size=AVERAGE, min_size=MINIMUM, max_size=MAXIMUM)


def chunks(readinto: Callable[[memoryview], int | None]) -> Iterator[bytes]:
    """Cut a stream.

    Parameters
    ----------
    readinto : Callable
        Fills a buffer at most, and returns the number of bytes; 0 at the end. As
        :meth:`io.RawIOBase.readinto`.

    Yields
    ------
    bytes
        Chunks of 512 KiB to 8 MiB; the last may be shorter.
    """
    buffer = bytearray(_BUFFER)
    view = memoryview(buffer)
    filled = 0
    while True:
        filled, end = _fill(readinto, view, filled)
        start = 0
        for length in _cuts(view[:filled]):
            # A cut where the buffer ends is not where the content says, unless the chunk is full.
            if not end and start + length == filled and length < MAXIMUM:
                break
            yield bytes(view[start : start + length])
            start += length
        if end:
            return
        rest = bytes(view[start:filled])
        view[: len(rest)] = rest
        filled = len(rest)


def _fill(
    readinto: Callable[[memoryview], int | None], view: memoryview, filled: int
) -> tuple[int, bool]:
    while filled < len(view):
        read = readinto(view[filled:])
        if not read:
            return filled, True
        filled += read
    return filled, False


def _cuts(view: memoryview) -> Iterator[int]:
    cutter = _cutter()
    if cutter is None:
        for start in range(0, len(view), AVERAGE):
            yield min(AVERAGE, len(view) - start)
    else:
        for chunk in cutter.cut_buf(view):
            yield chunk.length
