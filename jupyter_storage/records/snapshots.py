"""Snapshots and restores."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jupyter_storage.records.transfers import Failure

__all__ = ["RestorePlan", "RestoreProgress", "RestoreRecord", "SnapshotRecord", "SnapshotStatus"]


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
class RestoreProgress:
    """How far the restore at a start is; the totals are None where the snapshot does not say."""

    files: int = 0
    files_total: int | None = None
    bytes: int = 0
    bytes_total: int | None = None


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
    watching : bool or None
        Whether changes are noticed at once; else by looks at everything, at intervals. None while
        nobody knows.
    unwatched : str or None
        Why they are not.
    fork : str or None
        The fork that this machine writes, where another one holds the workspace.
    holder : str or None
        Who holds it then.
    restoring : RestoreProgress or None
        How far it is, in state ``restoring``.
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
    restoring: RestoreProgress | None = None
    watching: bool | None = None
    unwatched: str | None = None
