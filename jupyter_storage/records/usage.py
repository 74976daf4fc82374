"""What a tier is used for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jupyter_storage.records.files import Entry

__all__ = ["Advice", "UsageReport"]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What lies on a tier, counted file by file.

    Attributes
    ----------
    state : {'none', 'counting', 'done', 'cancelled', 'failed'}
        ``none``: nobody has counted yet. While it counts, the figures grow.
    files, bytes : int
    own_files, own_bytes : int or None
        Of the person who counts; None for object storage, which does not tell.
    trash_bytes : int
        What the person's trash holds beside that.
    largest, oldest : tuple of Entry
        At most 100 of each.
    taken : datetime or None
        When it was counted, or begun to be.
    error : str or None
        Why it failed.
    """

    tier: str
    state: Literal["none", "counting", "done", "cancelled", "failed"] = "none"
    files: int = 0
    bytes: int = 0
    own_files: int | None = None
    own_bytes: int | None = None
    trash_bytes: int = 0
    largest: tuple[Entry, ...] = ()
    oldest: tuple[Entry, ...] = ()
    taken: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person should know before a step that is about to be wrong.

    Attributes
    ----------
    kind : {'large', 'many', 'secret', 'region'}
    message : str
        What is unwise, and why.
    hint : str
        What suits better.
    """

    kind: Literal["large", "many", "secret", "region"]
    message: str
    hint: str
