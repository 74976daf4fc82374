"""Upkeep that runs by itself: once a day, thin out by retention, then a pass of pruning.

It runs in the process that takes snapshots, in a quiet moment, and only while nobody else holds a
lock. What it came to is noted in the state directory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_storage.errors import Conflict, StorageError
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.diary import DAY, Diary
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.snapshots.repository.outcomes import (
    ForgetRecord,
    PruneRecord,
    VerdictRecord,
)
from jupyter_storage.snapshots.repository.times import to_datetime
from jupyter_storage.snapshots.retention import Judgement, Policy, parse_policy
from jupyter_storage.stores.opening import open_store

__all__ = ["forget", "maintain", "open_marks"]

_PAUSE = 600.0  # seconds until the next try after one that failed
_AT_ONCE = 8


def open_marks(uri: str, options: Mapping[str, Any], repository: str) -> Marks:
    """Open what lies beside a repository for pruning.

    Parameters
    ----------
    uri : str
        Of the repository.
    options : mapping
        For :func:`open_store`.
    repository : str
        Its ID.
    """
    return Marks(open_store(f"{uri}.upkeep", options), repository)


def forget(
    repository: Repository, policy: Policy, now: int, hold: Hold | None = None
) -> ForgetRecord:
    """Thin out snapshots. Their data stays until pruning.

    Parameters
    ----------
    repository : Repository
    policy : Policy
    now : int
        Nanoseconds since 1970, by the store's clock.
    hold : Hold, optional
        An exclusive lock; without it nothing is done.
    """
    judged = policy.judge(repository.snapshots(), now)
    doomed = [each.snapshot.id for each in judged if not each.reasons]
    if hold is not None:
        hold()
        with ThreadPoolExecutor(_AT_ONCE, "forget") as pool:
            for _ in pool.map(lambda name: repository.delete_file("snapshots", name), doomed):
                continue
    return ForgetRecord(
        kept=len(judged) - len(doomed),
        forgotten=len(doomed),
        dry_run=hold is None,
        snapshots=tuple(map(_verdict, judged)),
    )


def _verdict(judgement: Judgement) -> VerdictRecord:
    snapshot = judgement.snapshot
    return VerdictRecord(
        id=snapshot.id,
        short_id=snapshot.id[:8],
        time=to_datetime(snapshot.time),
        tags=snapshot.tags,
        kept=bool(judgement.reasons),
        reasons=judgement.reasons,
    )


class _Interruptible:
    """A lock whose holder stops where something else waits for him."""

    def __init__(self, hold: Hold, wanted: Callable[[], bool]) -> None:
        self._hold, self._wanted = hold, wanted

    def __call__(self) -> None:
        if self._wanted():
            raise Conflict("A snapshot was to be taken", hint="It goes on later by itself.")
        self._hold()

    def fence(self) -> None:
        self._hold.fence()

    def alone(self) -> bool:
        return self._hold.alone()


def maintain(
    repository: Repository,
    *,
    uri: str,
    options: Mapping[str, Any],
    state: Path,
    retention: str,
    wanted: Callable[[], bool] = lambda: False,
) -> tuple[ForgetRecord, PruneRecord] | None:
    """Thin out snapshots and make a pass of pruning, and note what it came to.

    Parameters
    ----------
    repository : Repository
        Not to be used again if this returns None.
    uri, options
        Of the repository; see :func:`open_marks`.
    state : Path
        Directory of our own on this machine.
    retention : str
        See :mod:`jupyter_storage.snapshots.retention`.
    wanted : callable
        Whether somebody waits for this process. Then it stops, and is taken up the next time.

    Returns
    -------
    tuple or None
        None where it failed; the notes say why.
    """
    diary = Diary(state)
    try:
        policy = parse_policy(retention)
        marks = open_marks(uri, options, repository.id)
        with repository.lock(exclusive=True, records=state / "locks") as held:
            hold = _Interruptible(held, wanted)
            forgotten = forget(repository, policy, nanoseconds(marks.clock()), hold)
            pruned = repository.prune(marks, hold)
    except Conflict as error:
        # Somebody is at work: no error, only later.
        diary.write(_PAUSE, waiting=redact(str(error)))
        return None
    except StorageError as error:
        diary.write(_PAUSE, error=redact(str(error)), hint=redact(error.hint))
        return None
    diary.write(
        DAY,
        forgotten=forgotten.forgotten,
        kept=forgotten.kept,
        bytes_deleted=pruned.bytes_deleted,
        bytes_waiting=pruned.bytes_waiting,
    )
    return forgotten, pruned


def nanoseconds(moment: datetime) -> int:
    """As our times are counted, to the second."""
    return int(moment.timestamp()) * 10**9
