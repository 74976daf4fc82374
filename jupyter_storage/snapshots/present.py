"""The project directory as it is now, to be compared with its versions."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import InvalidRequest, StorageError, from_os_error
from jupyter_storage.paths import TEMPORARY_PREFIX, contained
from jupyter_storage.snapshots.nodes import printable

__all__ = ["Content", "Present"]


@dataclass(frozen=True)
class Content:
    """A file's size and bytes; None in place of too many to be shown."""

    size: int
    data: bytes | None


class Present:
    """Reads and replaces single files of the project directory.

    Parameters
    ----------
    project : Path
    most : int
        Bytes that are read of a file.
    """

    def __init__(self, project: Path, most: int) -> None:
        self._project, self._most = project, most

    def read(self, key: str) -> Content | None:
        """Read a file; None where there is none."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = file.read(self._most + 1)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_os_error(error, printable(key)) from error
        return Content(size, data if len(data) <= self._most else None)

    def write(self, key: str, data: bytes) -> None:
        """Replace a file at once, keeping its permissions."""
        path = self._path(key)
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        try:
            try:
                temporary.write_bytes(data)
                temporary.chmod(path.stat().st_mode & 0o7777)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise from_os_error(error, printable(key)) from error

    def status(self, key: str) -> os.stat_result | None:
        """Look at a file or link itself; None where there is none."""
        with suppress(OSError, StorageError):
            return os.lstat(contained(self._project.resolve(), key))
        return None

    def _path(self, key: str) -> Path:
        """Where a file is; a link is followed as long as it stays in the project directory."""
        root = self._project.resolve()
        path = contained(root, key)
        if path.is_symlink():
            path = path.resolve()
            if root not in path.parents:
                raise InvalidRequest(
                    "It is a link that leads out of the project directory",
                    path=printable(key),
                    hint="Open the file that it points to.",
                )
        return path
