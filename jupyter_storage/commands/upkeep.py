"""Upkeep of snapshots: snapshot pin, unpin, name, forget, prune, check, repair."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import human_size, human_time, plural
from jupyter_storage.commands.results import Outcome, Record
from jupyter_storage.commands.transfers import TICK
from jupyter_storage.records import SnapshotRecord, TransferRecord

if TYPE_CHECKING:
    from jupyter_storage.snapshots.repository.outcomes import UpkeepRecord

__all__ = ["COMMANDS", "add_project", "confirmed", "last_upkeep"]


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the project directory."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="project directory; default: the Jupyter server's root directory, or in a shell of "
        "your own the current directory",
    )


def confirmed(context: Context, question: str, loss: str, hint: str) -> bool:
    """Ask for a yes before something is lost.

    Raises
    ------
    InvalidRequest
        Where there is nobody to ask.
    """
    answer = context.face.ask(f"{question} [y/N] ")
    if answer is None:
        raise refuse(loss, hint)
    if not answer:
        context.face.note("Nothing was changed.")
    return answer


def last_upkeep(record: UpkeepRecord | None) -> str | None:
    """Say in one line what the last daily upkeep came to."""
    if record is None:
        return None
    moment = human_time(record.time)
    if record.error:
        return f"{moment}: failed: {record.error}. {record.hint or ''}".rstrip()
    if record.waiting:
        return f"{moment}: waits: {record.waiting}"
    text = f"{moment}: forgot {plural(record.forgotten or 0, 'snapshot')}, kept {record.kept:,}"
    return f"{text}; removed {human_size(record.bytes_deleted)}"


# Pins and names


def _configure_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", metavar="ID", help="ID, its beginning, 'latest', or a time")
    add_project(parser)


def _configure_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", metavar="ID", help="ID, its beginning, 'latest', or a time")
    parser.add_argument("name", metavar="NAME", help="the name; '' takes it away")
    add_project(parser)


def _pin(arguments: argparse.Namespace, context: Context) -> Outcome:
    upkeep = context.service(project=arguments.project).upkeep
    return _tagged(upkeep.pin(arguments.snapshot), "It is kept until it is unpinned")


def _unpin(arguments: argparse.Namespace, context: Context) -> Outcome:
    upkeep = context.service(project=arguments.project).upkeep
    return _tagged(upkeep.unpin(arguments.snapshot), "It is kept as long as retention says")


def _name(arguments: argparse.Namespace, context: Context) -> Outcome:
    upkeep = context.service(project=arguments.project).upkeep
    record = upkeep.name(arguments.snapshot, arguments.name)
    name = arguments.name.strip()
    return _tagged(record, f"It is kept, and called '{name}'" if name else "It has no name")


def _tagged(record: SnapshotRecord, text: str) -> Outcome:
    moment = human_time(record.time)
    return Outcome(Record(record, text=f"Snapshot {record.short_id} of {moment}: {text}"))


# Forgetting


def _configure_forget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="only say what would go, and why the rest stays",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_project(parser)


def _forget(arguments: argparse.Namespace, context: Context) -> Outcome:
    upkeep = context.service(project=arguments.project).upkeep
    plan = upkeep.forget(dry_run=True)
    if arguments.dry_run:
        lines = [
            f"{each.short_id}  {human_time(each.time)}  "
            + (f"stays: {', '.join(each.reasons)}" if each.kept else "goes")
            for each in plan.snapshots
        ]
        lines.append(f"{plural(plan.forgotten, 'snapshot')} would go, {plan.kept:,} would stay")
        return Outcome(Record(plan, text="\n".join(lines)))
    if plan.forgotten and not arguments.yes:
        count = plural(plan.forgotten, "snapshot")
        if not confirmed(
            context,
            f"Forget {count} and keep {plan.kept:,}? They are lost for good.",
            f"{count} would be lost",
            "Add --yes to forget them, or --dry-run to see them.",
        ):
            return Outcome(None, 1)
    done = upkeep.forget()
    text = f"Forgot {plural(done.forgotten, 'snapshot')}, kept {done.kept:,}"
    return Outcome(Record(done, text=text))


def _prune(arguments: argparse.Namespace, context: Context) -> Outcome:
    done = context.service(project=arguments.project).upkeep.prune()
    parts = [f"Removed {human_size(done.bytes_deleted)} that no snapshot needs"]
    if done.bytes_repacked:
        parts.append(f"packed {human_size(done.bytes_repacked)} anew")
    if done.bytes_waiting:
        parts.append(f"{human_size(done.bytes_waiting)} can go in a day")
    parts.append(f"{human_size(done.bytes_stored)} stored")
    return Outcome(Record(done, text="; ".join(parts)))


# Checking


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"'{text}' is no share; write a percentage up to 100")
    return value


def _configure_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--read-data",
        nargs="?",
        type=_percent,
        const=100.0,
        default=0.0,
        metavar="PERCENT",
        help="read the data as well: all of it, or so many percent of the packs, chosen by chance",
    )
    add_project(parser)


def _check(arguments: argparse.Namespace, context: Context) -> Outcome:
    upkeep = context.service(project=arguments.project).upkeep
    with context.face.progress("Checking") as show:
        found = upkeep.check(percent=arguments.read_data, progress=_counted(show))
    text = (
        f"{plural(found.snapshots, 'snapshot')}, {plural(found.packs, 'pack')}, "
        f"{human_size(found.bytes)}; read {human_size(found.bytes_read)} of it: "
    )
    text += plural(len(found.failures), "error") if found.failures else "no errors were found"
    status = int(bool(found.failures))
    value = Record(found, text=text)
    return Outcome(value, status, found.failures, len(found.failures), found.notes)


def _counted(show: Callable[[TransferRecord], None]) -> Callable[[int, int], None]:
    done = TransferRecord("check", "check", (), None, "running")
    shown = 0.0
    lock = threading.Lock()

    def add(size: int, packs: int) -> None:
        nonlocal done, shown
        with lock:
            done = replace(
                done, bytes_done=done.bytes_done + size, files_done=done.files_done + packs
            )
            if time.monotonic() - shown > TICK:
                shown = time.monotonic()
                show(done)

    return add


def _repair(arguments: argparse.Namespace, context: Context) -> Outcome:
    done = context.service(project=arguments.project).upkeep.repair()
    changes = (
        (done.index_files_unreadable, "damaged index file", "replaced"),
        (done.packs_added, "pack", "found again"),
        (done.packs_corrected, "pack", "listed rightly"),
        (done.packs_removed, "missing pack", "dropped"),
    )
    parts = [f"{plural(count, what)} {how}" for count, what, how in changes if count]
    text = "Index: " + (", ".join(parts) or "nothing was wrong")
    status = int(bool(done.failures))
    return Outcome(Record(done, text=text), status, done.failures, len(done.failures))


COMMANDS = (
    Command(
        "snapshot pin",
        "Keep a snapshot until it is unpinned",
        (("snapshot pin latest", "the newest"), ("snapshot pin 1a2b3c4d", "one of the list")),
        _configure_one,
        _pin,
        "",
        "The snapshot gets another ID, for snapshots never change; what is in it stays.",
    ),
    Command(
        "snapshot unpin",
        "Keep a snapshot only as long as retention says",
        (("snapshot unpin 1a2b3c4d", "it goes when its time has come"),),
        _configure_one,
        _unpin,
    ),
    Command(
        "snapshot name",
        "Give a snapshot a name, which also keeps it",
        (
            ("snapshot name latest 'before the talk'", "a name for the newest"),
            ("snapshot name 1a2b3c4d ''", "take the name away"),
        ),
        _configure_name,
        _name,
        "",
        "The snapshot gets another ID, for snapshots never change; what is in it stays.",
    ),
    Command(
        "snapshot forget",
        "Thin out snapshots as the option snapshot_retention says",
        (
            ("snapshot forget --dry-run", "what would go, and why the rest stays"),
            ("snapshot forget --yes", "without being asked"),
        ),
        _configure_forget,
        _forget,
        "",
        "A Jupyter server does this by itself once a day. The newest snapshot of the workspace\n"
        "and of each fork, pinned ones and those with a name always stay.",
    ),
    Command(
        "snapshot prune",
        "Remove data that no snapshot needs any more",
        (("snapshot prune", "after 'snapshot forget'; twice, a day apart"),),
        add_project,
        _prune,
        "",
        "What is found for the first time is removed by the first run that comes a day later,\n"
        "or after that. No snapshot is lost. A Jupyter server does this by itself once a day.",
    ),
    Command(
        "snapshot check",
        "Look whether the snapshots are whole",
        (
            ("snapshot check", "that nothing is missing"),
            ("snapshot check --read-data", "and that all can be read"),
            ("snapshot check --read-data=5", "a twentieth of the data, chosen by chance"),
        ),
        _configure_check,
        _check,
    ),
    Command(
        "snapshot repair",
        "Make the index of the snapshots anew from what is there",
        (("snapshot repair", "where 'snapshot check' says that the index is damaged"),),
        add_project,
        _repair,
        "",
        "Nothing but the index is changed. Data that is lost stays lost, unless it is still in\n"
        "the project directory: then the next snapshot brings it back.",
    ),
)
