"""Experiments, trials and checkpoints, from a store."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.experiments.curves import curve, reports
from jupyter_storage.experiments.finding import Found, look
from jupyter_storage.experiments.states import State, Trial, train_state, tune_state
from jupyter_storage.experiments.values import finite
from jupyter_storage.paths import basename, join
from jupyter_storage.records import (
    CheckpointRecord,
    ExperimentRecord,
    TrialDetails,
    TrialPage,
    TrialRecord,
)
from jupyter_storage.stores.store import Store

__all__ = ["Mode", "Reader"]

Mode = Literal["min", "max"]

KEPT = 4  # states that are remembered; one of 10,000 trials takes some 50 MB
TRAIN_LARGEST = 64 * 2**20  # bytes of a snapshot of Train's
TRIED = 20  # trials that are looked at for one that still has a checkpoint

# Names of what should be small; for anything else more is better, unless a person says otherwise.
_SMALL = ("loss", "error", "err", "mae", "mse", "rmse", "perplexity", "ppl", "wer", "cer")


class Reader:
    """Reads experiments, and remembers the states of a few; safe to use from several threads."""

    def __init__(self) -> None:
        self._states: OrderedDict[tuple[Any, ...], State] = OrderedDict()
        self._lock = threading.Lock()

    def found(self, store: Store, key: str) -> Found:
        """Find the experiment that a directory is.

        Raises
        ------
        NotFound
            If it is none.
        """
        found = look(store, key)
        if found is None:
            raise NotFound(
                "It is no experiment of Ray's: it has neither 'experiment_state-….json' nor "
                "'checkpoint_manager_snapshot.json'",
                path=key,
                hint="'jupyter storage experiments list' shows those that there are.",
            )
        return found

    def state(self, store: Store, found: Found) -> State:
        """Read the state of an experiment, once for each version of it."""
        entry = found.state
        version = (store.uri, entry.path, entry.size, entry.modified, entry.checksum)
        with self._lock:
            if version in self._states:
                self._states.move_to_end(version)
                return self._states[version]
        if found.kind == "train":
            data = store.read(entry.path, length=TRAIN_LARGEST)
            state = train_state(data, basename(found.key) or "run", entry.path)
        else:
            with store.open(entry.path) as pieces:
                state = tune_state(pieces, entry.path)
        with self._lock:
            self._states[version] = state
            while len(self._states) > KEPT:
                self._states.popitem(last=False)
        return state

    def experiment(self, store: Store, found: Found) -> ExperimentRecord:
        """Describe an experiment."""
        state = self.state(store, found)
        return ExperimentRecord(
            found.key,
            basename(found.key),
            found.kind,
            found.modified,
            len(state.trials),
            state.states(),
            judged_by(state),
            state.metrics(),
        )

    def trials(
        self,
        store: Store,
        found: Found,
        *,
        metric: str | None = None,
        mode: Mode | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> TrialPage:
        """Give one page of the trials, the best first.

        Raises
        ------
        InvalidRequest
            For a metric that no trial reports.
        """
        state = self.state(store, found)
        metric, mode = chosen(state, metric, mode, found.key)
        trials = _sorted(state.trials, metric, mode)
        start = int(cursor) if cursor and cursor.isascii() and cursor.isdecimal() else 0
        page = trials[start : start + limit]
        end = start + len(page)
        return TrialPage(
            tuple(_record(found, trial, metric, mode) for trial in page),
            metric,
            mode,
            len(trials),
            str(end) if end < len(trials) else None,
        )

    def details(
        self,
        store: Store,
        found: Found,
        trial_id: str,
        *,
        metric: str | None = None,
        mode: Mode | None = None,
    ) -> TrialDetails:
        """Describe a trial with its curve, its checkpoints and its size.

        Raises
        ------
        NotFound
            If there is no such trial.
        """
        state = self.state(store, found)
        metric, mode = chosen(state, metric, mode, found.key)
        return self._details(store, found, _find(state, trial_id, found.key), metric, mode)

    def best(
        self,
        store: Store,
        found: Found,
        *,
        metric: str | None = None,
        mode: Mode | None = None,
        trial_id: str | None = None,
    ) -> CheckpointRecord:
        """Find the best checkpoint that is there, of one trial or of all.

        Raises
        ------
        NotFound
            If there is none.
        """
        state = self.state(store, found)
        metric, mode = chosen(state, metric, mode, found.key)
        if trial_id is not None:
            trials: Sequence[Trial] = [_find(state, trial_id, found.key)]
        else:
            trials = _sorted(state.trials, metric, mode)[:TRIED]
        best: CheckpointRecord | None = None
        for trial in trials:
            bound = _best(trial, metric, mode)
            if best is not None and not _is_better(bound, best.metrics.get(metric or ""), mode):
                # No checkpoint of this or a later trial can be better than its trial ever was.
                break
            for checkpoint in self._details(store, found, trial, metric, mode).checkpoints[:1]:
                if best is None or _is_better(
                    checkpoint.metrics.get(metric or ""), best.metrics.get(metric or ""), mode
                ):
                    best = checkpoint
        if best is None:
            raise NotFound(
                "There is no checkpoint",
                path=found.key,
                hint="None was saved, or all were deleted.",
            )
        return best

    def _details(
        self, store: Store, found: Found, trial: Trial, metric: str | None, mode: Mode
    ) -> TrialDetails:
        record = _record(found, trial, metric, mode)
        if record.path is None:
            return TrialDetails(record, metric, mode, None, (), 0, 0)
        sizes: dict[str, int] = {}
        files = size = 0
        try:
            for entry in store.walk(record.path):
                if entry.is_directory:
                    continue
                files += 1
                size += entry.size or 0
                name, slash, _ = entry.path[len(record.path) :].lstrip("/").partition("/")
                if slash and name.startswith("checkpoint_"):
                    sizes[name] = sizes.get(name, 0) + (entry.size or 0)
        except NotFound:
            return TrialDetails(record, metric, mode, None, (), 0, 0)
        if found.kind == "train":
            known = {saved.name: saved.metrics for saved in trial.checkpoints}
            by_step = {float(saved.step): saved.metrics for saved in trial.checkpoints}
        else:
            read = reports(store, record.path)
            known = cast("dict[str, Mapping[str, Any]]", read.checkpoints)
            by_step = cast("dict[float, Mapping[str, Any]]", read.metrics)
        checkpoints = [
            CheckpointRecord(join(record.path, name), name, trial.id, known.get(name, {}), each)
            for name, each in sorted(sizes.items(), reverse=True)
        ]
        if metric is not None:
            checkpoints.sort(key=lambda each: _rank(each.metrics.get(metric), mode))
        line = curve(by_step, metric) if metric is not None else None
        return TrialDetails(record, metric, mode, line, tuple(checkpoints), files, size)


def judged_by(state: State) -> str | None:
    """Say which metric an experiment is judged by: its own, or the only one there is."""
    metrics = [name for name in state.metrics() if not name.startswith("time_")]
    if state.metric in metrics:
        return state.metric
    return metrics[0] if len(metrics) == 1 else None


def chosen(
    state: State, metric: str | None, mode: Mode | None, path: str
) -> tuple[str | None, Mode]:
    """Choose the metric and whether more of it is better."""
    known = state.metrics()
    if metric is None:
        metric = judged_by(state)
    elif metric not in known:
        raise InvalidRequest(
            f"No trial reports '{metric}'",
            path=path,
            hint=f"They report: {', '.join(known)}." if known else "They report no numbers yet.",
        )
    if mode is None:
        words = (metric or "").lower().replace("/", "_").replace("-", "_").split("_")
        mode = "min" if any(word in _SMALL for word in words) else "max"
    return metric, mode


def _sorted(trials: Sequence[Trial], metric: str | None, mode: Mode) -> list[Trial]:
    if metric is None:
        return list(trials)
    return sorted(trials, key=lambda trial: _rank(_best(trial, metric, mode), mode))


def _best(trial: Trial, metric: str | None, mode: Mode) -> float | None:
    extremes = trial.extremes.get(metric or "")
    return None if extremes is None else extremes[mode == "max"]


def _rank(value: object, mode: Mode) -> tuple[bool, float]:
    number = finite(value)
    if number is None:
        return True, 0.0
    return False, -number if mode == "max" else number


def _is_better(value: object, than: object, mode: Mode) -> bool:
    return _rank(value, mode) < _rank(than, mode)


def _record(found: Found, trial: Trial, metric: str | None, mode: Mode) -> TrialRecord:
    return TrialRecord(
        trial.id,
        None if trial.directory is None else join(found.key, trial.directory),
        trial.state,
        trial.parameters,
        trial.metrics,
        _best(trial, metric, mode),
        trial.iterations,
    )


def _find(state: State, trial_id: str, path: str) -> Trial:
    exact = [trial for trial in state.trials if trial_id in {trial.id, trial.directory}]
    ending = [trial for trial in state.trials if trial.id.endswith(f"_{trial_id.rjust(5, '0')}")]
    for trials in (exact, ending):
        if len(trials) == 1:
            return trials[0]
    raise NotFound(
        f"There is no trial '{trial_id[:100]}'",
        path=path,
        hint="'jupyter storage experiments show' lists them; the number at the end is enough.",
    )
