"""Copies of a repository's files on this machine's disk.

Files in a repository are named by what is in them and never change, so that a copy is as good as
the file. Copies are as encrypted as the repository is.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.snapshots.repository.crypto import digest

__all__ = ["Cache"]


class Cache:
    """A directory of copies. A full or broken disk makes it slower, never wrong.

    Parameters
    ----------
    directory : Path or None
        None keeps nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def read(self, kind: str, identifier: str) -> bytes | None:
        """Read a file whole, checked against its name."""
        if self._directory is None:
            return None
        with suppress(OSError):
            content = (self._directory / kind / identifier).read_bytes()
            if digest(content).hex() == identifier:
                return content
        return None

    def write(self, kind: str, identifier: str, content: bytes | memoryview) -> None:
        """Keep a copy."""
        if self._directory is None:
            return
        with suppress(OSError):
            directory = self._directory / kind
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = directory / f"{TEMPORARY_PREFIX}{uuid4().hex}"
            try:
                temporary.write_bytes(content)
                temporary.replace(directory / identifier)
            finally:
                temporary.unlink(missing_ok=True)

    def names(self, kind: str) -> frozenset[str]:
        """IDs of the files of one kind of which there are copies."""
        if self._directory is not None:
            with suppress(OSError):
                return frozenset(n for n in os.listdir(self._directory / kind) if len(n) == 64)
        return frozenset()

    def drop(self, kind: str, identifier: str) -> None:
        """Delete the copy of a file that is no more."""
        if self._directory is not None:
            with suppress(OSError):
                (self._directory / kind / identifier).unlink(missing_ok=True)

    def keep_only(self, kind: str, identifiers: Collection[str]) -> None:
        """Delete the copies of files that the repository no longer has."""
        if self._directory is None:
            return
        with suppress(OSError):
            for name in os.listdir(self._directory / kind):
                if name not in identifiers:
                    (self._directory / kind / name).unlink(missing_ok=True)
