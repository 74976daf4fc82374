"""Learning curves: ``result.json`` or ``progress.csv`` of a trial, of any size."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_storage.errors import NotFound
from jupyter_storage.experiments.values import finite, own
from jupyter_storage.paths import join
from jupyter_storage.records import Curve
from jupyter_storage.stores.store import Store

__all__ = ["POINTS", "Reports", "curve", "reports"]

POINTS = 200
"""Most points of a curve: more than a small picture has pixels."""

WHOLE = 4 * 2**20  # bytes; of a longer file, pieces are read that lie evenly over it
PIECE = 64 * 1024
PIECES = 48


@dataclass(slots=True)
class Reports:
    """What a trial reported.

    Attributes
    ----------
    metrics : dict
        Iteration → what was reported; after a restart, the later report.
    checkpoints : dict
        Name of a checkpoint's directory → what was reported with it.
    """

    metrics: dict[float, dict[str, Any]] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one report."""
        metrics = own(row)
        step = finite(row.get("training_iteration"))
        self.metrics[len(self.metrics) + 1 if step is None else step] = metrics
        name = row.get("checkpoint_dir_name")
        if isinstance(name, str) and name:
            self.checkpoints[name] = metrics


def reports(store: Store, key: str) -> Reports:
    """Read what a trial reported, with bounded memory and time.

    Parameters
    ----------
    store : Store
    key : str
        The trial's directory.
    """
    found = Reports()
    for name, rows in (("result.json", _json_rows), ("progress.csv", _csv_rows)):
        try:
            for row in rows(store, join(key, name)):
                found.add(row)
        except NotFound:
            continue
        if found.metrics:
            break
    return found


def curve(found: Mapping[float, Mapping[str, Any]], metric: str) -> Curve:
    """Take one metric out of reports, thinned out to :data:`POINTS`."""
    steps = sorted(step for step in found if metric in found[step])
    if len(steps) > POINTS:
        # The first and the last stay.
        stride = (len(steps) - 1) / (POINTS - 1)
        steps = [steps[round(number * stride)] for number in range(POINTS)]
    return Curve(metric, tuple(steps), tuple(finite(found[step][metric]) for step in steps))


def _json_rows(store: Store, key: str) -> Iterator[Mapping[str, Any]]:
    for _, line in _lines(store, key):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            # The last line of a file that is being written, or not Ray's at all.
            continue
        if isinstance(row, dict):
            yield row


def _csv_rows(store: Store, key: str) -> Iterator[Mapping[str, Any]]:
    header: list[str] = []
    for first, line in _lines(store, key):
        cells = next(csv.reader([line]), [])
        if first:
            header = cells
        elif len(cells) == len(header):
            yield {name: _number(cell) for name, cell in zip(header, cells, strict=True) if cell}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _lines(store: Store, key: str) -> Iterator[tuple[bool, str]]:
    """Yield whole lines, and whether each is the file's first."""
    size = store.stat(key).size or 0
    if size <= WHOLE:
        spans = [(0, size)] if size else []
    else:
        stride = (size - PIECE) / (PIECES - 1)
        spans = [(round(number * stride), PIECE) for number in range(PIECES)]
    for offset, length in spans:
        text = store.read(key, offset=offset, length=length).decode(errors="replace")
        lines = text.splitlines()
        # A piece begins and ends inside a line.
        start = 1 if offset else 0
        end = len(lines) if offset + length >= size else len(lines) - 1
        for number in range(start, end):
            if lines[number]:
                yield offset == 0 and number == 0, lines[number]
