"""Files of one blob: decoded, written and published at once, and with few steps.

``python -m jupyter_storage.snapshots.whole`` does the same in a process of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.databases import drop_log
from jupyter_storage.snapshots.helper import serve
from jupyter_storage.snapshots.nodes import put_back
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import open_blob
from jupyter_storage.snapshots.repository.tree import Node, from_go_mode
from jupyter_storage.stores.unnamed import give_name, names_can_wait, open_unnamed

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
    absent : bool
        Whether nothing was at ``path``, so that nothing there may be replaced.
    """

    path: str
    temporary: str
    node: Node
    absent: bool


def write_whole(plain: bytes, target: Target) -> None:
    """Write a file.

    Raises
    ------
    FileExistsError
        If something has come to where nothing was.
    OSError
        If it cannot be written. There may be a temporary file then.
    """
    if _write_unnamed(plain, target):
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(target.temporary, flags, _mode(target.node))
    try:
        _fill(descriptor, plain, target.node)
    finally:
        os.close(descriptor)
    publish(target.temporary, target.path, absent=target.absent)


def _write_unnamed(plain: bytes, target: Target) -> bool:
    # A rename after a temporary name changes the directory twice, which costs more than all else.
    directory = target.path.rpartition("/")[0]
    try:
        if not _names_can_wait(directory):
            return False
        descriptor = open_unnamed(directory, _mode(target.node))
    except OSError:
        return False
    try:
        _fill(descriptor, plain, target.node)
        give_name(descriptor, target.path)
    except FileExistsError:
        if target.absent:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


# A directory that became another file system's meanwhile is refused when it is opened.
_names_can_wait = lru_cache(1024)(names_can_wait)


def _fill(descriptor: int, plain: bytes, node: Node) -> None:
    if is_hole(plain):
        os.ftruncate(descriptor, len(plain))
    else:
        write_all(descriptor, plain, 0)
    put_back(descriptor, node)


def _mode(node: Node) -> int:
    return from_go_mode(node.get("mode", 0)) & 0o777


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


def publish(temporary: str, path: str, *, absent: bool) -> None:
    """Put a whole file where it belongs.

    Raises
    ------
    FileExistsError
        If something has come to where nothing was. The temporary file is still there.
    """
    if absent:
        try:
            os.link(temporary, path)  # a rename would replace what has come
        except FileExistsError:
            raise
        except OSError:
            # No hard links here. Not by a claim that is replaced, as for uploads: a start that goes
            # on after a kill would keep the empty file.
            if os.path.lexists(path):
                raise FileExistsError(path) from None
        else:
            os.unlink(temporary)  # noqa: PTH108
            return
    elif os.path.lexists(path):
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

    def decode(keys: Keys, blob: Any) -> bytes | None:
        with suppress(StorageError):
            return open_blob(keys, *blob)
        return None

    def work(keys: Keys, batch: Any) -> list[list[bool]]:
        # One kind of work after the other, as where there is but one process.
        plains = [decode(keys, blob) for blob, _ in batch]
        return [
            [plain is not None and _try(plain, Target(*target)) for target in targets]
            for plain, (_, targets) in zip(plains, batch, strict=True)
        ]

    serve(work)


def _try(plain: bytes, target: Target) -> bool:
    try:
        write_whole(plain, target)
    except (OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
