"""What is shown of files before anybody opens them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jupyter_storage.records.files import Entry

__all__ = ["Column", "Finding", "Preview", "PreviewCell"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; ``type`` is empty where the file does not say."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """The beginning of a notebook's cell."""

    cell_type: str
    source: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like, without fetching more of it than that takes.

    Attributes
    ----------
    entry : Entry
    kind : str
        What it is shown as; ``binary`` where there is nothing better than its first bytes.
    details : dict
        What the store knows besides: ``owner``, ``storage_class``, ``etag`` and others.
    text : str
        Of ``text``, ``json`` and ``binary``; characters that steer a screen are spelled out.
    encoding : str or None
    columns, rows
        Of a ``table``; a cell is None where the value is missing.
    row_count : int or None
        Rows in the whole file, where it says so or all of it was read.
    cells : tuple of PreviewCell
        Of a ``notebook``.
    media_type : str or None
        Of an ``image``, whose bytes the browser fetches.
    complete : bool
        Whether this is all that is in the file.
    hint : str
        Why there is not more to see, and what to do about it.
    """

    entry: Entry
    kind: Literal["text", "json", "table", "notebook", "image", "binary", "empty", "none"]
    details: dict[str, str] = field(default_factory=dict)
    text: str = ""
    encoding: str | None = None
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    row_count: int | None = None
    cells: tuple[PreviewCell, ...] = ()
    media_type: str | None = None
    complete: bool = True
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of a search.

    Attributes
    ----------
    entries : tuple of Entry
        What was found since the last step.
    looked : int
        Files and directories that were looked at so far.
    unlisted : int
        Directories that could not be listed.
    done : bool
        Whether this is the last step.
    complete : bool
        Of the last step: whether everything was looked at, or there were too many.
    """

    entries: tuple[Entry, ...]
    looked: int
    unlisted: int = 0
    done: bool = False
    complete: bool = False
