"""Objects of a bucket, and what of them is shown as a file or a directory."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from jupyter_storage.errors import InvalidPath
from jupyter_storage.paths import clean_key
from jupyter_storage.records import Entry

__all__ = ["Found", "Span", "entry_of", "visible"]


_SHORT = 255  # characters of a key that is surely not too long


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
    name = key.rpartition("/")[2]
    if directory:
        return Entry(key, name, "directory")
    return Entry(key, name, "file", item.size, item.modified, item.checksum)


def visible(relative: str) -> str | None:
    """Give the key of an object below a directory, or None where no path can name it.

    Buckets hold keys that are no paths (``a//b``, ``../c``), written by other programs. They are
    left alone; so is the marker of the directory itself.
    """
    if (
        relative
        and relative[0] not in "./"
        and relative[-1] != "/"
        and "//" not in relative
        and "/." not in relative
        and "\0" not in relative
        and len(relative) <= _SHORT
    ):
        return relative  # as nearly all are
    key = relative.removesuffix("/")
    try:
        return key if key and clean_key(key) == key else None
    except InvalidPath:
        return None
