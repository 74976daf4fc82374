"""Moving many files: cp, mv, zip."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, add_jobs, chunks, refuse, size
from jupyter_storage.commands.rendering import human_size, plural, summary
from jupyter_storage.commands.results import Outcome, Record
from jupyter_storage.errors import Cancelled
from jupyter_storage.records import ConflictPolicy, Entry, Plan, TransferRecord
from jupyter_storage.transfers.plan import SKIPPED

if TYPE_CHECKING:
    from jupyter_storage.service import Service
    from jupyter_storage.transfers.crews import Crew

__all__ = [
    "COMMANDS",
    "Interrupted",
    "add_common",
    "add_engine",
    "add_moving",
    "finished",
    "follow",
    "hire",
]

PIECE = 2**20  # bytes from standard input at a time
STANDARD = "-"
TICK = 0.1  # seconds between two looks at a transfer
PATIENCE = 10.0  # seconds in which a transfer that was cancelled should stop


class Interrupted(Cancelled):
    """A person pressed Ctrl-C, or interrupted the kernel."""

    exit_status = 130


def _configure_cp(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="SRC… DST: what to copy, and where; '-' is a pipe"
    )
    parser.add_argument(
        "-r", "-R", "--recursive", action="store_true", help="whole directories: their contents"
    )
    _add_conflicts(parser)
    add_common(parser)
    add_moving(parser)
    add_engine(parser)


def _configure_mv(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="SRC… DST: what to move, and where"
    )
    # As in a shell, mv takes directories; the option is there for fingers that expect it.
    parser.add_argument("-r", "-R", "--recursive", action="store_true", help=argparse.SUPPRESS)
    _add_conflicts(parser)
    add_common(parser)
    add_moving(parser)


def _add_conflicts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--overwrite",
        dest="conflict",
        action="store_const",
        const=ConflictPolicy.OVERWRITE,
        help="replace files that exist",
    )
    group.add_argument(
        "--skip",
        dest="conflict",
        action="store_const",
        const=ConflictPolicy.SKIP,
        help="leave files that exist",
    )
    group.add_argument(
        "--newer",
        dest="conflict",
        action="store_const",
        const=ConflictPolicy.NEWER,
        help="replace files that are older than the source",
    )
    parser.set_defaults(conflict=ConflictPolicy.FAIL)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands have that move or delete many files."""
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    add_jobs(parser)
    parser.add_argument("--force", action="store_true", help="also where system data is")


def add_moving(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that move bytes."""
    parser.add_argument(
        "--verify", action="store_true", help="compare what was copied with its source afterwards"
    )
    parser.add_argument(
        "--bwlimit", type=size, metavar="SIZE", help="bytes a second, on average: 10MB; 0: no limit"
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where it runs."""
    parser.add_argument(
        "--engine",
        choices=("local", "ray", "auto"),
        help="on this machine, over a Ray cluster, or 'auto': over one where it is much",
    )


def hire(
    service: Service,
    arguments: argparse.Namespace,
    sources: list[str],
    destination: str,
    context: Context,
) -> Crew | None:
    """Find who does a transfer, and say so before it starts."""
    engine = arguments.engine or service.settings.engine
    crew, sentence = service.crew(engine, sources, destination)
    if sentence:
        context.face.note(sentence)
    return crew


def _cp(arguments: argparse.Namespace, context: Context) -> Outcome:
    sources, destination = _ends(arguments)
    if STANDARD in sources or destination == STANDARD:
        return _pipe(sources, destination, arguments, context)
    return _transfer(sources, destination, arguments, context, move=False)


def _mv(arguments: argparse.Namespace, context: Context) -> Outcome:
    sources, destination = _ends(arguments)
    arguments.recursive = True
    return _transfer(sources, destination, arguments, context, move=True)


def _ends(arguments: argparse.Namespace) -> tuple[list[str], str]:
    *sources, destination = arguments.paths
    if not sources:
        raise refuse("The destination is missing", "Write: SRC… DST.", path=destination)
    return sources, destination


def _transfer(
    sources: list[str],
    destination: str,
    arguments: argparse.Namespace,
    context: Context,
    *,
    move: bool,
) -> Outcome:
    service = context.service(concurrency=arguments.jobs, bandwidth=arguments.bwlimit)
    if arguments.dry_run:
        plan = service.estimate(
            sources, destination, recursive=arguments.recursive, conflict=arguments.conflict
        )
        return _planned(plan, "move" if move else "copy")
    crew = None if move else hire(service, arguments, sources, destination, context)

    def start() -> TransferRecord:
        return service.copy(
            sources,
            destination,
            recursive=arguments.recursive,
            move=move,
            conflict=arguments.conflict,
            force=arguments.force,
            verify=arguments.verify,
            crew=crew,
        )

    return follow(service, start, "Moving" if move else "Copying", context)


def _planned(plan: Plan, verb: str) -> Outcome:
    text = f"Would {verb} {plural(plan.files, 'file')}, {human_size(plan.bytes)}"
    if plan.conflict_count:
        text += f"; {plural(plan.conflict_count, 'target')} exist:" + "".join(
            f"\n  {path}" for path in plan.conflicts[:20]
        )
        if plan.conflict_count > 20:
            text += f"\n  … and {plan.conflict_count - 20:,} more"
    failures = tuple(each for each in plan.failures if each.kind != SKIPPED)
    notes = tuple(each for each in plan.failures if each.kind == SKIPPED)
    return Outcome(Record(plan, text=text), int(bool(failures)), failures, len(failures), notes)


def follow(
    service: Service,
    start: Callable[[], TransferRecord],
    title: str,
    context: Context,
) -> Outcome:
    """Run a transfer to its end, showing how far it is.

    Raises
    ------
    Interrupted
        If a person stopped it; it has ended cleanly then.
    """
    record = start()
    try:
        with context.face.progress(title) as show:
            while record.finished is None:
                record = service.wait(record.id, TICK)
                show(record)
    except KeyboardInterrupt:
        service.cancel(record.id)
        record = service.wait(record.id, PATIENCE)
        raise Interrupted(
            f"{summary(record)} before it was stopped"
            if record.state != "cancelled"
            else summary(record),
            hint="Nothing is half-written. Run the same command again to go on.",
        ) from None
    return finished(record)


def finished(record: TransferRecord) -> Outcome:
    """Make the outcome of a transfer that has ended."""
    failures = tuple(each for each in record.failures if each.kind != SKIPPED)
    notes = tuple(each for each in record.failures if each.kind == SKIPPED)
    status = 0 if record.state == "done" else 1
    value = Record(record, text=summary(record))
    return Outcome(value, status, failures, record.failure_count, notes)


def _pipe(
    sources: list[str], destination: str, arguments: argparse.Namespace, context: Context
) -> Outcome:
    if len(sources) != 1 or arguments.recursive or sources[0] == destination:
        raise refuse("A pipe takes one file", "Write 'cp FILE -' or 'cp - FILE'.", path=STANDARD)
    if arguments.verify:
        raise refuse("A pipe cannot be read once more", "Leave out --verify.", path=STANDARD)
    service = context.service()
    if destination == STANDARD:
        output = context.face.output()
        if output is None:
            raise refuse(
                "A notebook has no standard output for bytes",
                "Read the file in code: jupyter_storage.open(…).",
                path=sources[0],
            )
        with service.open(sources[0]) as pieces:
            for piece in pieces:
                output.write(piece)
        output.flush()
        return Outcome(None)
    if arguments.conflict not in {ConflictPolicy.FAIL, ConflictPolicy.OVERWRITE}:
        raise refuse(
            "A pipe has no time to compare", "Use --overwrite, or neither.", path=destination
        )
    exclusive = arguments.conflict is ConflictPolicy.FAIL
    pieces = chunks(context.face.input(), PIECE)
    entry = write(service, destination, pieces, exclusive=exclusive, force=arguments.force)
    return Outcome(Record(entry, text=f"Wrote {entry.path}, {human_size(entry.size)}"))


def write(
    service: Service,
    path: str,
    pieces: Iterable[bytes],
    *,
    exclusive: bool,
    force: bool = False,
) -> Entry:
    """Write a file from pieces; it appears only when all are there."""
    with service.create(path, exclusive=exclusive, force=force) as writer:
        for piece in pieces:
            writer.write(piece)
        return writer.commit()


def _configure_zip(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="files and directories; each keeps its name")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.zip", help="where to; '-' is standard output"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace it if it exists")
    parser.add_argument("--force", action="store_true", help="also where system data is")


