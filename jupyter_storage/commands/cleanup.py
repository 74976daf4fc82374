"""Throwing away what transfers left behind: cleanup."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, expiry, refuse
from jupyter_storage.commands.files import failure_of
from jupyter_storage.commands.rendering import Column, plural
from jupyter_storage.commands.results import Outcome, Record, Stream, Table
from jupyter_storage.errors import StorageError
from jupyter_storage.records import Failure, UnfinishedUpload

if TYPE_CHECKING:
    from jupyter_storage.service import Service

__all__ = ["COMMANDS"]

_WEEK = 7 * 86_400
_COLUMNS = (Column("started", "begun", "time"), Column("path", "path"))


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="*", help="where to look; unless given: every tier")
    parser.add_argument(
        "--older",
        type=expiry,
        default=_WEEK,
        metavar="TIME",
        help="only uploads that were begun so long ago: 12h, 3d; default: 7d",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="list them, and do nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _cleanup(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    failures: list[Failure] = []
    paths = arguments.path or [f"{name}:" for name in service.tier_names()]
    oldest = datetime.now(timezone.utc) - timedelta(seconds=arguments.older)
    found = [
        upload
        for path in paths
        for upload in _found(service, path, failures)
        if upload.started is not None and upload.started < oldest
    ]
    if not found or arguments.dry_run:
        value = Stream(iter(found), _COLUMNS)
        return Outcome(value, int(bool(failures)), tuple(failures), len(failures))
    if not arguments.yes:
        question = (
            f"Throw away {plural(len(found), 'upload')} that nobody completed, such as that of "
            f"{found[0].path}? What was sent of them is lost. [y/N] "
        )
        answer = context.face.ask(question)
        if answer is None:
            raise refuse(
                f"{plural(len(found), 'upload')} would be thrown away",
                "Add --yes to do it, or --dry-run to see them.",
            )
        if not answer:
            context.face.note("Nothing was thrown away.")
            return Outcome(None, 1)
    gone = list(_thrown_away(service, found, failures))
    context.face.note(f"Threw away {plural(len(gone), 'upload')} that nobody completed.")
    table = Table([Record(upload) for upload in gone], _COLUMNS)
    return Outcome(table, int(bool(failures)), tuple(failures), len(failures))


def _found(service: Service, path: str, failures: list[Failure]) -> Iterator[UnfinishedUpload]:
    try:
        yield from service.unfinished(path)
    except StorageError as error:
        failures.append(failure_of(error, path))


def _thrown_away(
    service: Service, found: list[UnfinishedUpload], failures: list[Failure]
) -> Iterator[UnfinishedUpload]:
    for upload in found:
        try:
            service.discard(upload)
            yield upload
        except StorageError as error:
            failures.append(failure_of(error, upload.path))


COMMANDS = (
    Command(
        "cleanup",
        "Throw away uploads that nobody completed",
        (
            ("cleanup -n", "list those in every tier"),
            ("cleanup --older 1d artifacts:", "those in one tier, begun more than a day ago"),
        ),
        _configure,
        _cleanup,
        "path",
        "A large file goes to a bucket in parts. If it is cut off, the parts stay, so that the\n"
        "same command can go on; they are not seen in listings, and cost what files cost.",
    ),
)
