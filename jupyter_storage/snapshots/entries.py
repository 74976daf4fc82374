"""Entries of a directory: found by listing it, or known by their names."""

from __future__ import annotations

import os
import stat
from typing import Protocol

__all__ = ["Entry", "Named", "Names", "scan"]


class Entry(Protocol):
    """What is needed of an :class:`os.DirEntry`."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...

    def is_dir(self, *, follow_symlinks: bool) -> bool: ...

    def is_file(self, *, follow_symlinks: bool) -> bool: ...

    def stat(self, *, follow_symlinks: bool) -> os.stat_result: ...


class Named:
    """An entry that is known by its name; it need not exist."""

    def __init__(self, directory: str, name: str) -> None:
        self.name, self.path = name, f"{directory}/{name}"

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        try:
            return stat.S_ISDIR(self.stat(follow_symlinks=follow_symlinks).st_mode)
        except OSError:
            return False

    def is_file(self, *, follow_symlinks: bool) -> bool:
        try:
            return stat.S_ISREG(self.stat(follow_symlinks=follow_symlinks).st_mode)
        except OSError:
            return False

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        return os.stat(self.path, follow_symlinks=follow_symlinks)  # noqa: PTH116


class Names:
    """The names in a directory; each is looked for when it is asked for."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def __contains__(self, name: object) -> bool:
        return os.path.lexists(f"{self._directory}/{name}")


def scan(path: str) -> list[os.DirEntry[str]]:
    """List a directory."""
    with os.scandir(path) as found:
        return list(found)
