"""Objects of a bucket, and what of them is shown as a file or a directory."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from jupyter_storage.errors import InvalidPath
from jupyter_storage.paths import basename, clean_key
from jupyter_storage.records import Entry

__all__ = ["Found", "Span", "entry_of", "visible"]


class Found(NamedTuple):
    """One line of a listing.

    Attributes
    ----------
    key : str
        As the bucket has it; a directory's ends with a slash.
    size : int
        Bytes.
    modified : datetime or None
        In UTC.
    checksum : str or None
        As in :class:`~jupyter_storage.records.Entry`.
    """

    key: str
    size: int = 0
    modified: datetime | None = None
    checksum: str | None = None


class Span(NamedTuple):
    """A range of a file's bytes; ``end`` is the first one after it, or None."""

    start: int
    end: int | None

    def header(self) -> str:
        """As HTTP writes it: with the last byte, not the one after it."""
        return f"bytes={self.start}-{'' if self.end is None else self.end - 1}"


def entry_of(key: str, directory: bool, item: Found) -> Entry:
    """Describe what was listed."""
    if directory:
        return Entry(key, basename(key), "directory")
    return Entry(key, basename(key), "file", item.size, item.modified, item.checksum)


def visible(relative: str) -> str | None:
    """Give the key of an object below a directory, or None where no path can name it.

    Buckets hold keys that are no paths (``a//b``, ``../c``), written by other programs. They are
    left alone; so is the marker of the directory itself.
    """
    key = relative.removesuffix("/")
    try:
        return key if key and clean_key(key) == key else None
    except InvalidPath:
        return None
