"""Versions of the project directory: snapshot now, list, restore, status, env."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.rendering import Column, human_size, human_time, plural
from jupyter_storage.commands.restoring import CLONE, RESTORE
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.commands.tiers import exports
from jupyter_storage.commands.transfers import TICK, Interrupted
from jupyter_storage.commands.upkeep import last_upkeep
from jupyter_storage.records import RestoreProgress, SnapshotStatus, TransferRecord

__all__ = ["COMMANDS"]

SNAPSHOT_COLUMNS = (
    Column("short_id", "id"),
    Column("time", "time", "time"),
    Column("hostname", "machine"),
    Column("fork", "fork"),
    Column("label", "kept as"),
    Column("files", "files", "number"),
    Column("bytes", "size", "size"),
    Column("files_new", "new", "number"),
    Column("files_changed", "changed", "number"),
    Column("files_removed", "removed", "number"),
    Column("bytes_added", "added", "size"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="project directory; default: the Jupyter server's root directory, or in a shell of "
        "your own the current directory",
    )


def _now(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    try:
        with context.face.progress("Reading") as show:
            record = service.snapshots.now(progress=_counted(show))
    except KeyboardInterrupt:
        raise Interrupted(
            "The snapshot was not finished", hint="The repository is as it was before."
        ) from None
    text = f"Snapshot {record.short_id} of {service.settings.project}"
    if record.files is not None:
        text += f": {plural(record.files, 'file')}, {human_size(record.bytes)}"
    if record.bytes_added is not None:
        text += f", {human_size(record.bytes_added)} added"
    # A file that cannot be read is retried by the next snapshot; the rest is safe.
    value = Record(record, text=text)
    return Outcome(value, int(bool(record.failures)), record.failures, len(record.failures))


def _counted(show: Callable[[TransferRecord], None]) -> Callable[[int, int], None]:
    """Add up what was read. How much there is to read shows only at the end."""
    done = TransferRecord("snapshot", "snapshot", (), None, "running")
    shown = 0.0
    lock = threading.Lock()

    def add(size: int, files: int) -> None:
        nonlocal done, shown
        with lock:
            done = replace(
                done, bytes_done=done.bytes_done + size, files_done=done.files_done + files
            )
            if time.monotonic() - shown > TICK:
                shown = time.monotonic()
                show(done)

    return add


def _list(arguments: argparse.Namespace, context: Context) -> Outcome:
    records = context.service(project=arguments.project).snapshots.list()
    return Outcome(Table([Record(record) for record in records], SNAPSHOT_COLUMNS))


def _status(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    status = service.snapshots.status()
    if status.last is None:
        # This process has not looked at the repository yet, unlike the server.
        status = replace(status, last=next(iter(service.snapshots.list()), None))
    lines = {
        "state": status.state + _restoring_text(status.restoring),
        "project": status.project,
        "workspace": status.workspace,
        "repository": status.repository,
        "newest": "none"
        if status.last is None
        else f"{status.last.short_id}, {human_time(status.last.time)}",
        "changes": _watching_text(status),
        "fork": status.fork
        and f"{status.fork}, while {status.holder or 'nobody'} holds the "
        "workspace; 'snapshot takeover' makes this the main line",
        "machines": "this store does not keep two machines apart that begin at the same moment"
        if status.guarded is False
        else None,
        "error": status.error,
        "hint": status.hint,
        "upkeep": last_upkeep(service.upkeep.last()),
    }
    text = "\n".join(f"{name:<11}{line}" for name, line in lines.items() if line)
    return Outcome(Record(status, text=text), 1 if status.state == "error" else 0)


def _watching_text(status: SnapshotStatus) -> str | None:
    if status.watching is None:
        return None
    if status.watching:
        return "noticed at once"
    return "found by looks at everything" + (f": {status.unwatched}" if status.unwatched else "")


def _restoring_text(progress: RestoreProgress | None) -> str:
    if progress is None:
        return ""
    if progress.files_total is None or progress.bytes_total is None:
        return f": {progress.files:,} files, {human_size(progress.bytes)}"
    return (
        f": {progress.files:,} of {progress.files_total:,} files, "
        f"{human_size(progress.bytes)} of {human_size(progress.bytes_total)}"
    )


def _takeover(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    record = service.snapshots.takeover()
    text = f"This machine holds the workspace: snapshot {record.short_id} is the newest"
    return Outcome(Record(record, text=text))


def _env(arguments: argparse.Namespace, context: Context) -> Outcome:
    return Outcome(exports(context.service(project=arguments.project).snapshots.environment()))


COMMANDS = (
    Command(
        "snapshot now",
        "Take a snapshot of the project directory",
        (
            ("snapshot now", "of the project you are in"),
            ("snapshot now --project ~/work", "of another one"),
        ),
        configure,
        _now,
        "",
        "JupyterLab takes snapshots by itself, seconds after every change. Where nothing has\n"
        "changed, the newest one stands.",
    ),
    Command(
        "snapshot list",
        "List the snapshots, newest first",
        (("snapshot list", "with times and sizes"), ("snapshot list --json", "with all fields")),
        configure,
        _list,
    ),
    RESTORE,
    CLONE,
    Command(
        "snapshot takeover",
        "Make this machine the one that writes the workspace's main line",
        (("snapshot takeover", "go on from this project directory"),),
        configure,
        _takeover,
        "",
        "Of two machines in one workspace, one writes the main line, and the other a fork. A new\n"
        "machine starts from the main line. Nothing is lost either way: whoever wrote it so far\n"
        "goes on as a fork. To compare first, 'snapshot list' has a column 'fork', and\n"
        "'snapshot diff' tells two snapshots apart.",
    ),
    Command(
        "snapshot status",
        "Say how safe the project directory is",
        (("snapshot status", "where snapshots go, and the newest one"),),
        configure,
        _status,
    ),
    Command(
        "snapshot env",
        "Print the variables with which the stock restic program reads the snapshots",
        (
            ('eval "$(jupyter storage snapshot env)" && restic snapshots', "list them with restic"),
            ("snapshot env --json", "as a JSON object"),
        ),
        configure,
        _env,
    ),
)
