"""Opens people's files so that nothing about them changes."""

from __future__ import annotations

import os

__all__ = ["open_to_read"]

# O_NONBLOCK: it may have become a named pipe, whose other end never comes.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNNOTED = _FLAGS | getattr(os, "O_NOATIME", 0)


def open_to_read(path: str) -> int:
    """Open a file, and give its descriptor.

    That it was read is not noted in the file, where the system lets us: such notes of many files
    cost as much as reading them.

    Raises
    ------
    OSError
        If it cannot be opened, or is a symbolic link.
    """
    try:
        return os.open(path, _UNNOTED)
    except PermissionError:
        # Only who owns a file may leave it out.
        return os.open(path, _FLAGS)
