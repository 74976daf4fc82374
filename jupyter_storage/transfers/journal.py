"""What a transfer has done, kept on disk so that a later process can go on with it.

A journal is a file of lines. The first says what was asked for. The others are a letter and the
mark of a file: ``b`` it was begun, ``d`` with its size it is done, ``u`` with what its store needs
to go on. They are written at once, so that they outlive a kill; a line that was cut off counts for
nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from jupyter_storage.records import Entry

__all__ = ["Journal", "Journals", "Left", "Unfinished"]

LIFE = 7 * 86_400.0
"""Seconds after which nobody goes on any more; a store may have given up the parts by then."""

KEPT = 100
"""Journals that are kept at most, the newest ones."""

_SUFFIX = ".journal"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Left:
    """A transfer that was cut off.

    Attributes
    ----------
    id : str
    request : mapping
        What was asked for.
    started : datetime
    files, size : int
        How many are done, and their bytes.
    """

    id: str
    request: Mapping[str, Any]
    started: datetime
    files: int
    size: int


class Unfinished:
    """One file's place in a journal: where its store can go on with it."""

    def __init__(self, journal: Journal, mark: str) -> None:
        self._journal, self._mark = journal, mark

    @property
    def token(self) -> str | None:
        """What :meth:`Store.resume` takes; None where there is nothing to go on with."""
        return self._journal.tokens.get(self._mark)

    def note(self, token: str | None) -> None:
        """Remember a token; None if it is good for nothing any more."""
        if token != self.token:
            self._journal.keep(self._mark, token)


class Journal:
    """The journal of one transfer, which no other process has meanwhile.

    Parameters
    ----------
    path : Path
    descriptor : int
        Open for reading and appending, and locked.
    request : mapping
        What is asked for.

    Attributes
    ----------
    tokens : dict
        From marks to what stores go on with.
    resumed : bool
        Whether an earlier process left it.
    """

    def __init__(self, path: Path, descriptor: int, request: Mapping[str, Any]) -> None:
        self._path, self._descriptor = path, descriptor
        self._lock = threading.Lock()
        self._done: set[bytes] = set()
        self._begun: set[bytes] = set()
        self.tokens: dict[str, str] = {}
        with os.fdopen(os.dup(descriptor), encoding="ascii", errors="replace") as file:
            head = _head(file.readline())
            self.resumed = head is not None
            if head is None:
                os.ftruncate(descriptor, 0)
            else:
                for line in file:
                    self._read(line)
        if head is None:
            head = {"version": _VERSION, "started": time.time(), "request": dict(request)}
            self._write(json.dumps(head))
        else:
            self._write("")  # ends a line that was cut off

    def mark(self, source: str, target: str, entry: Entry) -> str:
        """Make the mark of a file as it is: another size or time is another file.

        Parameters
        ----------
        source, target : str
            Where it is, and where it goes.
        entry : Entry
            As the source was listed.
        """
        modified = "" if entry.modified is None else entry.modified.isoformat()
        text = "\0".join((source, target, str(entry.size), modified))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()

    def recall(self, mark: str) -> Literal["done", "begun"] | None:
        """Say what an earlier process did with a file."""
        key = bytes.fromhex(mark)
        if key in self._done:
            return "done"
        return "begun" if key in self._begun else None

    def begin(self, mark: str) -> Unfinished:
        """Note that a file is about to be written."""
        self._write(f"b {mark}")
        return Unfinished(self, mark)

    def done(self, mark: str, size: int = 0) -> None:
        """Note that a file of so many bytes is where it should be."""
        self._write(f"d {mark} {size}")

    def keep(self, mark: str, token: str | None) -> None:
        """Note what a store needs to go on with a file."""
        with self._lock:
            if token is None:
                self.tokens.pop(mark, None)
            else:
                self.tokens[mark] = token
        self._write(f"u {mark} {json.dumps(token)}")

    def close(self, *, keep: bool) -> None:
        """End it; it stays on disk only if there is something to go on with."""
        if not keep:
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)

    def _write(self, line: str) -> None:
        # A full disk must not stop the transfer: then it cannot be gone on with.
        with suppress(OSError):
            os.write(self._descriptor, f"{line}\n".encode("ascii"))

    def _read(self, line: str) -> None:
        kind, _, rest = line.rstrip("\n").partition(" ")
        mark, _, token = rest.partition(" ")
        with suppress(ValueError):
            key = bytes.fromhex(mark)
            if len(key) != 12 or not line.endswith("\n"):
                return
            if kind == "d":
                self._done.add(key)
                self._begun.discard(key)
                self.tokens.pop(mark, None)
            elif kind == "b":
                self._begun.add(key)
            elif kind == "u":
                found = json.loads(token)
                if found is None:
                    self.tokens.pop(mark, None)
                else:
                    self.tokens[mark] = str(found)


