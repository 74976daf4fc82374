"""Storages as SkyPilot declares them: apply, storages, storages delete."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, add_jobs, refuse
from jupyter_storage.commands.files import ENTRY_COLUMNS, path_line
from jupyter_storage.commands.mounts import add_copy, check_every
from jupyter_storage.commands.programs import Program
from jupyter_storage.commands.rendering import Column, human_size, plural
from jupyter_storage.commands.results import Outcome, Record, Stream, Table
from jupyter_storage.commands.transfers import follow

if TYPE_CHECKING:
    from jupyter_storage.records import ApplyPlan, ApplyStep, TransferRecord
    from jupyter_storage.service import Service
    from jupyter_storage.storages.workloads import Workload

__all__ = ["COMMANDS", "STORAGE_COLUMNS"]

STORAGE_COLUMNS = (
    Column("name", "name"),
    Column("created", "created", "time"),
    Column("store", "store"),
    Column("command", "command"),
    Column("status", "status"),
)

_VERBS = {
    "create": "create ",
    "upload": "upload ",
    "copy": "copy   ",
    "mount": "mount  ",
    "keep": "keep   ",
}


def _configure_apply(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="YAML with 'file_mounts'")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--under", metavar="DIR", help="put all targets below this directory, in place of '/'"
    )
    parser.add_argument(
        "--down",
        action="store_true",
        help="the workload has ended: unmount, and delete storages with 'persistent: false'",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_jobs(parser)
    add_copy(parser, "fetch copies in place of mounts; 'flush' brings their changes back")


def _apply(arguments: argparse.Namespace, context: Context) -> Outcome:
    from jupyter_storage.storages.document import load

    check_every(arguments)
    if arguments.program and (arguments.down or arguments.json):
        raise refuse("--down and --json take no program", "Leave them out, or the words after --.")
    program = Program(arguments.program) if arguments.program else None
    service = context.service(concurrency=arguments.jobs)
    document = load(arguments.file)
    under = None if arguments.under is None else Path(arguments.under).expanduser()
    if arguments.down:
        return _down(service.workloads.of(document, under), arguments, context)
    plan = service.plan_document(document, under=under, copied=arguments.copy)
    written = _written(plan)
    coming = None if program is None else service.workloads.coming(document, under)
    if coming is not None:
        written += f"\n{_ended(coming)}"
    if arguments.dry_run:
        return Outcome(Record(plan, text=written))
    context.face.note(written)
    changing = program is not None or any(step.action != "keep" for step in plan.steps)
    # Where nobody can answer, the file itself is the answer: it says what does not stay.
    if changing and not arguments.yes and context.face.ask("Go on? [y/N] ") is False:
        context.face.note("Nothing was changed.")
        return Outcome(None, 1)
    command = f"{context.face.program} apply {arguments.file}"

    def start() -> TransferRecord:
        return service.apply_document(
            document,
            command=command,
            under=under,
            copied=arguments.copy,
            every=arguments.every,
        )

    if program is None or coming is None:
        return follow(service, start, "Applying", context)
    return _work(program, coming, start, service, context)


def _work(
    program: Program,
    workload: Workload,
    start: Callable[[], TransferRecord],
    service: Service,
    context: Context,
) -> Outcome:
    """Apply, run a program, and take down what came with it, whatever becomes of it."""
    with program.guarded():
        status, done = 1, Outcome(None)
        try:
            done = follow(service, start, "Applying", context)
            if done.status == 0:
                status = program.run()
                if status:
                    context.face.note(f"The program ended with status {status}.")
            else:
                context.face.note("Not all is in place: the program was not begun.")
        finally:
            ended = follow(service, lambda: service.end_workload(workload), "Ending", context)
            left = {record.name for record in service.storages()}
            for name in [each for each in workload.storages if each not in left]:
                context.face.note(f"Deleted {name}: it is not persistent")
    return Outcome(
        None,
        status or ended.status,
        (*done.failures, *ended.failures),
        done.failure_count + ended.failure_count,
        done.notes,
    )


def _down(workload: Workload, arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    arguments.name = list(workload.storages)
    if arguments.dry_run:
        return Outcome(Record({"storages": arguments.name}, text=_ended(workload)))
    context.face.note(_ended(workload))
    if arguments.name and not _may_delete(arguments, context):
        return Outcome(None, 1)
    return follow(service, lambda: service.end_workload(workload), "Ending", context)


def _ended(workload: Workload) -> str:
    """Say what goes at the end of a workload."""
    lines = [f"delete  {name}  (at the end, with all that is in it)" for name in workload.storages]
    lines += [
        f"keep    {name}  (at the end: it was made to stay, or is mounted already)"
        for name in workload.staying
    ]
    return "\n".join(lines) or "At the end no storage is deleted"


def _written(plan: ApplyPlan) -> str:
    if not plan.steps:
        return "The file has no 'file_mounts': nothing to do"
    lines = [_line(step) for step in plan.steps]
    total = f"Together {plural(plan.files, 'file')}, {human_size(plan.bytes)} to move"
    if plan.unmountable:
        total += f"\n{plan.unmountable}. Copies can stand in: add --copy"
    return "\n".join([*lines, total])


def _line(step: ApplyStep) -> str:
    parts = []
    if step.files:
        parts.append(f"{plural(step.files, 'file')}, {human_size(step.bytes)}")
    if step.note:
        parts.append(step.note)
    rest = f"  ({'; '.join(parts)})" if parts else ""
    return f"{_VERBS[step.action]} {step.source} → {step.target}{rest}"


def _configure_storages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="list the objects of this one")


def _storages(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    if arguments.name is None:
        records = [Record(record) for record in service.storages()]
        return Outcome(Table(records, STORAGE_COLUMNS))
    uri = service.storage(arguments.name).uri
    return Outcome(Stream(iter(service.walk(uri)), ENTRY_COLUMNS, path_line))


def _configure_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="+", metavar="NAME", help="as 'storages' lists it")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be lost")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _delete(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    if arguments.dry_run:
        what, files, size = _loss(arguments.name, service)
        fields = {"storages": arguments.name, "files": files, "bytes": size}
        text = f"Would delete {what} with {plural(files, 'file')}, {human_size(size)}"
        return Outcome(Record(fields, text=text))
    if not _may_delete(arguments, context):
        return Outcome(None, 1)
    return follow(service, lambda: service.delete_storages(arguments.name), "Deleting", context)


def _loss(names: list[str], service: Service) -> tuple[str, int, int]:
    records = [service.storage(name) for name in names]
    losses = [service.measure_storage(name) for name in names]
    what = ", ".join(f"'{record.name}' ({record.uri})" for record in records)
    return what, sum(each.files for each in losses), sum(each.bytes for each in losses)


def _may_delete(arguments: argparse.Namespace, context: Context) -> bool:
    if arguments.yes or arguments.dry_run:
        return True
    what, files, size = _loss(arguments.name, context.service())
    loss = f"{plural(files, 'file')}, {human_size(size)}"
    answer = context.face.ask(f"Delete {what} with {loss}? They are lost for good. [y/N] ")
    if answer is None:
        raise refuse(
            f"{what} with {loss} would be lost", "Add --yes to delete, or --dry-run to see."
        )
    if not answer:
        context.face.note("Nothing was deleted.")
    return answer


COMMANDS = (
    Command(
        "apply",
        "Make the storages of a SkyPilot YAML, fill them, and put them where it says",
        (
            ("apply task.yaml", "say what will be done, ask, and do it"),
            ("apply -n task.yaml", "only say it, with how much there is to move"),
            ("apply --under ~/mounts task.yaml", "/datasets becomes ~/mounts/datasets"),
            ("apply task.yaml -- python train.py", "and end with the program"),
        ),
        _configure_apply,
        _apply,
        "path",
        "Only 'file_mounts' is read. What is done already is left as it is: apply a file again\n"
        "after its sources have changed, and the changed files follow.\n"
        "\n"
        "A program after '--' is run when all is in place. When it ends, however it does, what\n"
        "was mounted for it is unmounted, and storages with 'persistent: false' are deleted. The\n"
        "exit status is the program's.",
        runs=True,
    ),
    Command(
        "storages",
        "List the storages that 'apply' created, or the objects of one",
        (
            ("storages", "all of them"),
            ("storages sky-dataset", "what is in one"),
        ),
        _configure_storages,
        _storages,
        "",
        "Buckets that were there before, and public ones, are not listed.",
    ),
    Command(
        "storages delete",
        "Delete a storage with all that is in it, and its bucket",
        (
            ("storages delete sky-dataset", "asks first, saying what will be lost"),
            ("storages delete -n sky-dataset", "only say what would be lost"),
        ),
        _configure_delete,
        _delete,
        "",
        "Only what 'apply' created: buckets of others are refused.",
    ),
)
