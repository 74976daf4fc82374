"""Whether two files hold the same bytes, with as little read as can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.streams import check_cancelled

__all__ = ["have_one_content", "verify"]


def have_one_content(source: Place, target: Place, cancel: threading.Event) -> bool:
    """Whether two files of one size hold the same bytes.

    What the stores know of checksums is believed. Where they know none of one kind, the bytes of
    one side are compared with the checksum of the other; where they know none, both are read.
    """
    mine, theirs = _known(source), _known(target)
    for checksum in mine:
        for other in theirs:
            if (checksum.algorithm, checksum.part) == (other.algorithm, other.part):
                return checksum.value == other.value
    if theirs:
        return _holds(source, theirs[0], cancel)
    if mine:
        return _holds(target, mine[0], cancel)
    with _pieces(source, cancel) as pieces:
        digest = Checksum("sha256", b"").begin()
        for piece in pieces:
            digest.update(piece)
    return _holds(target, Checksum("sha256", digest.digest()), cancel)


def verify(source: Place, target: Place, cancel: threading.Event) -> None:
    """Compare a file that was copied with its source, from one end to the other.

    Raises
    ------
    ChecksumMismatch
        If they differ. Both stay as they are.
    """
    if not have_one_content(source, target, cancel):
        raise ChecksumMismatch(
            f"It is not what {source.path} holds now",
            path=target.path,
            hint="If nothing wrote to either meanwhile, copy it again with --overwrite.",
        )


def _known(place: Place) -> Sequence[Checksum]:
    with place.naming():
        return place.store.checksums(place.key)


def _holds(place: Place, checksum: Checksum, cancel: threading.Event) -> bool:
    with _pieces(place, cancel) as pieces:
        return checksum.matches(pieces)


@contextmanager
def _pieces(place: Place, cancel: threading.Event) -> Iterator[Iterator[bytes]]:
    with place.naming(), place.store.open(place.key) as pieces:

        def uncancelled() -> Iterator[bytes]:
            for piece in pieces:
                check_cancelled(cancel)
                yield piece

        yield uncancelled()
