"""Versions, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = [
    "CellDifference",
    "CellRestored",
    "Comparison",
    "Difference",
    "FileComparison",
    "FileVersion",
]


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of one file, and the snapshots that have it.

    Attributes
    ----------
    path : str
        Relative to the project directory.
    snapshot : str
        ID of the newest snapshot that has it; ``snapshots`` are all, newest first.
    first, last : datetime
        Times of the oldest and the newest of them.
    size : int or None
        Bytes; None for a symbolic link.
    modified : datetime or None
        Of the file, as it was.
    current : bool
        Whether the file in the project directory has this size and time.
    """

    path: str
    snapshot: str
    snapshots: tuple[str, ...]
    first: datetime
    last: datetime
    type: Literal["file", "symlink"]
    size: int | None
    modified: datetime | None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that two snapshots differ in.

    Attributes
    ----------
    change : {'added', 'removed', 'changed', 'type', 'attributes'}
        ``type``: a file became a directory, say. ``attributes``: permissions, owner or extended
        attributes alone.
    type : {'file', 'directory', 'symlink', 'other'}
        What it is; of what was removed, what it was. ``other``: a pipe, a socket, a device.
    before, after : int or None
        Bytes; None where it was or is no file.
    """

    path: str
    change: Literal["added", "removed", "changed", "type", "attributes"]
    type: Literal["file", "directory", "symlink", "other"]
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one snapshot to another.

    Attributes
    ----------
    before : str or None
        ID of the snapshot that is compared with; None where there is no earlier one.
    after : str
        ID of the snapshot.
    added, removed, changed : int
        Files and links, no directories.
    bytes_added, bytes_removed : int
        Of files that came and went; a changed file counts with the difference.
    entries : tuple of Difference
        The first ones, in the order of paths.
    complete : bool
        Whether ``entries`` has all. The counts end with the first 200,000 differences.
    """

    before: str | None
    after: str
    path: str
    added: int
    removed: int
    changed: int
    bytes_added: int
    bytes_removed: int
    entries: tuple[Difference, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One cell of a notebook, in an old version and a newer one.

    Attributes
    ----------
    before, after : int or None
        Its number, from 1; None where it is not there.
    id : str or None
        Notebooks have IDs of cells since format 4.5.
    source : str
        The whole source of a cell that was added or removed, a unified diff where it changed,
        and the first line where it is the same.
    source_changed, outputs_changed, metadata_changed : bool
        What of a changed cell differs.
    """

    change: Literal["same", "added", "removed", "changed"]
    before: int | None
    after: int | None
    id: str | None
    cell_type: str
    source: str
    source_changed: bool = False
    outputs_changed: bool = False
    metadata_changed: bool = False


@dataclass(frozen=True, slots=True)
class FileComparison:
    """What differs between an old version of a file and a newer one.

    Attributes
    ----------
    before : str
        ID of the snapshot with the old version.
    after : str or None
        ID of the snapshot with the newer one; None for the file as it is now.
    kind : {'same', 'text', 'notebook', 'binary', 'large', 'missing'}
        ``binary`` and ``large`` cannot be shown as text; ``missing``: there is no newer one.
    diff : str
        Of text: a unified diff. Of ``missing``: the old text, where it is text.
    cells : tuple of CellDifference
        Of notebooks.
    metadata_changed : bool
        Whether a notebook's own metadata differ.
    """

    path: str
    before: str
    after: str | None
    kind: Literal["same", "text", "notebook", "binary", "large", "missing"]
    size_before: int | None = None
    size_after: int | None = None
    diff: str = ""
    cells: tuple[CellDifference, ...] = ()
    metadata_changed: bool = False


@dataclass(frozen=True, slots=True)
class CellRestored:
    """A cell that was put back into a notebook.

    Attributes
    ----------
    snapshot : str
        ID of the snapshot that it came from.
    number : int
        Where it is in the notebook now, from 1.
    replaced : bool
        Whether it took the place of a cell; else it was put in between others.
    saved : str
        ID of the snapshot that has the notebook as it was before.
    """

    path: str
    snapshot: str
    cell: str
    number: int
    replaced: bool
    saved: str
