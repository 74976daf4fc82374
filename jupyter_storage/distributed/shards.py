"""What goes to a worker and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_storage.records import ConflictPolicy, Failure
from jupyter_storage.transfers.plan import Step

__all__ = ["Outcome", "Report", "Root", "Shard"]

Outcome = Literal["done", "skipped", "failed", "made"]
"""How a step ended; ``made`` is a directory's."""


@dataclass(frozen=True, slots=True)
class Root:
    """A store such that another machine can open it.

    Attributes
    ----------
    label : str
        What a person calls it; see :class:`~jupyter_storage.transfers.places.Place`.
    uri : str
    options : mapping
        They name credentials and hold none.
    """

    label: str
    uri: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a transfer.

    Attributes
    ----------
    roots : sequence of Root
    steps : sequence of (int, int, Step)
        Numbers of the source's and the target's root, and what to do.
    again : bool
        Whether an earlier worker was lost with it, and may have done some.
    concurrency, bandwidth : int
        Of this worker; see :class:`~jupyter_storage.transfers.engine.Engine`.
    """

    roots: Sequence[Root]
    steps: Sequence[tuple[int, int, Step]]
    policy: ConflictPolicy
    verify: bool
    again: bool
    pause: float
    concurrency: int
    bandwidth: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker did since its last report.

    Attributes
    ----------
    size : int
        Bytes that moved; less than zero where tries failed.
    planned : tuple of (int, int)
        Bytes and files that turned out to be needed.
    ended : sequence of (int, Outcome)
        Steps, by their number in the shard.
    failures : sequence of (Failure, bool)
        And whether each may go well another time.
    current : str or None
        The file that was begun last.
    """

    size: int
    planned: tuple[int, int]
    ended: Sequence[tuple[int, Outcome]]
    failures: Sequence[tuple[Failure, bool]]
    current: str | None
