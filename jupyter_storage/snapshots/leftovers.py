"""What restores that were killed left under way.

A restore notes where it writes, in our own directory, and holds the note's lock while it lives. A
note without a lock is of one that died: its files are found by its process's part of their names.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import from_os_error
from jupyter_storage.snapshots.fill import RUN, UNDER_WAY

__all__ = ["noted", "sweep"]


@contextmanager
def noted(notes: Path, target: Path) -> Iterator[None]:
    """Note that files are under way in a directory.

    Parameters
    ----------
    notes : Path
        Directory of our own.
    target : Path
        Where a restore writes.
    """
    note = notes / f"{RUN}.{uuid4().hex}"
    try:
        notes.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(note, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise from_os_error(error, str(notes)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, os.fsencode(target))
        yield
    finally:
        with suppress(OSError):
            note.unlink()
        os.close(descriptor)


def sweep(notes: Path) -> None:
    """Remove what dead processes left; what cannot be removed waits for the next time."""
    for note in notes.iterdir() if notes.is_dir() else ():
        with suppress(OSError), note.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Nothing was written before the note was.
            if target := file.read():
                _remove(target, os.fsencode(f"{UNDER_WAY}{note.name.partition('.')[0]}-"))
            note.unlink(missing_ok=True)


def _remove(target: bytes, beginning: bytes) -> None:
    for directory, _, names in os.walk(target):
        for name in names:
            if name.startswith(beginning):
                os.unlink(os.path.join(directory, name))  # noqa: PTH108, PTH118
