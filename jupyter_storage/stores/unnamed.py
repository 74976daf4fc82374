"""Files that have no name until they are whole, or a hidden one where that cannot be."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4

from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["give_name", "hidden_beside", "names_can_wait", "open_unnamed"]

_OPEN = "/proc/self/fd"

_names_wait_on: dict[int, bool] = {}  # device → whether files there can be named last


def names_can_wait(directory: str | Path) -> bool:
    """Whether a file can be written here before it has a name; tried out once a file system.

    Raises
    ------
    OSError
        If there is no such directory.
    """
    device = os.stat(directory).st_dev  # noqa: PTH116
    if device not in _names_wait_on:
        try:
            _names_wait_on[device] = _try(directory)
        except OSError:
            # No permission, or full: that says nothing about the file system.
            return False
    return _names_wait_on[device]


def open_unnamed(directory: str | Path, mode: int = 0o666) -> int:
    """Open a new file in a directory for writing; the descriptor is the caller's to close.

    Raises
    ------
    OSError
        If there cannot be such a file.
    """
    return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)


def give_name(descriptor: int, path: str | Path) -> None:
    """Let an open file without a name have one.

    Raises
    ------
    FileExistsError
        If there is something of that name: nothing is ever replaced.
    OSError
        If the file system refuses.
    """
    # With a directory given, whatever it is, Python asks the kernel to follow the link.
    os.link(f"{_OPEN}/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def hidden_beside(path: Path) -> Path:
    """Make up a hidden name in the directory of a file."""
    return path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")


def _try(directory: str | Path) -> bool:
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir(_OPEN):  # noqa: PTH112
        return False
    name = hidden_beside(Path(directory, "new"))
    try:
        descriptor = open_unnamed(directory)
        try:
            give_name(descriptor, name)
        finally:
            os.close(descriptor)
        name.unlink()
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EROFS}:
            raise
        return False
    return True
