"""One directory made like another: sync."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import Column, clean, human_size, plural
from jupyter_storage.commands.results import Outcome, Stream
from jupyter_storage.commands.transfers import (
    add_common,
    add_engine,
    add_moving,
    follow,
    hire,
)
from jupyter_storage.records import Failure, SyncChange
from jupyter_storage.transfers.plan import SKIPPED
from jupyter_storage.transfers.sync import SyncOptions

__all__ = ["COMMANDS", "add_filters"]

_NAMED = 5  # files that a question names
_MARKS = {"copy": "+", "replace": "*", "move": ">", "delete": "-"}
_COLUMNS = (
    Column("action", "action"),
    Column("path", "path"),
    Column("size", "size", "size"),
)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help="directory that is as it should be")
    parser.add_argument("destination", metavar="DST", help="directory that is made like it")
    parser.add_argument(
        "--delete", action="store_true", help="delete what only DST has; asks first"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--max-delete",
        type=_limit,
        default=(None, None),
        metavar="N",
        help="delete nothing if it would be more than N files, or N%% of those in DST",
    )
    parser.add_argument(
        "--ignore-errors", action="store_true", help="delete even where files were not copied"
    )
    parser.add_argument(
        "--track-moves",
        action="store_true",
        help="rename in DST what SRC has under another name now; with --delete",
    )
    parser.add_argument(
        "--checksum", action="store_true", help="compare contents, not times; reads much"
    )
    add_filters(parser)
    add_common(parser)
    add_moving(parser)
    add_engine(parser)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what it is about."""
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="only files that match, as in .gitignore; may be given several times",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave alone what matches, on both sides",
    )


def _limit(text: str) -> tuple[int | None, float | None]:
    """Read a number of files, or a share of them."""
    number = text.removesuffix("%")
    if not number.isascii() or not number.isdigit() or (text != number and int(number) > 100):
        raise argparse.ArgumentTypeError(f"'{text}' is no limit; write 100 or 5%")
    return (int(number), None) if text == number else (None, int(number) / 100)


@dataclass
class _Totals:
    """What a sync would do, counted."""

    files: int = 0
    size: int = 0
    replaced: int = 0
    moved: int = 0
    deleted: int = 0
    lost: int = 0
    examples: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, change: SyncChange | Failure) -> None:
        if isinstance(change, Failure):
            self.failures.append(change)
        elif change.action == "delete":
            self.deleted += 1
            self.lost += change.size or 0
            if len(self.examples) < _NAMED:
                self.examples.append(change.path)
        elif change.action == "move":
            self.moved += 1
        else:
            self.files += 1
            self.size += change.size or 0
            self.replaced += change.action == "replace"

    def loss(self) -> str:
        return f"{plural(self.deleted, 'file')}, {human_size(self.lost)}"

    def text(self) -> str:
        text = f"Would copy {plural(self.files, 'file')}, {human_size(self.size)}"
        if self.replaced:
            text += f", {self.replaced:,} of them in place of another"
        if self.moved:
            text += f"; would move {plural(self.moved, 'file')} inside of the destination"
        if self.deleted:
            text += f"; would delete {self.loss()}"
        return text


def _sync(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(concurrency=arguments.jobs, bandwidth=arguments.bwlimit)
    source, destination, force = arguments.source, arguments.destination, arguments.force
    most, share = arguments.max_delete
    options = SyncOptions(
        delete=arguments.delete,
        max_delete=most,
        max_delete_share=share,
        checksum=arguments.checksum,
        includes=tuple(arguments.include),
        excludes=tuple(arguments.exclude),
        ignore_errors=arguments.ignore_errors,
        verify=arguments.verify,
        track_moves=arguments.track_moves,
    )
    needing = arguments.ignore_errors or arguments.track_moves
    if (needing or arguments.max_delete != (None, None)) and not options.delete:
        raise refuse("Without --delete nothing is deleted", "Add --delete, or leave this out.")

    def found() -> Iterator[SyncChange | Failure]:
        return service.sync_changes(source, destination, options, force=force)

    if arguments.dry_run:
        return Outcome(Stream(_shown(found(), context), _COLUMNS, _line))
    if options.delete and not arguments.yes:
        totals = _Totals()
        for change in found():
            totals.add(change)
        if totals.deleted and not _confirmed(totals, destination, context):
            context.face.note("Nothing was changed.")
            return Outcome(None, 1)
        # What comes to be too much only now was not agreed to.
        agreed = totals.deleted if most is None else min(most, totals.deleted)
        options = replace(options, max_delete=agreed)
    crew = hire(service, arguments, [source], destination, context)
    return follow(
        service,
        lambda: service.sync(source, destination, options, force=force, crew=crew),
        "Syncing",
        context,
    )


def _shown(found: Iterator[SyncChange | Failure], context: Context) -> Iterator[SyncChange]:
    totals = _Totals()
    for change in found:
        totals.add(change)
        if not isinstance(change, Failure):
            yield change
    for failed in totals.failures:
        word = "Passed over" if failed.kind == SKIPPED else "Error"
        context.face.note(f"{word}: {clean(failed.path)}: {clean(failed.message)}")
    context.face.note(totals.text())


def _line(record: SyncChange) -> str:
    line = f"{_MARKS[record.action]} {human_size(record.size):>9}  {clean(record.path)}"
    return f"{line} (from {clean(record.origin)})" if record.origin else line


def _confirmed(totals: _Totals, destination: str, context: Context) -> bool:
    names = "".join(f"\n  {path}" for path in totals.examples)
    if totals.deleted > len(totals.examples):
        names += f"\n  … and {totals.deleted - len(totals.examples):,} more"
    answer = context.face.ask(
        f"Delete {totals.loss()} that only the destination has?{names}\n"
        "They are lost for good. [y/N] "
    )
    if answer is None:
        raise refuse(
            f"{totals.loss()} would be deleted",
            "Add --yes to delete them, or --dry-run to see them.",
            path=destination,
        )
    return answer


def _configure_mirror(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="*", help=argparse.SUPPRESS)


def _mirror(arguments: argparse.Namespace, context: Context) -> Outcome:
    raise refuse(
        "There is no mirror in both directions: of two changes to a file it would lose one",
        "Say which side is right: 'sync SRC DST', with --delete to remove what SRC lacks; "
        "or 'cp -r --newer' once in each direction, which deletes nothing.",
    )


COMMANDS = (
    Command(
        "sync",
        "Make a directory like another, copying only what differs",
        (
            ("sync data artifacts:datasets/cats", "copy what is new or has changed"),
            ("sync -n --delete data shared:data", "say what would be copied and deleted"),
            ("sync --delete --max-delete 5% data shared:data", "delete the rest, if it is little"),
            ("sync --exclude '*.tmp' --exclude .cache/ . user:project", "leave some alone"),
        ),
        _configure,
        _sync,
        "path",
        "A file is unchanged if it has the same size and is not older in DST; between\n"
        "directories, if it has the same size and the same time. Nothing is deleted before\n"
        "everything was copied.",
    ),
    Command(
        "mirror",
        "Refused: say with sync which of the two sides is right",
        (("sync data shared:data", "instead"),),
        _configure_mirror,
        _mirror,
        "path",
    ),
)
