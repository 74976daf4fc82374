"""Whether two directories are the same: check."""

from __future__ import annotations

import argparse

from jupyter_storage.commands.command import Command, Context, add_jobs
from jupyter_storage.commands.results import Outcome
from jupyter_storage.commands.sync import add_filters
from jupyter_storage.commands.transfers import add_engine, follow, hire
from jupyter_storage.transfers.sync import SyncOptions

__all__ = ["COMMANDS"]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help="directory that is as it should be")
    parser.add_argument("destination", metavar="DST", help="directory that is compared with it")
    parser.add_argument("--one-way", action="store_true", help="DST may have more")
    add_filters(parser)
    add_jobs(parser)
    add_engine(parser)


def _check(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(concurrency=arguments.jobs)
    source, destination = arguments.source, arguments.destination
    options = SyncOptions(includes=tuple(arguments.include), excludes=tuple(arguments.exclude))
    crew = hire(service, arguments, [source], destination, context)
    return follow(
        service,
        lambda: service.check(source, destination, options, one_way=arguments.one_way, crew=crew),
        "Checking",
        context,
    )


COMMANDS = (
    Command(
        "check",
        "Say whether two directories hold the same files; changes nothing",
        (
            ("check data artifacts:datasets/cats", "after a copy: every file, by content"),
            ("check --one-way --exclude '*.tmp' data shared:data", "the other may have more"),
        ),
        _configure,
        _check,
        "path",
        "Where both sides know checksums of one kind, these are compared, and nothing is read.\n"
        "The exit status is 1 if anything differs or is missing.",
    ),
)
