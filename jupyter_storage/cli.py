"""The command ``jupyter storage``: words in, text and an exit status out."""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice, takewhile
from typing import TYPE_CHECKING, Any, BinaryIO

from jupyter_storage.commands import rendering
from jupyter_storage.commands.command import Context
from jupyter_storage.commands.parser import HelpShown, parse
from jupyter_storage.commands.results import Outcome, Record, Stream, Table, Text, to_json
from jupyter_storage.commands.session import session, split_options
from jupyter_storage.errors import StorageError
from jupyter_storage.records import Failure, TransferRecord, to_wire
from jupyter_storage.redact import RedactingFilter, redact

if TYPE_CHECKING:
    from traitlets.config import Config

__all__ = ["Shell", "main"]

PROGRAM = "jupyter storage"
BLOCK = 1000  # rows of which a table's widths are taken
LISTED = 20  # failures that are written out; --json has more
INTERRUPTED = 130
BROKEN_PIPE = 141


class Shell:
    """A terminal, or a pipe in its place."""

    program = PROGRAM

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[TransferRecord], None]]:
        """Draw a bar on standard error, if that is a terminal."""
        if self._quiet or not sys.stderr.isatty():
            yield lambda record: None
            return
        from jupyter_storage.commands.bars import bar

        with bar(title) as show:
            yield show

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        if not self._quiet:
            print(text, file=sys.stderr)

    def ask(self, question: str) -> bool | None:
        """Ask on the terminal."""
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        print(rendering.clean(question), end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def input(self) -> BinaryIO:
        """Standard input."""
        return sys.stdin.buffer

    def output(self) -> BinaryIO | None:
        """Standard output."""
        sys.stdout.flush()
        return sys.stdout.buffer


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    words : sequence of str, optional
        ``sys.argv[1:]`` unless told.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed in part or whole, 2 unusable arguments, 130 interrupted.
    """
    words = list(sys.argv[1:] if words is None else words)
    # At its end the interpreter would search all that it has loaded for garbage: a seventh of the
    # processor's time of a listing.
    atexit.register(gc.freeze)
    if words[:1] == ["__complete"]:
        return _complete(words)
    debug = "--debug" in takewhile(lambda word: word != "--", words)
    _prepare(debug)
    status = 1
    try:
        try:
            status = _run(words)
        finally:
            session.close()
        sys.stdout.flush()
    except HelpShown:
        return 0
    except BrokenPipeError:
        # Whoever read has enough; a second attempt at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except StorageError as error:
        if debug:
            logging.getLogger(__name__).debug("The command failed", exc_info=True)
        _complain(_failure(error))
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _complain(Failure("", "StorageError", f"{where}{error.strerror or error}", ""))
        return 1
    except Exception as error:
        if debug:
            raise
        message = redact(f"An unexpected error: {type(error).__name__}: {error}")
        _complain(Failure("", "StorageError", message, "Run it again with --debug for details."))
        return 1
    return status


def _run(words: list[str]) -> int:
    rest, options = split_options(words)
    invocation = parse(rest, program=PROGRAM)
    return _execute(invocation.command.run, invocation.arguments, options)


def _execute(
    run: Callable[[argparse.Namespace, Context], Outcome],
    arguments: argparse.Namespace,
    options: Config | None,
) -> int:
    face = Shell(quiet=arguments.quiet)
    outcome = run(arguments, Context(face, session, options))
    _show(outcome, as_json=arguments.json, quiet=arguments.quiet)
    sys.stdout.flush()
    if not arguments.quiet:
        for note in outcome.notes[:LISTED]:
            print(f"Passed over: {_place(note)}{note.message}", file=sys.stderr)
    _complain(*outcome.failures[:LISTED])
    more = outcome.failure_count - min(LISTED, len(outcome.failures))
    if more > 0:
        print(f"… and {more:,} more failures; --json lists more of them.", file=sys.stderr)
    return outcome.status


def _show(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    value = outcome.value
    if value is None:
        if as_json and outcome.failures:
            print("[]")
        return
    if isinstance(value, Stream):
        _stream_json(value) if as_json else _stream_text(value)
    elif as_json:
        print(to_json(value.wire()))
    elif isinstance(value, Text):
        print(value, end="" if value.endswith("\n") else "\n")
    elif isinstance(value, Table):
        print(value if value else "Nothing here.")
    elif isinstance(value, Record) and not (quiet and value.is_sentence):
        print(value)


def _stream_text(stream: Stream) -> None:
    line = stream.line
    if line is not None:
        coloured = _coloured()
        _print_lines(_colour(line(row), row) if coloured else line(row) for row in stream.rows)
        return
    records = stream.records()
    sizes: list[int] = []
    while block := list(islice(records, BLOCK)):
        if not sizes:
            sizes = rendering.widths(block, stream.columns)
            print(rendering.header_text(stream.columns, sizes))
        for record in block:
            print(rendering.row_text(record, stream.columns, sizes))


def _print_lines(lines: Iterator[str]) -> None:
    """Print one after the other to a terminal; else many at once, which is much less work."""
    most = 1 if sys.stdout.isatty() else BLOCK
    waiting: list[str] = []
    try:
        for line in lines:
            waiting.append(line)
            if len(waiting) >= most:
                print("\n".join(waiting))
                waiting.clear()
    finally:
        if waiting:
            print("\n".join(waiting))


def _stream_json(stream: Stream) -> None:
    """Write a list as its members come; it is whole JSON even where it ends with an error."""
    rows = stream.rows
    begun = False
    try:
        for row in rows:
            print("," if begun else "[", end="\n" if begun else "")
            begun = True
            print(json.dumps(to_wire(row)), end="")
    finally:
        print("]" if begun else "[]")


def _coloured() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def _colour(line: str, row: Any) -> str:
    kind = getattr(row, "type", None)
    if kind == "directory":
        return f"\x1b[1;34m{line}\x1b[0m"
    if kind == "symlink":
        return f"\x1b[36m{line}\x1b[0m"
    return line


def _failure(error: StorageError) -> Failure:
    message = error.message
    if error.path and error.path in message:
        return Failure("", error.kind, message, error.hint)
    return Failure(error.path or "", error.kind, message, error.hint)


def _complain(*failures: Failure) -> None:
    """Say on standard error what happened to which file, and once for all in a row what to do."""
    sys.stdout.flush()
    for hint, alike in groupby(failures, key=lambda failure: failure.hint):
        for failure in alike:
            line = f"Error: {_place(failure)}{rendering.clean(failure.message)}"
            print(redact(line), file=sys.stderr)
        if hint:
            print(redact(f"  → {rendering.clean(hint)}"), file=sys.stderr)


def _place(failure: Failure) -> str:
    return f"{rendering.clean(failure.path)}: " if failure.path else ""


def _prepare(debug: bool) -> None:
    """Keep libraries' own noise from people, unless they ask for it."""
    for stream in (sys.stdout, sys.stderr):
        # Names are bytes on disk: one that is no text must not break a listing.
        if hasattr(stream, "reconfigure"):
            utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    if debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
        for handler in logging.getLogger().handlers:
            handler.addFilter(RedactingFilter())
        return
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.unraisablehook = _ignore


def _ignore(_: Any) -> None:
    """Say nothing of what libraries leave behind when the process ends."""


def _complete(words: list[str]) -> int:
    """Answer a shell's script: ``__complete --raw|--escaped|--after-colon -- LINE``."""
    from jupyter_storage.commands.completion import candidates, escape, last_word, split

    _prepare(debug=False)
    form, line = words[1], words[-1]
    typed = split(line)[1:]
    if line.lstrip().startswith("jupyter ") and typed[:1] == ["storage"]:
        typed = typed[1:]
    start = last_word(line).rfind(":") + 1 if form == "--after-colon" else 0
    for candidate in candidates(typed or [""], session):
        bare = candidate.rstrip(" ")
        # Shells other than bash escape by themselves.
        print(bare if form == "--raw" else escape(bare)[start:] + candidate[len(bare) :])
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
