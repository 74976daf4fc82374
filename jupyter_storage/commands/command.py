"""What a command is, and what it may ask of the face that runs it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from jupyter_storage.commands.results import Outcome
from jupyter_storage.commands.session import Session
from jupyter_storage.errors import InvalidRequest, NotADirectory, NotFound
from jupyter_storage.records import TransferRecord

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_storage.service import Service

__all__ = ["Command", "Context", "Face", "age", "expiry", "size"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTP]?)(i?)[bB]?")
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)?")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


class Face(Protocol):
    """Where a command runs: a shell or a notebook."""

    program: str
    """How a person calls it: ``jupyter storage`` or ``%storage``."""

    def progress(self, title: str) -> AbstractContextManager[Callable[[TransferRecord], None]]:
        """Show how far something is, as long as the context lasts."""

    def note(self, text: str) -> None:
        """Say something that is not the result."""

    def ask(self, question: str) -> bool | None:
        """Ask for a yes; None where there is nobody to ask."""

    def input(self) -> BinaryIO:
        """Give standard input; Unsupported where there is none."""

    def output(self) -> BinaryIO | None:
        """Give standard output for bytes; None where results are values."""


@dataclass(frozen=True)
class Context:
    """What a command works with."""

    face: Face
    session: Session
    options: Config | None = None

    def service(
        self,
        *,
        project: str | None = None,
        concurrency: int | None = None,
        bandwidth: int | None = None,
    ) -> Service:
        """Give the service; see :meth:`Session.service`.

        Raises
        ------
        NotFound, NotADirectory
            If there is no such project directory.
        """
        directory = None if project is None else Path(project).expanduser()
        if directory is not None and not directory.is_dir():
            if directory.exists():
                raise NotADirectory("The project directory is a file", path=project)
            raise NotFound("There is no such project directory", path=project)
        return self.session.service(
            self.options, project=directory, concurrency=concurrency, bandwidth=bandwidth
        )


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    name : str
        One word, or two (``snapshot now``).
    summary : str
        One line, without a full stop.
    examples : tuple of (str, str)
        Words after the program's name, and what they do.
    configure : callable
        Adds arguments to the parser.
    run : callable
    completes : {'path', 'file', 'tier', ''}
        What its positional arguments are.
    description : str
        More than the summary, for ``--help``.
    runs : bool
        Whether words after ``--`` are a program to run, ``arguments.program``.
    """

    name: str
    summary: str
    examples: tuple[tuple[str, str], ...]
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Context], Outcome]
    completes: str = ""
    description: str = ""
    runs: bool = False


def size(text: str) -> int:
    """Read a size: ``10MB``, ``1.5G`` (decimal), ``64MiB`` (binary), or bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write 10MB, 1.5G or 64MiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])


def expiry(text: str) -> int:
    """Read a duration in seconds: ``90s``, ``15m``, ``1h``, ``7d``."""
    found = _AGE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration; write 90s, 15m, 1h or 7d")
    return max(1, round(float(found[1]) * _SECONDS[found[2] or "s"]))


def age(text: str) -> datetime:
    """Read a moment: an age (``2h``, ``3d``) or a date (``2026-11-01``, ISO 8601)."""
    found = _AGE.fullmatch(text.strip())
    try:
        if found is not None and found[2]:
            return datetime.now(timezone.utc) - timedelta(seconds=expiry(text))
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no age or date; write 2h, 3d or 2026-11-01"
        ) from None


def positive(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1")
    return int(text)


def add_jobs(parser: argparse.ArgumentParser, what: str = "files") -> None:
    """Add the option that says how many at once."""
    parser.add_argument(
        "-j", "--jobs", type=positive, metavar="N", help=f"{what} at the same time; default: 32"
    )


def natural(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0")
    return int(text)


def chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Yield what a file has, in pieces."""
    while data := file.read(length):
        yield data


def refuse(message: str, hint: str, *, path: str | None = None) -> InvalidRequest:
    """Make the error for arguments that make no sense together."""
    return InvalidRequest(message, path=path, hint=hint)
