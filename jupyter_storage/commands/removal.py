"""Deleting many files: rm."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.files import ENTRY_COLUMNS, path_line
from jupyter_storage.commands.rendering import human_size, plural
from jupyter_storage.commands.results import Outcome, Stream
from jupyter_storage.commands.transfers import add_common, follow
from jupyter_storage.errors import IsADirectory
from jupyter_storage.records import Entry

if TYPE_CHECKING:
    from jupyter_storage.service import Service

__all__ = ["COMMANDS"]


def _configure_rm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="what to delete")
    parser.add_argument("-r", "-R", "--recursive", action="store_true", help="whole directories")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--trash", action="store_true", help="into the trash, from which 'trash restore' brings it"
    )
    add_common(parser)


def _rm(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(concurrency=arguments.jobs)
    entries = [service.stat(path) for path in arguments.path]
    directories = [entry for entry in entries if entry.is_directory]
    if directories and not arguments.recursive:
        raise IsADirectory("It is a directory", path=directories[0].path)
    if arguments.dry_run:
        return Outcome(Stream(_doomed(service, entries), ENTRY_COLUMNS, path_line))
    if arguments.trash:
        if arguments.force:
            raise refuse("System data has no trash", "Leave out --trash, or --force.")
        return follow(service, lambda: service.trash(arguments.path), "Deleting", context)
    if directories and not arguments.yes and not _confirmed(service, entries, context):
        context.face.note("Nothing was deleted.")
        return Outcome(None, 1)
    return follow(
        service,
        lambda: service.remove(
            arguments.path, recursive=arguments.recursive, force=arguments.force
        ),
        "Deleting",
        context,
    )


def _doomed(service: Service, entries: Sequence[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if entry.is_directory:
            yield from service.walk(entry.path)
        yield entry


def _confirmed(service: Service, entries: Sequence[Entry], context: Context) -> bool:
    files = total = 0
    for entry in _doomed(service, entries):
        if not entry.is_directory:
            files += 1
            total += entry.size or 0
    loss = f"{plural(files, 'file')}, {human_size(total)}"
    names = ", ".join(entry.path for entry in entries[:3]) + (", …" if len(entries) > 3 else "")
    answer = context.face.ask(f"Delete {names} with {loss}? They are lost for good. [y/N] ")
    if answer is None:
        raise refuse(
            f"{loss} would be lost",
            "Add --yes to delete them, or --dry-run to see them.",
            path=names,
        )
    return answer


COMMANDS = (
    Command(
        "rm",
        "Delete files, or with -r whole directories",
        (
            ("rm shared:old.csv", "one file"),
            ("rm -r local:scratch", "asks first, saying what will be lost"),
            ("rm -r -y local:scratch", "does not ask, for scripts"),
            ("rm -r -n local:scratch", "list what would be lost"),
            ("rm -r --trash shared:old", "can be undone: trash restore latest"),
        ),
        _configure_rm,
        _rm,
        "path",
        "Exactly what is named is deleted: 'data' never means 'data2' or 'data.bak'.",
    ),
)
