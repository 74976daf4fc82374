"""``%storage`` and ``%%storage put``: the command's words in a notebook.

Only names are registered when a kernel starts; everything else is imported at the first use.
"""

from __future__ import annotations

import html
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from jupyter_storage.commands.results import Outcome
    from jupyter_storage.errors import StorageError
    from jupyter_storage.records import TransferRecord

__all__ = ["Notebook", "load_ipython_extension", "storage"]

PROGRAM = "%storage"
DELAY = 0.5  # seconds before a bar appears: short transfers need none
LISTED = 20  # failures in an error


class Notebook:
    """A cell that is being run."""

    program = PROGRAM

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[TransferRecord], None]]:
        """Show a bar below the cell that moves, for whatever takes longer than a moment."""
        if self._quiet:
            yield lambda record: None
            return
        bar = _Bar(title)
        try:
            yield bar.show
        finally:
            bar.end()

    def note(self, text: str) -> None:
        """Write a line below the cell."""
        if not self._quiet:
            print(text)

    def ask(self, question: str) -> bool | None:
        """Ask nobody: 'Run all' must not wait for an answer."""
        return None

    def input(self) -> BinaryIO:
        """Refuse: a notebook has none."""
        from jupyter_storage.errors import InvalidRequest

        raise InvalidRequest(
            "A notebook has no standard input",
            path="-",
            hint="Write the cell's body: %%storage put PATH.",
        )

    def output(self) -> BinaryIO | None:
        """Give none: results are values."""
        return None


class _Bar:
    def __init__(self, title: str) -> None:
        self._title, self._begun = title, time.monotonic()
        self._handle: Any = None
        self._last = ""

    def show(self, record: TransferRecord) -> None:
        if time.monotonic() - self._begun < DELAY:
            return
        text = self._html(record)
        if text != self._last:
            self._last = text
            self._draw(text)

    def end(self) -> None:
        if self._handle is not None:
            took = time.monotonic() - self._begun
            self._draw(f"{html.escape(self._title)}: ended after {took:.1f} s")

    def _draw(self, text: str) -> None:
        from IPython import display

        shown = display.HTML(text)  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display.display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(shown)

    def _html(self, record: TransferRecord) -> str:
        from jupyter_storage.commands.rendering import fraction, progress_text

        # Without a value the bar moves by itself: how much there is to do is not known yet.
        done = fraction(record)
        value = "" if done is None else f" value='{done:.4f}'"
        title = html.escape(self._title)
        bar = f"<progress max='1'{value} aria-label='{title}'></progress>"
        return f"{title} {bar} {html.escape(progress_text(record))}"


def storage(line: str, cell: str | None = None) -> Any:
    """Run one command of ``jupyter storage``; ``%storage --help`` shows them all.

    Parameters
    ----------
    line : str
        The words of the command.
    cell : str, optional
        For ``%%storage put PATH [--overwrite]``: what to write there.

    Returns
    -------
    Table, Record, Text or None
        A value that shows as a table and can be used in code.

    Raises
    ------
    StorageError
        Shown as two lines, without a traceback.
    """
    from jupyter_storage.commands.parser import HelpShown
    from jupyter_storage.errors import StorageError, from_os_error

    try:
        return _run(line, cell)
    except HelpShown:
        return None
    except Exception as error:
        if "--debug" in line.split():
            raise
        if isinstance(error, StorageError):
            raise _shown(error) from None
        if isinstance(error, OSError):
            raise _shown(from_os_error(error, str(error.filename or ""))) from None
        unexpected = StorageError(
            f"An unexpected error: {type(error).__name__}: {error}",
            hint="Run it again with --debug for details.",
        )
        raise _shown(unexpected) from None


def _run(line: str, cell: str | None) -> Any:
    from jupyter_storage.commands.command import Context
    from jupyter_storage.commands.parser import parse
    from jupyter_storage.commands.put import parse_put
    from jupyter_storage.commands.results import Stream
    from jupyter_storage.commands.session import session, split_options

    words, options = split_options(_words(line))
    if cell is None:
        invocation = parse(words, program=PROGRAM)
    else:
        invocation = parse_put(words, cell, program=f"%{PROGRAM}")
    face = Notebook(quiet=invocation.arguments.quiet)
    outcome = invocation.command.run(invocation.arguments, Context(face, session, options))
    if outcome.failures:
        raise _failed(outcome)
    for note in outcome.notes[:LISTED]:
        face.note(f"Passed over: {note.path}: {note.message}")
    value = outcome.value
    if isinstance(value, Stream):
        value = value.table()
    if invocation.arguments.json and value is not None:
        return value.wire()
    return value


def _words(line: str) -> list[str]:
    from jupyter_storage.errors import InvalidRequest

    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidRequest(
            f"The line cannot be read: {error}", hint="Close the quotation mark."
        ) from None


def _failed(outcome: Outcome) -> StorageError:
    from jupyter_storage.errors import PartialFailure

    lines = [f"{failure.path}: {failure.message}" for failure in outcome.failures[:LISTED]]
    more = outcome.failure_count - len(lines)
    if more > 0:
        lines.append(f"… and {more:,} more")
    head = f"{outcome.value}\n  " if outcome.value is not None else ""
    return PartialFailure(head + "\n  ".join(lines), hint=outcome.failures[0].hint)


def _shown(error: StorageError) -> StorageError:
    """Make IPython show an error as what happened and what to do."""
    from jupyter_storage.commands.rendering import clean
    from jupyter_storage.redact import redact

    lines = [clean(line) for line in redact(str(error)).splitlines()]
    text = [f"\x1b[31m{type(error).__name__}\x1b[0m: {lines[0]}", *lines[1:]]
    if error.hint:
        text.append(f"→ {clean(redact(error.hint))}")
    # IPython asks the instance, so that the error keeps its class for code that catches it.
    setattr(error, "_render_traceback_", lambda: text)  # noqa: B010
    return error


def _complete(context: Any) -> Any:
    """Complete the words after ``%storage``, in place of Python's names."""
    before, marker, line = context.text_until_cursor.rpartition(PROGRAM)
    if not marker or not line[:1].isspace():
        return {"completions": []}
    from IPython.core.completer import SimpleCompletion

    from jupyter_storage.commands.completion import candidates, escape, last_word, split
    from jupyter_storage.commands.session import session

    words = split(line.lstrip())
    if before.endswith("%"):
        # A cell's magic only puts, which takes what `cat` takes.
        found = ["put "] if len(words) == 1 else candidates(["cat", *words[1:]], session)
    else:
        found = candidates(words, session)
    return {
        "completions": [SimpleCompletion(text=escape(each.rstrip(" "))) for each in found],
        "matched_fragment": last_word(line),
        "suppress": True,
        "ordered": True,
    }


_complete.matcher_api_version = 2  # type: ignore[attr-defined]
_complete.matcher_priority = 100  # type: ignore[attr-defined]
_complete.matcher_identifier = "jupyter_storage"  # type: ignore[attr-defined]


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and their completion; a second time changes nothing.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    shell.register_magic_function(storage, "line_cell", "storage")
    if _complete not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(_complete)
