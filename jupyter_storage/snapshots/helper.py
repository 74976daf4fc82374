"""A second process for many small files, which a thread could not give: they share one lock."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, cast

from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.small import Small, receive, send

__all__ = ["Helper"]

_PIPE = 2**20  # bytes; an answer fits, so that the other end goes on at once


class Helper:
    """A process that reads small files; see :mod:`jupyter_storage.snapshots.small`.

    Parameters
    ----------
    keys : Keys
        To seal with.
    """

    def __init__(self, keys: Keys) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_storage.snapshots.small"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Not where people's own modules may lie: they would be imported instead.
            cwd="/",
            start_new_session=True,
            pipesize=_PIPE,
        )
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._asked: deque[int] = deque()
        self._ready: queue.Queue[list[Small | None] | None] = queue.Queue()
        self._broken = False
        self._send((keys.encrypt, keys.k, keys.r))
        threading.Thread(target=self._read, name="small files", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many answers are still to be taken."""
        return len(self._asked)

    @property
    def ready(self) -> bool:
        """Whether :meth:`take` would not wait."""
        return not self._ready.empty()

    def ask(self, files: Sequence[tuple[str, str]]) -> None:
        """Ask for files, each a path and its last part."""
        self._asked.append(len(files))
        self._send(files)

    def take(self) -> list[Small | None]:
        """Wait for the next answer; from a process that died, nothing for each file."""
        answer = None if self._broken else self._ready.get()
        self._broken = answer is None
        number = self._asked.popleft()
        return [None] * number if answer is None else answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with suppress(OSError):
            self._requests.close()
        self._process.wait()

    def _send(self, message: object) -> None:
        # If it died, its answers end as well, and who waits for them notices.
        with suppress(OSError):
            send(self._requests, message)

    def _read(self) -> None:
        try:
            with suppress(OSError, ValueError, EOFError), self._answers:
                while (answer := receive(self._answers)) is not None:
                    self._ready.put([small and Small(*small) for small in answer])
        finally:
            self._ready.put(None)
