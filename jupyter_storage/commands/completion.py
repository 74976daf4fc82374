"""What may stand where the cursor is: commands, options, tiers and paths."""

from __future__ import annotations

import argparse
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from jupyter_storage.commands.parser import NAMES, command, parser_of
from jupyter_storage.commands.session import Session

__all__ = ["candidates", "escape", "last_word", "split"]

LIMIT = 1.0  # seconds that a person waits for a suggestion
MOST = 500

_SPECIAL = re.compile(r"([\s\"'$&|;<>()*?\[\]#!`{}\\])")


def split(line: str) -> list[str]:
    """Split a line that is still being typed; its last word may be empty or lack a quote."""
    words, word, quote, escaped, inside = [], "", "", False, False
    for letter in line:
        if escaped:
            word, escaped = word + letter, False
        elif letter == "\\" and quote != "'":
            escaped = inside = True
        elif quote:
            quote, word = ("", word) if letter == quote else (quote, word + letter)
        elif letter in "\"'":
            quote, inside = letter, True
        elif letter.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        else:
            word, inside = word + letter, True
    return [*words, word]


def last_word(line: str) -> str:
    """The word at the cursor, as it is typed: with its quotes and backslashes."""
    start = 0
    quote, escaped = "", False
    for position, letter in enumerate(line):
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter.isspace():
            start = position + 1
    return line[start:]


def escape(word: str) -> str:
    """Write a word so that a shell, or the magic, reads it as one."""
    return _SPECIAL.sub(r"\\\1", word)


def candidates(words: list[str], session: Session) -> list[str]:
    """Say what the last word may become.

    Parameters
    ----------
    words : list of str
        After the program's name; the last one is the beginning of a word, maybe empty.
    session : Session
        Opens the tiers.

    Returns
    -------
    list of str
        Whole words; those that are complete end in a space, directories in a slash. Whatever
        goes wrong, or takes more than a second, gives none.
    """
    *before, word = words
    before = [each for each in before if not each.startswith("--JupyterStorage.")]
    while before and before[0].startswith("-"):
        before = before[1:]
    found: list[str] = []
    thread = threading.Thread(
        target=_collect, args=(found, before, word, session), daemon=True, name="storage-completion"
    )
    thread.start()
    thread.join(LIMIT)
    return found[:MOST]


def _collect(found: list[str], before: list[str], word: str, session: Session) -> None:
    try:
        for candidate in _suggest(before, word, session):
            if candidate.startswith(word):
                found.append(candidate)
            if len(found) >= MOST:
                return
    except Exception:
        # Nobody asked a question that could be answered with an error, of whatever kind.
        found.clear()


def _suggest(before: list[str], word: str, session: Session) -> Iterator[str]:
    if not before:
        yield from sorted({f"{name.partition(' ')[0]} " for name in NAMES})
        if word.startswith("-"):
            yield from ("--help ", "--version ", "--quiet ", "--debug ")
        return
    seconds = [name.partition(" ")[2] for name in NAMES if name.startswith(f"{before[0]} ")]
    if seconds and len(before) == 1:
        yield from (f"{second} " for second in seconds)
        return
    name = " ".join(before[:2]) if seconds else before[0]
    if name not in NAMES:
        return
    loaded = command(name)
    parser = parser_of(loaded, "")
    if word.startswith("-"):
        for action in parser._actions:
            if action.help != argparse.SUPPRESS:
                yield from (f"{option} " for option in action.option_strings if option[1] == "-")
        return
    value = _option_before(parser, before)
    if value is not None and value.choices:
        yield from (f"{choice} " for choice in value.choices)
    elif value is not None and value.dest in {"project", "target"}:
        yield from _local(word)
    elif value is not None and value.dest != "output":
        return
    elif loaded.completes == "tier":
        yield from (f"{tier} " for tier in session.service().tier_names())
    elif loaded.completes == "path" or value is not None:
        yield from _paths(word, session)
    else:
        for action in parser._actions:
            if not action.option_strings and action.choices:
                yield from (f"{choice} " for choice in action.choices)


def _option_before(parser: argparse.ArgumentParser, before: list[str]) -> argparse.Action | None:
    for action in parser._actions:
        if before[-1] in action.option_strings and action.nargs != 0:
            return action
    return None


def _paths(word: str, session: Session) -> Iterator[str]:
    service = session.service()
    tier, colon, _ = word.partition(":")
    if not colon:
        yield from (f"{name}:" for name in service.tier_names())
        yield from _local(word)
        return
    if tier not in service.tier_names() and "://" not in word:
        yield from _local(word)
        return
    cut = max(word.rfind("/"), word.find(":")) + 1
    directory = word[:cut]
    if directory.endswith("://"):
        return
    for entry in service.list(directory, limit=1000).entries:
        yield f"{directory}{entry.name}" + ("/" if entry.is_directory else " ")


def _local(word: str) -> Iterator[str]:
    directory, slash, begin = word.rpartition("/")
    where = Path(directory or (slash or ".")).expanduser()
    for path in sorted(where.iterdir()):
        if path.name.startswith(".") and not begin.startswith("."):
            continue
        yield directory + slash + path.name + ("/" if path.is_dir() else " ")
