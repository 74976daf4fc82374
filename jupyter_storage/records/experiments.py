"""Experiments of Ray Tune and Ray Train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = [
    "CheckpointRecord",
    "Curve",
    "ExperimentPage",
    "ExperimentRecord",
    "TrialDetails",
    "TrialPage",
    "TrialRecord",
]


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """One experiment.

    Attributes
    ----------
    path : str
        Its directory.
    kind : {'tune', 'train'}
    modified : datetime or None
        When its state was last written.
    trials : int or None
        None where its state has not been read.
    states : mapping
        State → number of trials.
    metric : str or None
        What it is judged by, as far as the experiment itself says.
    metrics : tuple of str
        Numbers that trials report.
    """

    path: str
    name: str
    kind: Literal["tune", "train"]
    modified: datetime | None = None
    trials: int | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    metric: str | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """Experiments, the newest first.

    Attributes
    ----------
    cursor : str or None
        Asks for the next page; None on the last one.
    complete : bool
        Whether everything was looked at: a search ends after so many directories.
    """

    experiments: tuple[ExperimentRecord, ...]
    cursor: str | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial; a run of Train is one.

    Attributes
    ----------
    path : str or None
        Its directory; None before it has begun.
    state : str
        Ray's word: PENDING, RUNNING, PAUSED, TERMINATED, ERROR; empty where none is written.
    parameters, metrics : mapping
        What was tried, and what was reported last.
    best : float or None
        Best value of the metric that was asked for.
    iterations : int or None
        Reports so far.
    """

    id: str
    path: str | None
    state: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    best: float | None = None
    iterations: int | None = None


@dataclass(frozen=True, slots=True)
class TrialPage:
    """Trials, the best first where there is a metric.

    Attributes
    ----------
    metric, mode : str or None
        By which they are sorted.
    total : int
        Of all pages.
    """

    trials: tuple[TrialRecord, ...]
    metric: str | None
    mode: Literal["min", "max"]
    total: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """One checkpoint that is there.

    Attributes
    ----------
    metrics : mapping
        What was reported with it; empty where nobody can tell.
    size : int or None
        Bytes.
    """

    path: str
    name: str
    trial: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric over iterations; None where a value is no finite number."""

    metric: str
    steps: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TrialDetails:
    """A trial with what lies in its directory.

    Attributes
    ----------
    curve : Curve or None
        Of the metric that was asked for.
    checkpoints : tuple of CheckpointRecord
        The best first where there is a metric, else the newest.
    size : int
        Bytes.
    """

    trial: TrialRecord
    metric: str | None
    mode: Literal["min", "max"]
    curve: Curve | None
    checkpoints: tuple[CheckpointRecord, ...]
    files: int
    size: int