class Journals:
    """All journals of a user on this machine.

    Parameters
    ----------
    directory : Path
        Made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, request: Mapping[str, Any]) -> Journal | None:
        """Open the journal for what is asked for; whoever asked the same before left it.

        Parameters
        ----------
        request : mapping
            Any JSON. A ``limit`` is kept with the others, and may be another one next time.

        Returns
        -------
        Journal or None
            None where it cannot be kept, or another process is at the same right now.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._thin_out()
            path = self._path(request)
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it before may have removed it between the opening and the lock.
            if os.fstat(descriptor).st_nlink:
                return Journal(path, descriptor, request)
        except OSError:
            pass
        os.close(descriptor)
        return None

    def left(self) -> list[Left]:
        """List what was cut off, the newest first."""
        found = []
        for path, _ in self._newest():
            with suppress(OSError), path.open(encoding="ascii", errors="replace") as file:
                if not _is_free(file.fileno()):
                    continue
                head = _head(file.readline())
                if head is not None:
                    started = datetime.fromtimestamp(head["started"], timezone.utc)
                    sizes = [_size(line) for line in file if line.startswith("d ")]
                    found.append(Left(path.stem, head["request"], started, len(sizes), sum(sizes)))
        return found

    def find(self, identifier: str) -> Left | None:
        """Find one that was cut off."""
        return next((left for left in self.left() if left.id == identifier), None)

    def forget(self, identifier: str) -> None:
        """Forget one: the same request begins anew."""
        if identifier in {path.stem for path, _ in self._newest()}:
            with suppress(OSError):
                (self._directory / (identifier + _SUFFIX)).unlink()

    def _path(self, request: Mapping[str, Any]) -> Path:
        same = _essence(request)
        name = hashlib.blake2b(same.encode(), digest_size=16).hexdigest()
        path = self._directory / (name + _SUFFIX)
        if not path.exists():
            # An older version had fewer options, and so another name for the same request.
            for other, _ in self._newest():
                with suppress(OSError), other.open(encoding="ascii", errors="replace") as file:
                    head = _head(file.readline())
                    if head is not None and _essence(head["request"]) == same:
                        return other
        return path

    def _newest(self) -> list[tuple[Path, float]]:
        found = []
        with suppress(OSError):
            for path in self._directory.glob(f"*{_SUFFIX}"):
                with suppress(OSError):
                    found.append((path, path.stat().st_mtime))
        return sorted(found, key=lambda each: -each[1])

    def _thin_out(self) -> None:
        """Remove what nobody goes on with any more."""
        oldest = time.time() - LIFE
        for number, (path, modified) in enumerate(self._newest()):
            if number < KEPT and modified > oldest:
                continue
            with suppress(OSError), path.open("rb") as file:
                if _is_free(file.fileno()):
                    path.unlink()


def _essence(request: Mapping[str, Any]) -> str:
    """Write what makes a request this one: an option that was not chosen is as good as none."""
    same = {name: value for name, value in request.items() if name != "limit"}
    if isinstance(same.get("options"), Mapping):
        same["options"] = {name: value for name, value in same["options"].items() if value}
    return json.dumps(same, sort_keys=True)


def _head(line: str) -> dict[str, Any] | None:
    try:
        head = json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return None
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        return None
    return head


def _size(line: str) -> int:
    """Read the size of a file that is done; a line may be cut off, or of an older version."""
    size = line.split()[2:]
    return int(size[0]) if size and size[0].isdigit() and line.endswith("\n") else 0


def _is_free(descriptor: int) -> bool:
    """Whether no process is at work with a journal."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True
