"""How fast a tier is: bench."""

from __future__ import annotations

import argparse

from jupyter_storage.commands.command import Command, Context, add_jobs, positive, refuse, size
from jupyter_storage.commands.rendering import human_size
from jupyter_storage.commands.results import Outcome, Record
from jupyter_storage.records import Bench

__all__ = ["COMMANDS"]

_LARGE = 256 * 10**6  # bytes
_FILES = 200


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="a tier, or a directory in one")
    parser.add_argument(
        "--size",
        type=size,
        default=_LARGE,
        metavar="SIZE",
        help="of the large file; default: 256MB",
    )
    parser.add_argument(
        "--files", type=positive, default=_FILES, metavar="N", help="small ones; default: 200"
    )
    add_jobs(parser)


def _bench(arguments: argparse.Namespace, context: Context) -> Outcome:
    if not arguments.size:
        raise refuse("A file of no bytes tells nothing", "Write --size 100MB.")
    context.face.note(
        f"Writing and reading {human_size(arguments.size)} and {arguments.files:,} small files in "
        f"{arguments.path} …"
    )
    service = context.service(concurrency=arguments.jobs)
    found = service.bench(arguments.path, size=arguments.size, files=arguments.files)
    return Outcome(Record(found, text=_text(found)))


def _text(found: Bench) -> str:
    lines = (
        ("write a large file", f"{human_size(found.written_per_second)}/s"),
        ("read a large file", f"{human_size(found.read_per_second)}/s"),
        ("write small files", f"{found.files_written_per_second:,.0f} a second"),
        ("read small files", f"{found.files_read_per_second:,.0f} a second"),
        ("list", f"{found.files_listed_per_second:,.0f} files a second"),
        ("one request", f"{found.request_seconds * 1000:.1f} ms"),
    )
    return "\n".join(f"{what:<20}{figure}" for what, figure in lines) + f"\n\n{found.sentence}"


COMMANDS = (
    Command(
        "bench",
        "Try out how fast a tier is, and what its limit is",
        (
            ("bench shared:", "one large file, and 200 small ones"),
            ("bench --size 2GB --files 1000 artifacts:", "more of both"),
        ),
        _configure,
        _bench,
        "path",
        "It works in a directory of its own, 'jupyter-storage-bench-…', which is deleted at the\n"
        "end. What is read is compared with what was written.",
    ),
)
