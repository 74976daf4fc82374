"""Walking through directories: du, find."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fnmatch import fnmatchcase

from jupyter_storage.commands.command import Command, Context, add_jobs, age, natural, size
from jupyter_storage.commands.files import ENTRY_COLUMNS, path_line
from jupyter_storage.commands.rendering import Column
from jupyter_storage.commands.results import Outcome, Record, Stream, Table
from jupyter_storage.commands.transfers import add_engine
from jupyter_storage.finding import with_directories
from jupyter_storage.records import Entry

__all__ = ["COMMANDS"]

_TYPES = {"f": "file", "d": "directory", "l": "symlink"}


def _configure_du(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="directories")
    parser.add_argument(
        "--depth", type=natural, default=1, metavar="N", help="levels to show; default: 1"
    )
    parser.add_argument("-s", "--summary", action="store_true", help="only the totals")
    add_jobs(parser, "directories")
    add_engine(parser)


def _du(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(concurrency=arguments.jobs)
    depth = 0 if arguments.summary else arguments.depth
    engine = arguments.engine or service.settings.engine
    counters, sentence = service.counters(engine, arguments.path)
    if sentence:
        context.face.note(sentence)
    rows = [row for path in arguments.path for row in service.sums(path, depth, counters)]
    columns = (Column("size", "size", "size"), Column("files", "files", "number"))
    return Outcome(Table([Record(row) for row in rows], (*columns, Column("path", "path"))))


def _configure_find(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="where to look")
    parser.add_argument("--name", metavar="GLOB", help="names such as '*.csv'; quote it")
    parser.add_argument("--type", choices=tuple(_TYPES), help="f: files, d: directories, l: links")
    parser.add_argument("--larger", type=size, metavar="SIZE", help="files above a size: 10MB")
    parser.add_argument(
        "--newer", type=age, metavar="AGE", help="changed in the last 2h or 3d, or since a date"
    )


def _find(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()

    def found() -> Iterator[Entry]:
        for path in arguments.path:
            top = service.stat(path)
            if not top.is_directory:
                yield from filter(wanted, [top])
                continue
            entries = service.walk(top.path, together=True)
            if service.local_path(top.path) is None:
                entries = with_directories(top.path, entries)
            yield from filter(wanted, entries)

    def wanted(entry: Entry) -> bool:
        if arguments.type and entry.type != _TYPES[arguments.type]:
            return False
        if arguments.name and not fnmatchcase(entry.name, arguments.name):
            return False
        if arguments.larger is not None and (entry.size is None or entry.size <= arguments.larger):
            return False
        if arguments.newer is None:
            return True
        return entry.modified is not None and entry.modified > arguments.newer

    return Outcome(Stream(found(), ENTRY_COLUMNS, path_line))


COMMANDS = (
    Command(
        "du",
        "Say how much lies in a directory, the largest first",
        (
            ("du shared:", "what is in it, level by level"),
            ("du --depth 2 artifacts:datasets", "two levels"),
            ("du -s local: user:", "only the totals"),
        ),
        _configure_du,
        _du,
        "path",
    ),
    Command(
        "find",
        "Find files by name, type, size or age",
        (
            ("find shared: --name '*.ckpt' --larger 1GB", "large checkpoints"),
            ("find artifacts: --newer 2h --type f", "what came in the last two hours"),
        ),
        _configure_find,
        _find,
        "path",
    ),
)
