"""Small files: read, described and sealed, each in one go and with few steps.

Of many small files it is the steps that cost, not the bytes. ``python -m
jupyter_storage.snapshots.small`` does the same in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from jupyter_storage.snapshots.databases import is_database
from jupyter_storage.snapshots.helper import serve
from jupyter_storage.snapshots.nodes import attributes_of, file_text
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import seal_blob

__all__ = ["LARGEST", "Small", "main", "read_small"]

LARGEST = 64 * 2**10
"""Bytes of a file that counts as small."""

# O_NONBLOCK: it may have become a named pipe, whose other end never comes.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Small(NamedTuple):
    """What a snapshot needs of a small file.

    Attributes
    ----------
    text : str
        Its node, as a tree holds it.
    size, links : int
    identifier : bytes
        Of its one blob; of an empty file nothing.
    sealed : bytes or None
        The blob; None where it was there already.
    uncompressed : int
        See :func:`~jupyter_storage.snapshots.repository.packs.seal_blob`.
    """

    text: str
    size: int
    links: int
    identifier: bytes = b""
    sealed: bytes | None = None
    uncompressed: int = 0


def read_small(path: str, name: str, keys: Keys, has: Callable[[bytes], bool]) -> Small | None:
    """Read a small file.

    Parameters
    ----------
    path : str
        Where it is.
    name : str
        The last part of that.
    keys : Keys
        To seal its content with.
    has : Callable
        Whether a blob need not be sealed.

    Returns
    -------
    Small or None
        None if it is not small, not a file, or a database, if it cannot be read, or if it changed
        meanwhile: what to do then is no matter of a few steps.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        before = os.fstat(descriptor)
        size = before.st_size
        if size > LARGEST or not stat.S_ISREG(before.st_mode):
            return None
        plain = os.read(descriptor, size + 1)
        attributes = attributes_of(descriptor)
        after = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if (
        len(plain) != size
        or after.st_size != size
        or after.st_mtime_ns != before.st_mtime_ns
        or after.st_ctime_ns != before.st_ctime_ns
        or is_database(plain)
    ):
        return None
    if not plain:
        return Small(file_text(name, before, attributes, ()), 0, before.st_nlink)
    digest = hashlib.sha256(plain)
    text = file_text(name, before, attributes, (digest.hexdigest(),))
    identifier = digest.digest()
    if has(identifier):
        return Small(text, size, before.st_nlink, identifier)
    return Small(text, size, before.st_nlink, identifier, *seal_blob(keys, "data", plain))


def main() -> None:
    """Read small files for another process; see :class:`Helper`."""
    # What was sealed once went to the other end, which keeps it.
    sealed: set[bytes] = set()

    def read(keys: Keys, file: tuple[str, str]) -> tuple[object, ...] | None:
        small = read_small(*file, keys, sealed.__contains__)
        if small is None:
            return None
        sealed.add(small.identifier)
        return tuple(small)

    serve(read)


if __name__ == "__main__":
    main()
