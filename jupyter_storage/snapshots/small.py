"""Small files: read, described and sealed, each in one go and with few steps.

Of many small files it is the steps that cost, not the bytes. ``python -m
jupyter_storage.snapshots.small`` does the same in a process of its own: it reads the keys, then
lists of files, and answers each with a list of what came of them; see
:class:`~jupyter_storage.snapshots.helper.Helper`.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import struct
import sys
from collections.abc import Callable
from typing import IO, Any, NamedTuple

from jupyter_storage.snapshots.databases import is_database
from jupyter_storage.snapshots.nodes import attributes_of, file_text
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import seal_blob

__all__ = ["LARGEST", "Small", "main", "read_small", "receive", "send"]

LARGEST = 64 * 2**10
"""Bytes of a file that counts as small."""

# O_NONBLOCK: it may have become a named pipe, whose other end never comes.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LENGTH = struct.Struct("<Q")


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


def send(file: IO[bytes], message: Any) -> None:
    """Write a message of plain values into a pipe."""
    content = marshal.dumps(message)
    file.write(_LENGTH.pack(len(content)) + content)
    file.flush()


def receive(file: IO[bytes]) -> Any:
    """Read a message from a pipe; None where there is no other."""
    length = file.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    content = file.read(*_LENGTH.unpack(length))
    # The other end is a process of our own, and runs the same Python.
    return marshal.loads(content)  # noqa: S302


def main() -> int:
    """Serve until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    keys = Keys(*receive(requests))
    # What was sealed once went to the other end, which keeps it.
    sealed: set[bytes] = set()
    while (files := receive(requests)) is not None:
        results = []
        for path, name in files:
            small = read_small(path, name, keys, sealed.__contains__)
            if small is not None:
                sealed.add(small.identifier)
            results.append(small and tuple(small))
        send(answers, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
