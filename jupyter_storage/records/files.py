"""Files and directories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["Change", "Entry", "Page", "UnfinishedUpload", "Usage"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a directory or a symbolic link that is shown as itself.

    Attributes
    ----------
    path : str
        Key in a store; above the service, the path that a person types (``shared:a/b``).
    name : str
        Last part of the path.
    type : {'file', 'directory', 'symlink'}
        A link is followed where it stays inside its tier; else it is shown as itself.
    size : int or None
        Bytes; None for directories.
    modified : datetime or None
        In UTC; None where the store does not know.
    checksum : str or None
        ``algorithm:hex`` (``md5:…``) where the store has one of the whole content.
    link : str or None
        Target of a symbolic link, as it is written.
    """

    path: str
    name: str
    type: Literal["file", "directory", "symlink"]
    size: int | None = None
    modified: datetime | None = None
    checksum: str | None = None
    link: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it holds others."""
        return self.type == "directory"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; ``cursor`` asks for the next, None on the last page."""

    entries: tuple[Entry, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of a root; None where nobody can tell."""

    used: int | None = None
    free: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """Parts of a file that wait in a bucket for others, unseen and paid for.

    Attributes
    ----------
    path : str
        Where the file would be.
    id : str
        The service's name of the upload.
    started : datetime or None
    """

    path: str
    id: str
    started: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a directory was changed through the product."""

    tier: str
    directory: str
