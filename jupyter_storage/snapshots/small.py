"""Small files: read, described and sealed, many in one go and with few steps.

Of many small files it is the steps that cost, not the bytes. ``python -m
jupyter_storage.snapshots.small`` does the same in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jupyter_storage.snapshots.databases import is_database
from jupyter_storage.snapshots.helper import serve
from jupyter_storage.snapshots.nodes import attributes_of, file_text
from jupyter_storage.snapshots.opening import open_to_read
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import seal_blobs
from jupyter_storage.snapshots.repository.tree import Attribute

__all__ = ["LARGEST", "Small", "main", "read_small"]

LARGEST = 64 * 2**10
"""Bytes of a file that counts as small."""


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
        See :func:`~jupyter_storage.snapshots.repository.packs.seal_blobs`.
    """

    text: str
    size: int
    links: int
    identifier: bytes = b""
    sealed: bytes | None = None
    uncompressed: int = 0


def read_small(
    files: Sequence[tuple[str, str]], keys: Keys, has: Callable[[bytes], bool]
) -> list[Small | None]:
    """Read small files.

    Each step is done for all of them, and then the next: in turns they would find the processor's
    caches full of each other's code, and take half as long again.

    Parameters
    ----------
    files : sequence of tuple
        Where each is, and the last part of that; some 64 of them.
    keys : Keys
        To seal their content with.
    has : Callable
        Whether a blob need not be sealed.

    Returns
    -------
    list of Small or None
        One for each. None if it is not small, not a file, or a database, if it cannot be read, or
        if it changed meanwhile: what to do then is no matter of a few steps.
    """
    opened = [_open(path) for path, _ in files]
    digests = [hashlib.sha256(each.plain) if each else None for each in opened]
    found: list[Small | None] = []
    new: dict[bytes, int] = {}
    for (_, name), each, digest in zip(files, opened, digests, strict=True):
        if each is None or digest is None:
            found.append(None)
        elif not each.plain:
            text = file_text(name, each.status, each.attributes, ())
            found.append(Small(text, 0, each.status.st_nlink))
        else:
            identifier = digest.digest()
            text = file_text(name, each.status, each.attributes, (digest.hexdigest(),))
            if identifier not in new and not has(identifier):
                new[identifier] = len(found)
            found.append(Small(text, len(each.plain), each.status.st_nlink, identifier))
    plains = [each.plain for index in new.values() if (each := opened[index])]
    for index, (sealed, uncompressed) in zip(new.values(), seal_blobs(keys, plains), strict=True):
        if (small := found[index]) is not None:
            found[index] = small._replace(sealed=sealed, uncompressed=uncompressed)
    return found


class _Opened(NamedTuple):
    plain: bytes
    status: os.stat_result
    attributes: list[Attribute]


def _open(path: str) -> _Opened | None:
    """Read one version of a small file."""
    try:
        descriptor = open_to_read(path)
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
    return _Opened(plain, before, attributes)


def main() -> None:
    """Read small files for another process; see :class:`Helper`."""
    # What was sealed once went to the other end, which keeps it.
    sealed: set[bytes] = set()

    def read(keys: Keys, files: Sequence[tuple[str, str]]) -> list[tuple[object, ...] | None]:
        found = read_small(files, keys, sealed.__contains__)
        sealed.update(small.identifier for small in found if small is not None)
        return [small and tuple(small) for small in found]

    serve(read)


if __name__ == "__main__":
    main()
