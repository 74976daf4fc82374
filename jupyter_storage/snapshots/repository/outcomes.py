"""What work on a repository came to: frozen records, also the wire format of ``--json``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jupyter_storage.records import Failure

__all__ = [
    "CheckRecord",
    "ForgetRecord",
    "KeyRecord",
    "PruneRecord",
    "RepairRecord",
    "UpkeepRecord",
    "VerdictRecord",
]


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What a check of a repository found.

    Attributes
    ----------
    snapshots, packs, blobs, bytes : int
        What is there.
    packs_read, bytes_read : int
        Read whole, to the last byte.
    failures : tuple of Failure
        What is damaged or missing; none if the repository is whole.
    notes : tuple of Failure
        What is odd, and harmless.
    """

    snapshots: int
    packs: int
    blobs: int
    bytes: int
    packs_read: int
    bytes_read: int
    failures: tuple[Failure, ...] = ()
    notes: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairRecord:
    """What a repair of the index changed.

    Attributes
    ----------
    index_files_unreadable : int
        Index files that were damaged.
    packs_added, packs_corrected, packs_removed : int
        Listed newly, listed rightly, and not listed any more.
    failures : tuple of Failure
        Packs that cannot be read.
    """

    index_files_unreadable: int = 0
    packs_added: int = 0
    packs_corrected: int = 0
    packs_removed: int = 0
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class PruneRecord:
    """What one pass of pruning did to a repository.

    Attributes
    ----------
    packs_deleted, bytes_deleted : int
        Found unneeded now and at least a day before.
    packs_repacked, bytes_repacked : int
        Written anew without what is not needed.
    packs_waiting, bytes_waiting : int
        Not needed; deleted by a pass in a day or later.
    bytes_stored : int
        In all packs, afterwards.
    """

    packs_deleted: int = 0
    bytes_deleted: int = 0
    packs_repacked: int = 0
    bytes_repacked: int = 0
    packs_waiting: int = 0
    bytes_waiting: int = 0
    bytes_stored: int = 0


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """What is to become of one snapshot.

    Attributes
    ----------
    reasons : tuple of str
        Why it stays; none if it is forgotten.
    """

    id: str
    short_id: str
    time: datetime
    tags: tuple[str, ...]
    kept: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetRecord:
    """What thinning out snapshots did, or would do.

    Attributes
    ----------
    kept, forgotten : int
    dry_run : bool
        Whether nothing was done.
    snapshots : tuple of VerdictRecord
        All of them, newest first.
    """

    kept: int
    forgotten: int
    dry_run: bool
    snapshots: tuple[VerdictRecord, ...]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One of the keys that open a repository: each has a password of its own.

    Attributes
    ----------
    current : bool
        Whether the password in use opens it.
    """

    id: str
    short_id: str
    created: datetime | None
    username: str
    hostname: str
    current: bool


@dataclass(frozen=True, slots=True)
class UpkeepRecord:
    """What the last daily upkeep on this machine came to.

    Attributes
    ----------
    waiting : str or None
        Who was at work, so that it is tried again later.
    error, hint : str or None
        Why it failed, and what to do.
    forgotten, kept : int or None
        Snapshots.
    bytes_deleted, bytes_waiting : int or None
        Data that no snapshot needs: removed, and to be removed in a day.
    """

    time: datetime
    waiting: str | None = None
    error: str | None = None
    hint: str | None = None
    forgotten: int | None = None
    kept: int | None = None
    bytes_deleted: int | None = None
    bytes_waiting: int | None = None
