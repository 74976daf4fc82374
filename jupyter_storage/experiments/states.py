"""The state of an experiment: ``experiment_state-*.json`` of Tune, a snapshot of Train.

Tune writes, for each trial, two JSON documents as strings; with ten thousand trials that is a
hundred megabytes and more, of which a person sees little. It is read as a stream, a trial at a
time.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_storage.experiments.values import broken, finite, flat, is_name, load, own

__all__ = ["Saved", "State", "Trial", "train_state", "tune_state"]

_LONGEST = 64 * 2**20  # characters of one trial; more is no trial


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that a state names."""

    name: str
    metrics: Mapping[str, Any]
    step: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What a state says of one trial.

    Attributes
    ----------
    directory : str or None
        Name below the experiment; empty where the two are one.
    extremes : mapping
        Metric → least and greatest value.
    checkpoints : tuple of Saved
        Where the state says so: Train's does.
    """

    id: str
    directory: str | None
    state: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    iterations: int | None
    extremes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    checkpoints: tuple[Saved, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What a state says of an experiment."""

    trials: tuple[Trial, ...]
    metric: str | None = None

    def states(self) -> dict[str, int]:
        """Count the trials by state."""
        return dict(sorted(Counter(trial.state for trial in self.trials if trial.state).items()))

    def metrics(self) -> tuple[str, ...]:
        """Name the numbers that trials report."""
        return tuple(sorted({name for trial in self.trials for name in trial.extremes}))


def tune_state(pieces: Iterable[bytes], path: str) -> State:
    """Read what Tune writes.

    Parameters
    ----------
    pieces : iterable of bytes
        The file.
    path : str
        For errors.

    Raises
    ------
    InvalidRequest
        If it is not what Ray writes.
    """
    reader = _Reader(pieces, path)
    trials = [trial for pair in reader.trials() if (trial := _trial(pair, path)) is not None]
    runner = load("{" + reader.rest().lstrip().removeprefix(","), path).get("runner_data")
    metric = runner.get("_metric") if isinstance(runner, Mapping) else None
    return State(tuple(trials), metric if isinstance(metric, str) else None)


def train_state(data: bytes, name: str, path: str) -> State:
    """Read what Train writes: one trial, with its checkpoints.

    Raises
    ------
    InvalidRequest
        If it is not what Ray writes.
    """
    document = load(data, path)
    if not isinstance(document, Mapping):
        raise broken(path)
    steps = document.get("checkpoint_report_indices")
    results = document.get("checkpoint_results")
    saved = [
        Saved(found["checkpoint_dir_name"], own(found.get("metrics")), step)
        for found, step in zip(_list(results), _list(steps), strict=False)
        if isinstance(found, Mapping)
        and is_name(found.get("checkpoint_dir_name"))
        and isinstance(step, int)
    ]
    saved.sort(key=lambda each: each.step)
    latest = document.get("latest_checkpoint_result")
    last = own(latest.get("metrics")) if isinstance(latest, Mapping) else {}
    values: dict[str, list[float]] = {}
    for each in saved:
        for metric, value in each.metrics.items():
            if (number := finite(value)) is not None:
                values.setdefault(metric, []).append(number)
    extremes = {metric: (min(found), max(found)) for metric, found in values.items()}
    reports = document.get("current_report_index")
    iterations = reports if isinstance(reports, int) else None
    return State((Trial(name, "", "", {}, last, iterations, extremes, tuple(saved)),))


class _Reader:
    def __init__(self, pieces: Iterable[bytes], path: str) -> None:
        self._pieces, self._path = iter(pieces), path
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""

    def trials(self) -> Iterator[Any]:
        """Yield the items of ``trial_data``."""
        decoder = json.JSONDecoder()
        at = self._start()
        while True:
            at = self._after(at, " \r\n\t,")
            if self._text[at] == "]":
                self._text = self._text[at + 1 :]
                return
            try:
                item, at = decoder.raw_decode(self._text, at)
            except (ValueError, RecursionError):
                self._text, at = self._text[at:], 0
                if len(self._text) > _LONGEST or not self._more():
                    raise broken(self._path) from None
            else:
                yield item

    def rest(self) -> str:
        while self._more():
            if len(self._text) > _LONGEST:
                raise broken(self._path)
        return self._text

    def _start(self) -> int:
        while True:
            key = self._text.find('"trial_data"')
            start = self._text.find("[", key) if key >= 0 else -1
            if start >= 0:
                return start + 1
            if len(self._text) > _LONGEST or not self._more():
                raise broken(self._path)

    def _after(self, at: int, blank: str) -> int:
        while True:
            while at < len(self._text) and self._text[at] in blank:
                at += 1
            if at < len(self._text):
                return at
            if not self._more():
                raise broken(self._path)

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._text += self._decode(piece)
        return True


def _trial(pair: Any, path: str) -> Trial | None:
    if not isinstance(pair, list) or len(pair) != 2:
        raise broken(path)
    trial, metadata = (load(each, path) if isinstance(each, str) else each for each in pair)
    if not isinstance(trial, Mapping) or not isinstance(metadata, Mapping):
        raise broken(path)
    last = metadata.get("last_result")
    last = last if isinstance(last, Mapping) else {}
    metrics = own(last)
    extremes = {}
    analysis = metadata.get("metric_analysis")
    for name, values in analysis.items() if isinstance(analysis, Mapping) else ():
        if name in metrics and isinstance(values, Mapping):
            least, greatest = finite(values.get("min")), finite(values.get("max"))
            if least is not None and greatest is not None:
                extremes[str(name)] = (least, greatest)
    directory: Any = trial.get("relative_logdir")
    iterations = last.get("training_iteration")
    return Trial(
        str(trial.get("trial_id") or ""),
        directory if is_name(directory) else None,
        str(trial.get("status") or ""),
        flat(trial.get("config")),
        metrics,
        iterations if isinstance(iterations, int) else None,
        extremes,
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
