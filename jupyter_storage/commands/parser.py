"""The one parser: from words to a command and its arguments.

Each command has a parser of its own, made when it is needed, so that one command does not pay for
the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from jupyter_storage.commands.command import Command
from jupyter_storage.errors import InvalidRequest

__all__ = ["NAMES", "HelpShown", "Invocation", "command", "parse", "parser_of"]

_GROUPS = {
    "tiers": ("tiers", "env"),
    "files": ("ls", "stat", "cat", "head", "mkdir", "url"),
    "transfers": ("cp", "mv", "zip"),
    "removal": ("rm",),
    "usage": ("usage", "advise"),
    "trash": ("trash list", "trash restore", "trash empty"),
    "sync": ("sync", "mirror"),
    "checking": ("check",),
    "cleanup": ("cleanup",),
    "bench": ("bench",),
    "search": ("du", "find"),
    "diagnosis": ("doctor",),
    "snapshots": (
        "snapshot now",
        "snapshot list",
        "snapshot restore",
        "snapshot clone",
        "snapshot takeover",
        "snapshot status",
        "snapshot env",
    ),
    "versions": ("snapshot show", "snapshot diff", "snapshot versions", "snapshot cat"),
    "upkeep": (
        "snapshot pin",
        "snapshot unpin",
        "snapshot name",
        "snapshot forget",
        "snapshot prune",
        "snapshot check",
        "snapshot repair",
    ),
    "keys": ("snapshot key",),
    "storages": ("apply", "storages", "storages delete"),
    "mounts": ("mount", "unmount", "flush", "mounts"),
    "experiments": (
        "experiments list",
        "experiments show",
        "experiments best",
        "experiments fetch",
        "experiments rm",
    ),
    "scripts": ("completion",),
}
_MODULES = {name: group for group, names in _GROUPS.items() for name in names}

NAMES = (
    "tiers",
    "ls",
    "cp",
    "mv",
    "sync",
    "check",
    "rm",
    "mkdir",
    "cat",
    "head",
    "stat",
    "du",
    "find",
    "url",
    "zip",
    *_GROUPS["usage"],
    *_GROUPS["trash"],
    *_GROUPS["storages"],
    *_GROUPS["mounts"],
    *_GROUPS["snapshots"],
    *_GROUPS["versions"],
    *_GROUPS["upkeep"],
    *_GROUPS["keys"],
    *_GROUPS["experiments"],
    "env",
    "bench",
    "cleanup",
    "doctor",
    "completion",
)
"""All commands, in the order in which help shows them."""

_ABOUT = """\
Storage tiers, fast transfers and snapshots of the workspace.

