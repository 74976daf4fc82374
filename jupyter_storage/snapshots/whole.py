"""Files of one blob: decoded, written and published at once, and with few steps.

``python -m jupyter_storage.snapshots.whole`` does the same in a process of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, NamedTuple

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.databases import drop_log
from jupyter_storage.snapshots.helper import serve
from jupyter_storage.snapshots.nodes import put_back
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import open_blob
from jupyter_storage.snapshots.repository.tree import Node, from_go_mode

__all__ = ["Blob", "Target", "is_hole", "main", "make_way", "publish", "write_all", "write_whole"]


class Blob(NamedTuple):
    """The whole content of some files.

    Attributes
    ----------
    identifier : str
    sealed : bytes or memoryview
    uncompressed : int
        Bytes of the plain blob if it is compressed, else 0.
    """

    identifier: str
    sealed: bytes | memoryview
    uncompressed: int


class Target(NamedTuple):
    """A file to write.

    Attributes
    ----------
    path : str
        Where it will be.
    temporary : str
        Where it is until it is whole; nothing is there yet.
    node : Node
    """

    path: str
    temporary: str
    node: Node


def write_whole(plain: bytes, target: Target) -> None:
    """Write a file.

    Raises
    ------
    OSError
        If it cannot be written. There may be a temporary file then.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    mode = from_go_mode(target.node.get("mode", 0)) & 0o777
    descriptor = os.open(target.temporary, flags, mode)
    try:
        if is_hole(plain):
            os.ftruncate(descriptor, len(plain))
        else:
            write_all(descriptor, plain, 0)
        put_back(descriptor, target.node)
    finally:
        os.close(descriptor)
    publish(target.temporary, target.path)


def is_hole(plain: bytes) -> bool:
    """Whether there is nothing but zeros: a hole is as good, and takes no room."""
    # The beginning tells of most that there is something.
    return not any(plain[:16]) and plain.count(0) == len(plain)


def write_all(descriptor: int, plain: bytes, offset: int) -> None:
    """Write at a place, as often as it takes."""
    view = memoryview(plain)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def publish(temporary: str, path: str) -> None:
    """Put a whole file where it belongs."""
    if os.path.lexists(path):
        make_way(path)
        with suppress(FileNotFoundError):
            drop_log(path)
    os.replace(temporary, path)  # noqa: PTH105


def make_way(path: str) -> None:
    """Remove an empty directory that is where a file comes; one with files is an error."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.rmdir(path)  # noqa: PTH106


def main() -> None:
    """Write files for another process; each answer says of all targets which are there."""

    def write(keys: Keys, work: Any) -> list[bool]:
        blob, targets = work
        try:
            plain = open_blob(keys, *blob)
        except StorageError:
            return [False] * len(targets)
        return [_try(plain, Target(*target)) for target in targets]

    serve(lambda keys, batch: [write(keys, work) for work in batch])


def _try(plain: bytes, target: Target) -> bool:
    try:
        write_whole(plain, target)
    except (OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
