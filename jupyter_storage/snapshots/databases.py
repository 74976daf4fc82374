"""SQLite databases, copied whole while others write to them.

A plain copy of a database in use is broken almost every time. SQLite's own backup is not. It is
used where the database is in use; the files beside it (``-wal``, ``-journal``, ``-shm``) are then
left out, for its content is in the copy, and an old log beside a new copy would spoil it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from urllib.parse import quote

__all__ = ["SIDECARS", "backup", "drop_log", "has_log", "is_database", "needs_log"]

SIDECARS = ("-wal", "-shm", "-journal")

_MAGIC = b"SQLite format 3\0"
_PATIENCE = 5.0  # seconds to wait for a writer


def is_database(start: bytes) -> bool:
    """Whether a file that begins like this is a SQLite database."""
    return start.startswith(_MAGIC)


def needs_log(start: bytes) -> bool:
    """Whether the database writes ahead into a ``-wal`` file.

    Bytes 18 and 19 of the header, https://sqlite.org/fileformat.html
    """
    return len(start) > 19 and 2 in start[18:20]


def has_log(path: str) -> bool:
    """Whether one of the files that belong to a database lies beside this file."""
    return any(os.path.lexists(path + suffix) for suffix in SIDECARS)


def drop_log(path: str) -> None:
    """Remove them where this file is a database: the one that replaces it knows nothing of them."""
    if not has_log(path):
        return
    with open(path, "rb") as file:  # noqa: PTH123
        if not is_database(file.read(len(_MAGIC))):
            return
    for suffix in SIDECARS:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)  # noqa: PTH108


@contextmanager
def backup(path: str) -> Iterator[FileIO]:
    """Copy a database through SQLite, outside of the project directory.

    Parameters
    ----------
    path : str
        The database.

    Yields
    ------
    FileIO
        The copy, open for reading; deleted afterwards.

    Raises
    ------
    sqlite3.Error
        If it is locked for too long, or no database after all.
    """
    # Who only asks whether something is a database need not wait for these to be imported.
    import sqlite3
    import tempfile

    with tempfile.TemporaryDirectory(prefix="jupyter_storage-") as directory:
        copy = Path(directory) / "copy"
        uri = f"file:{quote(path)}?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        with copy.open("rb", buffering=0) as file:
            yield file
