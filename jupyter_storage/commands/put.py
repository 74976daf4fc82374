"""What only a notebook has: a cell's body written to a file."""

from __future__ import annotations

import argparse

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.parser import Invocation, parser_of
from jupyter_storage.commands.rendering import human_size
from jupyter_storage.commands.results import Outcome, Record
from jupyter_storage.commands.transfers import write
from jupyter_storage.errors import InvalidRequest

__all__ = ["PUT", "parse_put"]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace it if it exists")
    parser.add_argument("--force", action="store_true", help="also where system data is")
    parser.set_defaults(cell="")


def _put(arguments: argparse.Namespace, context: Context) -> Outcome:
    entry = write(
        context.service(),
        arguments.path,
        [arguments.cell.encode()],
        exclusive=not arguments.overwrite,
        force=arguments.force,
    )
    return Outcome(Record(entry, text=f"Wrote {entry.path}, {human_size(entry.size)}"))


PUT = Command(
    "put",
    "Write the cell's body to a file",
    (("put shared:notes/todo.md", "the lines below, as they are"),),
    _configure,
    _put,
    "path",
)


def parse_put(words: list[str], cell: str, *, program: str) -> Invocation:
    """Read the line of ``%%storage put``.

    Raises
    ------
    InvalidRequest
        If it is another command, which takes no body.
    """
    if words[:1] != ["put"] and words[:1] not in (["-h"], ["--help"]):
        raise InvalidRequest(
            "A cell's body can only be put", hint="Write '%%storage put PATH' above it."
        )
    arguments = parser_of(PUT, program).parse_args(words[1:] if words[0] == "put" else words)
    arguments.cell = cell
    return Invocation(PUT, arguments)