def _zip(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    archive = service.archive(arguments.path)
    if arguments.output == STANDARD:
        output = context.face.output()
        if output is None:
            raise refuse(
                "A notebook has no standard output for bytes", "Name a file.", path=STANDARD
            )
        for piece in archive:
            output.write(piece)
        output.flush()
        return Outcome(None)
    plan = archive.plan()
    started = time.time()
    with context.face.progress("Zipping") as show:
        try:
            entry = write(
                service,
                arguments.output,
                _shown(archive, plan.bytes, show),
                exclusive=not arguments.overwrite,
                force=arguments.force,
            )
        except KeyboardInterrupt:
            raise Interrupted("The zip was not written", hint="Nothing is half-written.") from None
    text = (
        f"Zipped {plural(plan.files, 'file')} into {entry.path}, {human_size(entry.size)}, "
        f"in {time.time() - started:.1f} s"
    )
    return Outcome(Record(entry, text=text))


def _shown(
    pieces: Iterable[bytes], total: int, show: Callable[[TransferRecord], None]
) -> Iterator[bytes]:
    done, shown = 0, 0.0
    for piece in pieces:
        yield piece
        done += len(piece)
        if time.monotonic() - shown > TICK:
            shown = time.monotonic()
            show(
                TransferRecord(
                    "zip", "zip", (), None, "running", bytes_done=done, bytes_total=total
                )
            )


COMMANDS = (
    Command(
        "cp",
        "Copy files between tiers, buckets and this machine",
        (
            ("cp model.pt shared:checkpoints/", "one file into a directory"),
            ("cp -r data artifacts:datasets/cats", "the contents of data into that directory"),
            ("cp -r --newer data artifacts:datasets/cats", "only what has changed"),
            ("cp -n -r s3://bucket/raw local:raw", "say how much it would be"),
            ("cp - artifacts:dump.sql < dump.sql", "from a pipe"),
        ),
        _configure_cp,
        _cp,
        "path",
        "With -r the contents of a directory land in DST, whether or not DST exists. Several\n"
        "sources land in DST under their own names. A target that exists is a failure unless\n"
        "--overwrite, --skip or --newer says otherwise; the rest is done all the same.",
    ),
    Command(
        "mv",
        "Move files and directories; inside one tier it is a rename",
        (
            ("mv local:run-7 artifacts:runs/7", "the contents of a directory"),
            ("mv shared:a.csv shared:old/a.csv", "one file"),
        ),
        _configure_mv,
        _mv,
        "path",
        "Each file is verified at its target before the source is deleted.",
    ),
    Command(
        "zip",
        "Put files and directories into one zip, as a stream",
        (
            ("zip shared:experiments/42 -o 42.zip", "to this machine"),
            ("zip shared:a shared:b.csv -o artifacts:both.zip", "to a tier"),
        ),
        _configure_zip,
        _zip,
        "path",
    ),
)
