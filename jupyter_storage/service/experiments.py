"""Experiments of Ray Tune and Ray Train, wherever they lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.records import (
    CheckpointRecord,
    ExperimentPage,
    ExperimentRecord,
    Plan,
    TransferRecord,
    TrialDetails,
    TrialPage,
    TrialRecord,
)
from jupyter_storage.service.base import Listener
from jupyter_storage.service.transfers import Transfers
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.walking import walk_together

if TYPE_CHECKING:
    from jupyter_storage.config import Settings
    from jupyter_storage.experiments.finding import Found
    from jupyter_storage.experiments.reader import Mode, Reader

__all__ = ["Experiments"]

REMEMBERED = 20.0  # seconds for which a search is good: that of the next page is the same
RUNNING = timedelta(minutes=10)  # an experiment that wrote its state since may be under way
_COUNTED = 16 * 2**20  # bytes of a state that is read for a list
_OLDEST = datetime.min.replace(tzinfo=timezone.utc)


class Experiments(Transfers):
    """The service's part that reads what Ray leaves."""

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._experiment_reader: Reader | None = None
        self._searches: dict[str, tuple[float, list[tuple[Place, Found]], bool]] = {}
        self._search_lock = threading.Lock()

    def experiments(
        self, path: str, *, cursor: str | None = None, limit: int = 50
    ) -> ExperimentPage:
        """Find experiments in a directory and below it.

        Parameters
        ----------
        path : str
            ``tier:relative/path``, a URI or a local path.
        cursor : str, optional
            From the page before.
        limit : int

        Returns
        -------
        ExperimentPage
            Trials are counted where the state is not too large to be read for a list.
        """
        found, complete = self._search(path, again=cursor is not None)
        start = int(cursor) if cursor and cursor.isascii() and cursor.isdecimal() else 0
        page = found[start : start + limit]
        more = start + limit < len(found)
        return ExperimentPage(
            tuple(self._listed(place, each) for place, each in page),
            str(start + limit) if more else None,
            complete,
        )

    def experiment(self, path: str) -> ExperimentRecord:
        """Describe one experiment.

        Raises
        ------
        NotFound
            If the directory is none.
        """
        place, found = self._experiment(path)
        with place.naming():
            return _labelled(self._reader().experiment(place.store, found), place)

    def trials(
        self,
        path: str,
        *,
        metric: str | None = None,
        mode: Mode | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> TrialPage:
        """Give one page of an experiment's trials, the best first."""
        place, found = self._experiment(path)
        with place.naming():
            page = self._reader().trials(
                place.store, found, metric=metric, mode=mode, cursor=cursor, limit=limit
            )
        return replace(page, trials=tuple(_trial(trial, place) for trial in page.trials))

    def trial(
        self,
        path: str,
        trial_id: str,
        *,
        metric: str | None = None,
        mode: Mode | None = None,
    ) -> TrialDetails:
        """Describe a trial with its curve, its checkpoints and its size."""
        place, found = self._experiment(path)
        with place.naming():
            details = self._reader().details(place.store, found, trial_id, metric=metric, mode=mode)
        return replace(
            details,
            trial=_trial(details.trial, place),
            checkpoints=tuple(_checkpoint(each, place) for each in details.checkpoints),
        )

    def best_checkpoint(
        self,
        path: str,
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
        place, found = self._experiment(path)
        with place.naming():
            best = self._reader().best(
                place.store, found, metric=metric, mode=mode, trial_id=trial_id
            )
        return _checkpoint(best, place)

    def measure_experiment(self, path: str) -> Plan:
        """Say how many files and bytes an experiment has: what deleting it would lose."""
        place, _ = self._experiment(path)
        files = size = 0
        with place.naming():
            if place.store.local_path("") is None:
                entries = walk_together(
                    place.store, place.key, concurrency=self.settings.concurrency
                )
            else:
                entries = place.store.walk(place.key)
            for entry in entries:
                if not entry.is_directory:
                    files += 1
                    size += entry.size or 0
        return Plan(files, size)

    def delete_experiments(self, paths: Sequence[str], *, force: bool = False) -> TransferRecord:
        """Start to delete experiments with all their checkpoints.

        Raises
        ------
        NotFound
            If one of the directories is none.
        InvalidRequest
            If one may be running, without ``force``.
        """
        for path in paths:
            _, found = self._experiment(path)
            if not force and may_run(found.modified):
                raise InvalidRequest(
                    "It wrote its state a moment ago, and may be running",
                    path=path,
                    hint="Stop it first. If nothing runs, delete it with --force.",
                )
        with self._search_lock:
            self._searches.clear()
        return self.remove(paths, recursive=True)

    def _search(self, path: str, *, again: bool) -> tuple[list[tuple[Place, Found]], bool]:
        from jupyter_storage.experiments.finding import find

        with self._search_lock:
            due, remembered, complete = self._searches.get(path, (0.0, [], True))
        if again and time.monotonic() < due:
            return remembered, complete
        place = self._locations.place(path)
        with place.naming():
            found, complete = find(place.store, place.key)
        found.sort(key=lambda each: (each.modified or _OLDEST, each.key), reverse=True)
        placed = [(place.at(each.key), each) for each in found]
        with self._search_lock:
            self._searches[path] = (time.monotonic() + REMEMBERED, placed, complete)
            while len(self._searches) > 8:
                del self._searches[next(iter(self._searches))]
        return placed, complete

    def _listed(self, place: Place, found: Found) -> ExperimentRecord:
        if (found.state.size or 0) <= _COUNTED:
            try:
                with place.naming():
                    return _labelled(self._reader().experiment(place.store, found), place)
            except StorageError:
                # One that cannot be read is listed all the same; who opens it is told why.
                pass
        return ExperimentRecord(place.path, place.name, found.kind, found.modified)

    def _experiment(self, path: str) -> tuple[Place, Found]:
        place = self._locations.place(path)
        with place.naming():
            return place, self._reader().found(place.store, place.key)

    def _reader(self) -> Reader:
        from jupyter_storage.experiments.reader import Reader

        with self._lock:
            if self._experiment_reader is None:
                self._experiment_reader = Reader()
            return self._experiment_reader


def may_run(modified: datetime | None) -> bool:
    """Whether an experiment that wrote its state then may be under way."""
    return modified is not None and datetime.now(timezone.utc) - modified < RUNNING


def _labelled(record: ExperimentRecord, place: Place) -> ExperimentRecord:
    return replace(record, path=place.label + record.path, name=record.name or place.name)


def _trial(trial: TrialRecord, place: Place) -> TrialRecord:
    return trial if trial.path is None else replace(trial, path=place.label + trial.path)


def _checkpoint(checkpoint: CheckpointRecord, place: Place) -> CheckpointRecord:
    return replace(checkpoint, path=place.label + checkpoint.path)
