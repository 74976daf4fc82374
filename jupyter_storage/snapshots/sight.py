"""Whether a server notices changes at once, noted for other processes of this machine.

The note's file is locked as long as the server lives: what a dead one noted counts for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Sight", "seen"]


class Sight:
    """The note of one process. A full disk costs the note, no more.

    Parameters
    ----------
    path : Path
        The file.
    project : Path
        The project directory.
    """

    def __init__(self, path: Path, project: Path) -> None:
        self._path, self._project = path, project
        self._descriptor: int | None = None
        self._noted: tuple[bool, str | None] | None = None

    def note(self, watching: bool, unwatched: str | None) -> None:
        """Note whether changes are noticed at once, and why not."""
        if (watching, unwatched) == self._noted:
            return
        self._noted = watching, unwatched
        content = json.dumps([str(self._project), watching, unwatched]).encode()
        with suppress(OSError):
            if self._descriptor is None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    # Another server's note stays: one of several for a workspace is enough.
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))

    def close(self) -> None:
        """Let go of the file: nobody watches any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def seen(path: Path, project: Path) -> tuple[bool | None, str | None]:
    """Say whether another process notices changes of a directory at once, and why not.

    Parameters
    ----------
    path, project : Path
        As for :class:`Sight`.

    Returns
    -------
    tuple
        Of None where no process says.
    """
    with suppress(OSError, ValueError, TypeError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            noted, watching, unwatched = json.loads(file.read())
            if noted == str(project):
                return watching, unwatched
    return None, None
