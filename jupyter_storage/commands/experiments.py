"""Experiments of Ray Tune and Ray Train: list, show, best, fetch, rm."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from jupyter_storage.commands.command import Command, Context, expiry, positive, refuse
from jupyter_storage.commands.files import failure_of
from jupyter_storage.commands.rendering import Column, clean, human_size, human_time, plural
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.commands.transfers import follow
from jupyter_storage.errors import StorageError
from jupyter_storage.records import ConflictPolicy, ExperimentRecord, Failure

if TYPE_CHECKING:
    from jupyter_storage.records import CheckpointRecord, TrialDetails, TrialPage
    from jupyter_storage.service import Service

__all__ = ["COMMANDS"]

_LISTED = 1000  # experiments of one tier
_MARKS = "▁▂▃▄▅▆▇█"

_EXPERIMENTS = (
    Column("modified", "changed", "time"),
    Column("kind", "kind"),
    Column("trials", "trials", "number"),
    Column("states", "states"),
    Column("metric", "metric"),
    Column("path", "path"),
)
_TRIALS = (
    Column("id", "trial"),
    Column("state", "state"),
    Column("iterations", "reports", "number"),
    Column("best", "best"),
    Column("parameters", "parameters"),
    Column("metrics", "last metrics"),
)


def _configure_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="*", help="where to look; unless given: every tier")


def _list(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    failures: list[Failure] = []
    found: list[ExperimentRecord] = []
    for path in arguments.path or [f"{name}:" for name in service.tier_names()]:
        try:
            page = service.experiments(path, limit=_LISTED)
        except StorageError as error:
            failures.append(failure_of(error, path))
            continue
        found += page.experiments
        if not page.complete:
            context.face.note(f"Not all of {path} was looked at: name a directory in it.")
    found.sort(key=lambda each: each.modified or datetime.min.replace(tzinfo=timezone.utc))
    table = Table([Record(each) for each in reversed(found)], _EXPERIMENTS)
    return Outcome(table, int(bool(failures)), tuple(failures), len(failures))


def _configure_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="the experiment's directory")
    parser.add_argument(
        "trial", nargs="?", help="one trial with its curve and checkpoints: its ID, or the number"
    )
    _add_metric(parser)
    parser.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="trials to show; default: 20"
    )


def _add_metric(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metric", metavar="NAME", help="what counts; default: what the experiment says"
    )
    parser.add_argument(
        "--mode",
        choices=("min", "max"),
        help="whether less or more of it is better; default: by its name, less of a loss or error",
    )


def _show(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    asked = {"metric": arguments.metric, "mode": arguments.mode}
    if arguments.trial is not None:
        details = service.trial(arguments.path, arguments.trial, **asked)
        return Outcome(Record(details, text=_detailed(details)))
    page = service.trials(arguments.path, limit=arguments.limit, **asked)
    context.face.note(_head(service.experiment(arguments.path), page))
    return Outcome(Table([Record(trial) for trial in page.trials], _TRIALS))


def _head(experiment: ExperimentRecord, page: TrialPage) -> str:
    states = ", ".join(f"{number} {state}" for state, number in experiment.states.items())
    text = f"{plural(page.total, 'trial')}{f': {states}' if states else ''}"
    if page.metric is not None:
        text += f"; the best by {clean(page.metric)} ({page.mode}) first"
    elif experiment.metrics:
        text += f"; sort them with --metric: {clean(', '.join(experiment.metrics))}"
    if len(page.trials) < page.total:
        text += f"; {len(page.trials)} are shown (--limit)"
    return text


def _detailed(details: TrialDetails) -> str:
    trial = details.trial
    rows = [
        ("trial", f"{trial.id}  {trial.state}".rstrip()),
        ("path", trial.path or "not begun"),
        ("parameters", _pairs(trial.parameters)),
        ("last metrics", _pairs(trial.metrics)),
        ("size", f"{human_size(details.size)} in {plural(details.files, 'file')}"),
    ]
    if details.curve is not None:
        values = [value for value in details.curve.values if value is not None]
        if values:
            ends = f"{values[0]:g} … {values[-1]:g}"
            rows.append((details.curve.metric, f"{_sparkline(details.curve.values)}  {ends}"))
    width = max(len(name) for name, _ in rows)
    lines = [f"{clean(name).ljust(width)}  {clean(text)}" for name, text in rows if text]
    for number, checkpoint in enumerate(details.checkpoints):
        title = "checkpoints" if number == 0 else ""
        mark = " (best)" if number == 0 and details.metric is not None else ""
        lines.append(f"{title.ljust(width)}  {clean(_checkpoint_line(checkpoint))}{mark}")
    return "\n".join(lines)


def _checkpoint_line(checkpoint: CheckpointRecord) -> str:
    metrics = _pairs(checkpoint.metrics)
    return "  ".join(filter(None, [checkpoint.name, human_size(checkpoint.size), metrics]))


def _pairs(values: Any) -> str:
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def _sparkline(values: tuple[float | None, ...], width: int = 40) -> str:
    """Draw a curve with eight heights; a gap where there is no number."""
    stride = max(1.0, len(values) / width)
    picked = [values[int(number * stride)] for number in range(int(len(values) / stride))]
    numbers = [value for value in picked if value is not None]
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    height = (high - low) or 1.0
    return "".join(
        " " if value is None else _MARKS[int((value - low) / height * (len(_MARKS) - 1))]
        for value in picked
    )


def _configure_best(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="the experiment's directory")
    parser.add_argument("trial", nargs="?", help="only of this trial")
    _add_metric(parser)


def _best(arguments: argparse.Namespace, context: Context) -> Outcome:
    best = _best_of(arguments, context.service())
    return Outcome(Record(best, text=f"{clean(best.path)}\n{clean(_checkpoint_line(best))}"))


def _best_of(arguments: argparse.Namespace, service: Service) -> CheckpointRecord:
    return service.best_checkpoint(
        arguments.path, metric=arguments.metric, mode=arguments.mode, trial_id=arguments.trial
    )


def _configure_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="the experiment's directory")
    parser.add_argument("destination", metavar="DST", help="directory for the checkpoint's files")
    parser.add_argument("--trial", help="of this trial; default: of all")
    _add_metric(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that exist in the destination"
    )


def _fetch(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    best = _best_of(arguments, service)
    conflict = ConflictPolicy.OVERWRITE if arguments.overwrite else ConflictPolicy.FAIL
    context.face.note(f"{clean(best.path)}  {clean(_pairs(best.metrics))}".rstrip())
    return follow(
        service,
        lambda: service.copy([best.path], arguments.destination, recursive=True, conflict=conflict),
        "Copying",
        context,
    )


def _configure_rm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="experiments, or with --older directories of such")
    parser.add_argument(
        "--older", type=expiry, metavar="TIME", help="all that did not change for so long: 30d"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be lost")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--force", action="store_true", help="also one that may be running")


def _rm(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    doomed = _doomed(arguments, service)
    if not doomed:
        context.face.note("There is no such experiment.")
        return Outcome(Table([], _EXPERIMENTS))
    sizes = [service.measure_experiment(each.path) for each in doomed]
    files, size = sum(each.files for each in sizes), sum(each.bytes for each in sizes)
    trials = sum(each.trials or 0 for each in doomed)
    loss = (
        f"{plural(len(doomed), 'experiment')} ({plural(trials, 'trial')}, "
        f"{plural(files, 'file')}, {human_size(size)})"
    )
    if arguments.dry_run:
        return Outcome(Table([Record(each) for each in doomed], _EXPERIMENTS))
    if not arguments.yes:
        names = "\n".join(
            f"  {clean(each.path)}  {human_time(each.modified)}, {human_size(size.bytes)}"
            for each, size in zip(doomed, sizes, strict=True)
        )
        question = f"{names}\nDelete {loss} with all checkpoints? They are lost for good. [y/N] "
        answer = context.face.ask(question)
        if answer is None:
            raise refuse(f"{loss} would be lost", "Add --yes to delete, or --dry-run to see.")
        if not answer:
            context.face.note("Nothing was deleted.")
            return Outcome(None, 1)
    paths = [each.path for each in doomed]
    return follow(
        service,
        lambda: service.delete_experiments(paths, force=arguments.force),
        "Deleting",
        context,
    )


def _doomed(arguments: argparse.Namespace, service: Service) -> list[ExperimentRecord]:
    if arguments.older is None:
        return [service.experiment(path) for path in arguments.path]
    oldest = datetime.now(timezone.utc) - timedelta(seconds=arguments.older)
    return [
        each
        for path in arguments.path
        for each in service.experiments(path, limit=_LISTED).experiments
        if each.modified is not None and each.modified < oldest
    ]


COMMANDS = (
    Command(
        "experiments list",
        "List the experiments of Ray Tune and Ray Train on tiers",
        (
            ("experiments list", "in every tier"),
            ("experiments list artifacts:team", "below one directory"),
        ),
        _configure_list,
        _list,
        "path",
        "Four levels of directories are looked at, and what lies in an experiment is not.",
    ),
    Command(
        "experiments show",
        "Show the trials of an experiment, or one of them with curve and checkpoints",
        (
            ("experiments show artifacts:cats", "its best trials"),
            ("experiments show artifacts:cats --metric loss --limit 100", "by another metric"),
            ("experiments show artifacts:cats 00012", "one trial"),
        ),
        _configure_show,
        _show,
        "path",
        "Only JSON and CSV are read: nothing that Ray pickled is run.",
    ),
    Command(
        "experiments best",
        "Say which checkpoint of an experiment is the best",
        (
            ("experiments best artifacts:cats", "of all trials"),
            ("experiments best artifacts:cats 00012 --metric loss", "of one, by another metric"),
        ),
        _configure_best,
        _best,
        "path",
        "Of the checkpoints that are still there: Ray deletes those that it was not to keep.",
    ),
    Command(
        "experiments fetch",
        "Copy the best checkpoint of an experiment to a directory",
        (
            ("experiments fetch artifacts:cats shared:models/cats", "the best of all trials"),
            ("experiments fetch artifacts:cats local:cats --trial 00012", "the best of one"),
        ),
        _configure_fetch,
        _fetch,
        "path",
    ),
    Command(
        "experiments rm",
        "Delete old experiments with all their checkpoints",
        (
            ("experiments rm -n --older 30d artifacts:", "which ones that would be"),
            ("experiments rm artifacts:cats", "one; asks first, saying what will be lost"),
        ),
        _configure_rm,
        _rm,
        "path",
    ),
)