A path is 'tier:relative/path' (shared:checkpoints/m.pt), a URI (s3://bucket/key, gs://…) or a
local path."""


class HelpShown(Exception):
    """Help or the version was printed, and nothing is left to do."""


@dataclass(frozen=True)
class Invocation:
    """A command with its arguments."""

    command: Command
    arguments: argparse.Namespace


class _Parser(argparse.ArgumentParser):
    """Raises what people are told, in place of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(
            message[:1].upper() + message[1:], hint=f"See '{self.prog} --help' for examples."
        )

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown


def command(name: str) -> Command:
    """Load one command by its name."""
    module = import_module(f"jupyter_storage.commands.{_MODULES[name]}")
    found: Command = next(each for each in module.COMMANDS if each.name == name)
    return found


def parse(words: Sequence[str], *, program: str) -> Invocation:
    """Read a command.

    Parameters
    ----------
    words : sequence of str
        Without the program's name.
    program : str
        How a person calls it, for help and errors.

    Returns
    -------
    Invocation

    Raises
    ------
    InvalidRequest
        If it cannot be understood.
    HelpShown
        After ``--help`` or ``--version``.
    """
    early, rest = _split(words)
    helping = not rest or "-h" in early or "--help" in early
    chosen = _top(program, described=helping).parse_args(early)
    if not rest:
        print(_top(program, described=True).format_help())
        raise HelpShown
    name, rest = _name(rest, program)
    loaded = command(name)
    parser = parser_of(loaded, program)
    words_end = rest.index("--") if "--" in rest else len(rest)
    ran = rest[words_end + 1 :] if loaded.runs else []
    if loaded.runs:
        rest = rest[:words_end]
    if {"-h", "--help"} & set(rest[:words_end]):
        # Reading intermixed, argparse would take the '%' of '%storage' for a format.
        parser.print_help()
        raise HelpShown
    # Options may stand anywhere, also between paths; unless '--' says that they end.
    read = parser.parse_args if "--" in rest else parser.parse_intermixed_args
    arguments = read(rest)
    arguments.program = ran
    arguments.quiet = arguments.quiet or chosen.quiet
    arguments.debug = arguments.debug or chosen.debug
    return Invocation(loaded, arguments)


def parser_of(loaded: Command, program: str) -> argparse.ArgumentParser:
    """Make the parser of one command."""
    parser = _Parser(
        prog=f"{program} {loaded.name}",
        description="\n\n".join(filter(None, [loaded.summary + ".", loaded.description])),
        epilog=_examples(loaded.examples, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    loaded.configure(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    _add_general(parser)
    return parser


def _add_general(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes")
    parser.add_argument("--debug", action="store_true", help="log everything, show tracebacks")


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options before the command, and the rest."""
    for position, word in enumerate(words):
        if not word.startswith("-"):
            return list(words[:position]), list(words[position:])
    return list(words), []


def _top(program: str, *, described: bool) -> argparse.ArgumentParser:
    # Describing loads every command, which one that is about to run need not wait for.
    lines = [f"  {name:<18}{command(name).summary}" for name in NAMES] if described else []
    parser = _Parser(
        prog=program,
        usage=f"{program} [-h] [--version] [-q] [--debug] [--JupyterStorage.OPTION=VALUE] "
        "COMMAND …",
        description=_ABOUT + "\n\ncommands:\n" + "\n".join(lines),
        epilog=_examples(
            (
                ("tiers", "every storage that you have"),
                ("cp -r data artifacts:datasets/cats", "copy a directory to object storage"),
                ("--JupyterStorage.root=/data tiers", "with another configuration"),
                ("cp --help", "more about one command"),
            ),
            program,
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    _add_general(parser)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"jupyter_storage {version('jupyter_storage')}")
        parser.exit()


def _name(words: list[str], program: str) -> tuple[str, list[str]]:
    first = words[0]
    second = [name.partition(" ")[2] for name in NAMES if name.startswith(f"{first} ")]
    if not second:
        if first in _MODULES:
            return first, words[1:]
        raise _unknown(first, [name.partition(" ")[0] for name in NAMES], program)
    if len(words) > 1 and words[1] in second:
        return f"{first} {words[1]}", words[2:]
    if first in _MODULES:
        return first, words[1:]
    if len(words) > 1 and words[1] in {"-h", "--help"}:
        print(_group_help(first, program))
        raise HelpShown
    if len(words) == 1:
        raise InvalidRequest(f"'{first}' needs one more word", hint=f"One of: {', '.join(second)}.")
    raise _unknown(f"{first} {words[1]}", [f"{first} {word}" for word in second], program)


def _group_help(group: str, program: str) -> str:
    names = [name for name in NAMES if name.startswith(f"{group} ")]
    lines = [f"  {name:<18}{command(name).summary}" for name in names]
    return (
        f"usage: {program} {group} COMMAND …\n\ncommands:\n"
        + "\n".join(lines)
        + f"\n\nMore about one: {program} {names[0]} --help"
    )


def _unknown(word: str, known: list[str], program: str) -> InvalidRequest:
    from difflib import get_close_matches

    close = get_close_matches(word, known, 1)
    hint = f"Did you mean '{close[0]}'?" if close else f"See '{program} --help'."
    return InvalidRequest(f"There is no command '{word}'", hint=hint)


def _examples(examples: Sequence[tuple[str, str]], program: str) -> str:
    lines = []
    for words, purpose in examples:
        line = words if words.startswith("eval") else f"{program} {words}"
        lines.append(f"  {line}\n      {purpose}")
    return "examples:\n" + "\n".join(lines)
