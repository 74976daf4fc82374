"""Deletions that can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["RemovalPlan", "TrashRecord"]


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What a deletion would take away, and whether it can be undone.

    Attributes
    ----------
    files, bytes : int
        As far as it was counted.
    complete : bool
        Whether all of it was counted; else there is more.
    undoable : bool
        Whether all of it can go to the trash.
    reason : str
        Why not, as a sentence without a full stop; empty where it can.
    days : float
        How long the trash keeps it.
    """

    files: int
    bytes: int
    complete: bool
    undoable: bool
    reason: str = ""
    days: float = 0.0


@dataclass(frozen=True, slots=True)
class TrashRecord:
    """What one deletion put into a tier's trash.

    Attributes
    ----------
    id : str
        Unique in its tier.
    paths : tuple of str
        What was deleted, at most 100 of ``items`` of them.
    files, bytes : int
        As far as they were counted when it was deleted.
    expires : datetime or None
        When it is deleted for good.
    """

    id: str
    tier: str
    paths: tuple[str, ...]
    items: int
    files: int
    bytes: int
    deleted: datetime
    expires: datetime | None = None
