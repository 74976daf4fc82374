"""A second process for many small files, which a thread could not give: they share one lock."""

from __future__ import annotations

import marshal
import os
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, cast

from jupyter_storage.snapshots.repository.crypto import Keys

__all__ = ["Helper", "serve", "worthwhile"]

_PIPE = 2**20  # bytes; an answer fits, so that the other end goes on at once
_LENGTH = struct.Struct("<Q")

Answer = Callable[[Sequence[Any] | None], None]
"""Takes one result for each thing that was asked for; None if the process died."""


def worthwhile(files: int) -> bool:
    """Whether so many files are worth the start of a process, which takes as long as 500."""
    return files >= 500 and (os.cpu_count() or 1) > 1


class Helper:
    """A process that serves batches of work; see :func:`serve`.

    Parameters
    ----------
    module : str
        Its main module.
    keys : Keys
        Of the repository.
    """

    def __init__(self, module: str, keys: Keys) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Not where people's own modules may lie: they would be imported instead.
            cwd="/",
            start_new_session=True,
            pipesize=_PIPE,
        )
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._asked: deque[Answer] = deque()
        self._dead = False
        self._lock = threading.Lock()
        self._send((keys.encrypt, keys.k, keys.r))
        threading.Thread(target=self._read, name="helper", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, work: Sequence[object], answer: Answer) -> None:
        """Ask for a batch. Its answer is given in another thread, and in the order of asking."""
        with self._lock:
            dead = self._dead
            if not dead:
                self._asked.append(answer)
                self._send(work)
        if dead:
            answer(None)

    def close(self) -> None:
        """End the process; what it has not answered is answered with None."""
        self._process.kill()
        with suppress(OSError):
            self._requests.close()
        self._process.wait()

    def _send(self, message: object) -> None:
        # If it died, its answers end as well, and who waits for them is told.
        with suppress(OSError, ValueError):
            _write(self._requests, message)

    def _read(self) -> None:
        try:
            with suppress(OSError, ValueError, EOFError), self._answers:
                while (results := _read(self._answers)) is not None:
                    self._asked.popleft()(results)
        finally:
            with self._lock:
                self._dead = True
            while self._asked:
                self._asked.popleft()(None)


def serve(work: Callable[[Keys, Any], Sequence[object]]) -> None:
    """Be the process: read the keys and then batches of work, and answer each, until the end.

    Parameters
    ----------
    work : Callable
        Makes a result of each thing in a batch. All are plain values.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    keys = Keys(*_read(requests))
    while (batch := _read(requests)) is not None:
        _write(answers, work(keys, batch))


def _write(file: IO[bytes], message: Any) -> None:
    content = marshal.dumps(message)
    file.write(_LENGTH.pack(len(content)))
    file.write(content)
    file.flush()


def _read(file: IO[bytes]) -> Any:
    length = file.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    # The other end is a process of our own, and runs the same Python.
    return marshal.loads(file.read(*_LENGTH.unpack(length)))  # noqa: S302
