"""Frozen records: what floors hand each other, and the wire format of REST and ``--json``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Literal

__all__ = [
    "CellDifference",
    "CellRestored",
    "Change",
    "Comparison",
    "ConflictPolicy",
    "Difference",
    "Entry",
    "Failure",
    "FileComparison",
    "FileVersion",
    "Page",
    "Plan",
    "RestorePlan",
    "RestoreRecord",
    "SnapshotRecord",
    "SnapshotStatus",
    "TierRecord",
    "TransferRecord",
    "UploadRecord",
    "Usage",
    "to_wire",
]


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
class TierRecord:
    """One tier as faces show it.

    Attributes
    ----------
    name, uri, scope, lifetime, purpose : str
        See the words in ``docs/tiers.md``.
    path : str or None
        Directory in which kernels and terminals find the tier; None for object storage.
    state : {'ok', 'checking', 'not configured', 'unreachable'}
        ``checking``: it has not answered yet, and was not waited for. With ``reason`` and
        ``hint`` where it is not ok.
    used, free, quota : int or None
        Bytes.
    """

    name: str
    uri: str
    scope: str
    lifetime: str
    purpose: str
    path: str | None
    state: Literal["ok", "checking", "not configured", "unreachable"]
    reason: str | None = None
    hint: str | None = None
    used: int | None = None
    free: int | None = None
    quota: int | None = None


class ConflictPolicy(str, Enum):
    """What a transfer does where the target exists."""

    FAIL = "fail"
    OVERWRITE = "overwrite"
    SKIP = "skip"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that a transfer could not do, or passed over, and why."""

    path: str
    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a transfer would do: the answer to a dry run.

    Attributes
    ----------
    files, bytes : int
        To be moved.
    conflicts : tuple of str
        Existing targets, at most 1,000 of them; ``conflict_count`` has the true number.
    """

    files: int
    bytes: int
    conflicts: tuple[str, ...] = ()
    conflict_count: int = 0
    failures: tuple[Failure, ...] = ()


TransferState = Literal["waiting", "planning", "running", "done", "partial", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """One transfer: what it is, how far it is, what failed.

    Attributes
    ----------
    operation : {'copy', 'move', 'delete', 'upload'}
    state : str
        ``partial`` means that it ended with failures and did the rest.
    bytes_total, files_total : int or None
        None until the plan is complete.
    started, finished : datetime or None
        In UTC.
    undo : str or None
        ID of a snapshot of what a restore replaced or removed in the project directory.
    """

    id: str
    operation: str
    sources: tuple[str, ...]
    destination: str | None
    state: TransferState
    bytes_done: int = 0
    bytes_total: int | None = None
    files_done: int = 0
    files_total: int | None = None
    files_skipped: int = 0
    failures: tuple[Failure, ...] = ()
    failure_count: int = 0
    current: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a directory was changed through the product."""

    tier: str
    directory: str


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A resumable upload: ``offset`` bytes of ``size`` have arrived."""

    id: str
    path: str
    size: int
    offset: int
    created: datetime
    conflict: ConflictPolicy = ConflictPolicy.FAIL


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One version of the project directory.

    Attributes
    ----------
    id : str
        64 hexadecimal digits; ``short_id`` are the first 8.
    time : datetime
        With its time zone.
    files, bytes : int or None
        In the whole snapshot, where the writer noted it.
    files_new, files_changed, files_removed, bytes_added : int or None
        Against the parent; ``bytes_added`` as stored.
    failures : tuple of Failure
        Files that could not be read; they are retried by the next snapshot.
    fork : str or None
        The fork that it is on: a machine wrote it while another one held the workspace.
    label : str or None
        The name that a person gave it, or ``pinned``: it stays whatever the retention says.
    """

    id: str
    short_id: str
    time: datetime
    hostname: str
    username: str
    paths: tuple[str, ...]
    tags: tuple[str, ...] = ()
    parent: str | None = None
    files: int | None = None
    bytes: int | None = None
    files_new: int | None = None
    files_changed: int | None = None
    files_removed: int | None = None
    bytes_added: int | None = None
    failures: tuple[Failure, ...] = ()
    fork: str | None = None
    label: str | None = None


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


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """What a restore wrote.

    Attributes
    ----------
    skipped : int
        Files that stayed as they were, as the policy says.
    removed : int
        Files that were removed because the snapshot lacks them.
    undo : SnapshotRecord or None
        Of the project directory as it was before.
    """

    snapshot: str
    target: str
    files: int
    bytes: int
    failures: tuple[Failure, ...] = ()
    skipped: int = 0
    removed: int = 0
    undo: SnapshotRecord | None = None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore into the project directory would replace and remove.

    Attributes
    ----------
    undo : SnapshotRecord
        Of the project directory as it is.
    replaced, removed : int
        Numbers of files; ``removed_bytes`` is what the removed ones hold.
    examples : tuple of str
        Some of those that are removed, or else replaced.
    """

    snapshot: SnapshotRecord
    undo: SnapshotRecord
    replaced: int
    removed: int
    removed_bytes: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotStatus:
    """How safe the project directory is right now.

    Attributes
    ----------
    state : {'off', 'unwatched', 'waiting', 'capturing', 'restoring', 'ok', 'error'}
        ``unwatched``: this process does not watch the project directory; a server may.
        ``waiting``: changes are seen and not yet captured.
    last : SnapshotRecord or None
        The newest one of this workspace.
    pending : int
        Changed paths seen since the last capture; 0 means that nothing waits.
    pending_bytes : int
        Size of the files among them.
    durable : datetime or None
        Everything that changed before this moment is in the bucket, ``failures`` excepted.
    late : bool
        Something was seen to change more than a minute ago and is not in the bucket yet.
    fork : str or None
        The fork that this machine writes, where another one holds the workspace.
    holder : str or None
        Who holds it then.
    guarded : bool or None
        Whether the store itself keeps two machines apart; None while nobody knows.
    """

    state: Literal["off", "unwatched", "waiting", "capturing", "restoring", "ok", "error"]
    workspace: str
    project: str
    repository: str
    last: SnapshotRecord | None = None
    pending: int = 0
    error: str | None = None
    hint: str | None = None
    failures: tuple[Failure, ...] = field(default=())
    fork: str | None = None
    holder: str | None = None
    guarded: bool | None = None
    pending_bytes: int = 0
    durable: datetime | None = None
    late: bool = False


def to_wire(value: Any) -> Any:
    """Turn records into what ``json.dumps`` takes.

    Parameters
    ----------
    value : Any
        A record, or a list, tuple or mapping that holds some.

    Returns
    -------
    Any
        Dictionaries, lists and scalars; times as ISO 8601 in UTC with a ``Z``.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_wire(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return value
