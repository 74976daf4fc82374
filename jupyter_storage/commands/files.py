"""Looking at files and changing single ones: ls, stat, cat, head, mkdir, url."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jupyter_storage.commands.command import Command, Context, expiry, natural, size
from jupyter_storage.commands.rendering import Column, clean, human_size, human_time
from jupyter_storage.commands.results import Outcome, Record, Stream, Text
from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.records import Entry, Failure
from jupyter_storage.redact import redact

if TYPE_CHECKING:
    from jupyter_storage.service import Service

__all__ = ["COMMANDS", "ENTRY_COLUMNS"]

SHOWN = 10 * 2**20  # bytes that `cat` puts into a notebook
FIRST_PAGE = 1000  # entries; a person soon sees something
LARGEST_PAGE = 32_000

ENTRY_COLUMNS = (
    Column("path", "path"),
    Column("type", "type"),
    Column("size", "size", "size"),
    Column("modified", "modified", "time"),
)


def name_line(record: Entry) -> str:
    """Write an entry as its name, a directory with a slash."""
    return clean(record.name) + ("/" if record.type == "directory" else "")


def path_line(record: Entry) -> str:
    """Write an entry as its path, a directory with a slash."""
    slash = record.type == "directory" and not record.path.endswith(("/", ":"))
    return clean(record.path) + ("/" if slash else "")


def long_line(record: Entry, name: str) -> str:
    """Write an entry as its type, size, time and name."""
    link = f" -> {clean(record.link)}" if record.link else ""
    kind = {"directory": "d", "symlink": "l"}.get(record.type, "-")
    return f"{kind} {human_size(record.size):>9}  {human_time(record.modified):19}  {name}{link}"


def _configure_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="*", help="file or directory; without one: the tiers")
    parser.add_argument("-l", "--long", action="store_true", help="with type, size and time")
    parser.add_argument(
        "-r", "-R", "--recursive", action="store_true", help="everything below, with paths"
    )
    parser.add_argument(
        "--sort", choices=("name", "size", "modified"), default="name", help="default: name"
    )
    parser.add_argument("--reverse", action="store_true", help="turn the order round")


def _ls(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    whole = arguments.recursive or len(arguments.path) > 1 or not arguments.path
    failures: list[Failure] = []
    rows = _listed(service, arguments, failures)
    first = list(_take_one(rows))
    if failures and not first:
        # A single path that is wrong is the command's own failure.
        return Outcome(None, 1, tuple(failures), len(failures))

    def line(record: Entry) -> str:
        name = path_line(record) if whole else name_line(record)
        return long_line(record, name) if arguments.long else name

    def entries() -> Iterator[Entry]:
        yield from first
        yield from rows
        if failures:
            raise _Failed(failures)

    return Outcome(Stream(entries(), ENTRY_COLUMNS, line))


class _Failed(StorageError):
    """Some of the paths could not be listed; the others were."""

    def __init__(self, failures: list[Failure]) -> None:
        first = failures[0]
        super().__init__(first.message, path=first.path, hint=first.hint)
        self.failures = tuple(failures)


def _take_one(rows: Iterator[Entry]) -> Iterator[Entry]:
    for row in rows:
        yield row
        return


def _listed(
    service: Service, arguments: argparse.Namespace, failures: list[Failure]
) -> Iterator[Entry]:
    if not arguments.path:
        for name in service.tier_names():
            yield Entry(f"{name}:", name, "directory")
        return
    for path in arguments.path:
        try:
            yield from _entries(service, path, arguments)
        except StorageError as error:
            if len(arguments.path) == 1:
                raise
            failures.append(failure_of(error, path))


def failure_of(error: StorageError, path: str) -> Failure:
    """Make a failure of an error."""
    return Failure(error.path or path, error.kind, redact(error.message), redact(error.hint))


def _entries(service: Service, path: str, arguments: argparse.Namespace) -> Iterator[Entry]:
    entry = service.stat(path)
    if not entry.is_directory:
        yield entry
        return
    if arguments.recursive:
        below = service.walk(path)
        if arguments.sort == "name" and not arguments.reverse:
            yield from below
            return
        yield from sorted(below, key=_order(arguments.sort), reverse=arguments.reverse)
        return
    cursor: str | None = None
    limit = FIRST_PAGE
    while True:
        page = service.list(
            path,
            cursor=cursor,
            limit=limit,
            sort=arguments.sort,
            descending=arguments.reverse,
        )
        yield from page.entries
        cursor = page.cursor
        if cursor is None:
            return
        # A directory of this machine is read anew for each page: fewer of them cost less.
        limit = min(2 * limit, LARGEST_PAGE)


def _order(field: str) -> Any:
    if field == "size":
        return lambda entry: (entry.size or 0, entry.path)
    if field == "modified":
        return lambda entry: (entry.modified.timestamp() if entry.modified else 0.0, entry.path)
    return lambda entry: entry.path


def _configure_stat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="file or directory")


def _stat(arguments: argparse.Namespace, context: Context) -> Outcome:
    return Outcome(Record(context.service().stat(arguments.path)))


def _configure_cat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="files, one after the other")


def _cat(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    output = None if arguments.json else context.face.output()
    if output is None:
        kept, room = [], SHOWN
        for path in arguments.path:
            data = _read(service, path, room + 1)
            room -= len(data)
            if room < 0:
                raise InvalidRequest(
                    f"There are more than {human_size(SHOWN)} to show",
                    path=path,
                    hint="Look at its beginning with 'head', or open it in code: "
                    "jupyter_storage.open(…).",
                )
            kept.append(data)
        return Outcome(_content(" ".join(arguments.path), b"".join(kept)))
    for path in arguments.path:
        with service.open(path) as pieces:
            for piece in pieces:
                output.write(piece)
    output.flush()
    return Outcome(None)


def _configure_head(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="a file")
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "-n", "--lines", type=natural, default=10, metavar="N", help="lines; default: 10"
    )
    many.add_argument("-c", "--bytes", type=size, metavar="SIZE", help="bytes (100, 4kB)")


def _head(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    if arguments.bytes is not None:
        data = _read(service, arguments.path, arguments.bytes)
    else:
        data = _lines(service, arguments.path, arguments.lines)
    output = None if arguments.json else context.face.output()
    if output is None:
        return Outcome(_content(arguments.path, data))
    output.write(data)
    output.flush()
    return Outcome(None)


def _lines(service: Service, path: str, lines: int) -> bytes:
    kept = bytearray()
    seen = 0
    with service.open(path) as pieces:
        for piece in pieces:
            for line in bytes(piece).splitlines(keepends=True):
                if seen == lines:
                    return bytes(kept)
                kept += line
                seen += line.endswith(b"\n")
    return bytes(kept)


def _read(service: Service, path: str, length: int) -> bytes:
    with service.open(path, length=length) as pieces:
        return b"".join(pieces)


def _content(path: str, data: bytes) -> Text:
    try:
        text, encoding = data.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(data).decode(), "base64"
    wire = {"path": path, "size": len(data), "encoding": encoding, "content": text}
    return Text(data.decode(errors="replace"), wire)


def _configure_mkdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="directories; those above them are made too")


def _mkdir(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    made = [service.make_directory(path) for path in arguments.path]
    return Outcome(Stream(iter(made), ENTRY_COLUMNS, path_line))


def _configure_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="a file on object storage")
    parser.add_argument(
        "--expires",
        type=expiry,
        default=3600,
        metavar="TIME",
        help="how long it works: 15m, 1h, 7d; default: 1h",
    )


def _url(arguments: argparse.Namespace, context: Context) -> Outcome:
    url = context.service().url(arguments.path, expires=arguments.expires)
    wire = {"path": arguments.path, "url": url, "expires": arguments.expires}
    return Outcome(Text(url, wire))


COMMANDS = (
    Command(
        "ls",
        "List a directory, or the tiers",
        (
            ("ls", "the names of the tiers"),
            ("ls -l shared:checkpoints", "with sizes and times"),
            ("ls -r --sort size --reverse local:", "everything below, the largest first"),
            ("ls s3://bucket/prefix --json", "as JSON, for programs"),
        ),
        _configure_ls,
        _ls,
        "path",
        "Pages come as they are read, so that a directory of a million files starts at once.",
    ),
    Command(
        "stat",
        "Show what is known of one file or directory",
        (("stat artifacts:model.pt", "size, time and checksum"),),
        _configure_stat,
        _stat,
        "path",
    ),
    Command(
        "cat",
        "Write files to standard output",
        (
            ("cat shared:run.log", "show it"),
            ("cat artifacts:a.csv artifacts:b.csv > both.csv", "put two together"),
        ),
        _configure_cat,
        _cat,
        "path",
    ),
    Command(
        "head",
        "Show the beginning of a file, reading no more than that",
        (
            ("head artifacts:data.csv", "ten lines"),
            ("head -c 1kB artifacts:data.bin", "a thousand bytes"),
        ),
        _configure_head,
        _head,
        "path",
    ),
    Command(
        "mkdir",
        "Make directories, and those above them",
        (("mkdir shared:runs/today", "nothing happens if it exists"),),
        _configure_mkdir,
        _mkdir,
        "path",
    ),
    Command(
        "url",
        "Make a link to a file that works without credentials for a while",
        (("url artifacts:report.html --expires 7d", "a link for a week"),),
        _configure_url,
        _url,
        "path",
        "Whoever has the link can read the file until it expires: treat it as a password.",
    ),
)
