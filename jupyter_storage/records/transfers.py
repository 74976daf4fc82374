"""Transfers and uploads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

from jupyter_storage.records.files import Entry
from jupyter_storage.records.usage import Advice

__all__ = [
    "Bench",
    "ConflictPolicy",
    "Failure",
    "InTheWay",
    "Plan",
    "SyncChange",
    "TransferRecord",
    "TransferState",
    "UploadRecord",
]


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
    seconds : float or None
        How long it will take at the speed of the last transfer there; None without one.
    advice : tuple of Advice
        What speaks against it.
    cost : float or None
        What the cloud will ask for it, in US dollars, about; None where no cloud is involved.
    """

    files: int
    bytes: int
    conflicts: tuple[str, ...] = ()
    conflict_count: int = 0
    failures: tuple[Failure, ...] = ()
    seconds: float | None = None
    advice: tuple[Advice, ...] = ()
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class SyncChange:
    """One thing that a sync would do; ``size`` is what is copied, moved or lost.

    Attributes
    ----------
    origin : str or None
        Where what would be moved is now.
    """

    action: Literal["copy", "replace", "move", "delete"]
    path: str
    size: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """How fast a directory of a store was, in bytes or files a second.

    Attributes
    ----------
    size, files : int
        Bytes of the large file, and number of small ones.
    request_seconds : float
        The median of looks at one file.
    throttled : int
        How often the service asked for fewer requests.
    limit : {'disk', 'network', 'cpu', 'throttling'}
        What keeps it from being faster; ``sentence`` says it with figures.
    """

    path: str
    size: int
    files: int
    written_per_second: int
    read_per_second: int
    files_written_per_second: float
    files_read_per_second: float
    files_listed_per_second: float
    request_seconds: float
    throttled: int
    limit: Literal["disk", "network", "cpu", "throttling"]
    sentence: str


TransferState = Literal["waiting", "planning", "running", "done", "partial", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """One transfer: what it is, how far it is, what failed.

    Attributes
    ----------
    operation : {'copy', 'move', 'delete', 'upload', 'sync', 'check'}
    state : str
        ``partial`` means that it ended with failures and did the rest.
    bytes_total, files_total : int or None
        None until the plan is complete.
    started, finished : datetime or None
        In UTC.
    undo : str or None
        ID of a snapshot of what a restore replaced or removed in the project directory.
    files_deleted : int
        Files that a sync deleted at its target; its skipped ones were unchanged.
    trashed : tuple of str
        Where what was deleted lies in a trash: ``tier:ID``.
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
    files_deleted: int = 0
    trashed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A resumable upload: ``offset`` bytes of ``size`` have arrived.

    Attributes
    ----------
    modified : datetime or None
        Modification time of the file that is uploaded.
    sample : str or None
        By which its sender knows the file's content again.
    active : bool
        Whether somebody is sending it at this moment.
    """

    id: str
    path: str
    size: int
    offset: int
    created: datetime
    conflict: ConflictPolicy = ConflictPolicy.FAIL
    modified: datetime | None = None
    sample: str | None = None
    active: bool = False


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A target of an upload that exists: what is there, and a name that is free."""

    path: str
    entry: Entry
    free: str
