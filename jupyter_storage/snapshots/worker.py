"""The process that takes snapshots for the server.

``python -m jupyter_storage.snapshots.worker`` reads requests from its standard input, each a line
of JSON: ``{"id": number, "capture": request}`` or ``{"cancel": number}``; and ``{"prepare":
request}`` where a capture is due soon, which gets no answer. Its answers are lines, too: ``{"id",
"record": SnapshotRecord, "tree": ID, "failed": [Mark]}`` or ``{"id", "error": {"kind", "message",
"path", "hint"}}``, and meanwhile ``{"id", "beat": number}``, which grows as long as it gets on.

A request is ``{"uri", "options", "password_file", "state", "project", "tags", "lineage",
"excluded", "gitignore", "force", "bandwidth", "retention"}``; and where it is known what changed
since the snapshot with the tree ``"base"``, that is ``"dirty": [Mark]``.

Between requests the store and the repository stay open. The process ends when its input does,
for then nobody is there whom it could serve; when it was idle for some minutes; and after a
request that left it too large. In a quiet moment it does the daily upkeep.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import queue
import resource
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from jupyter_storage.errors import StorageError, from_os_error
from jupyter_storage.records import SnapshotRecord, to_wire
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.capture import Progress
from jupyter_storage.snapshots.session import READY, Session

__all__ = ["main", "run"]

_NICENESS = 10
_IDLE = 300.0  # seconds without a request
_GRACE = 5.0  # seconds to let go of the lock when the input has ended
_QUIET = 20.0  # seconds without a request, after which it is time for upkeep
_PATIENCE = 24 * 3600.0
_BEAT = 1.0
_MOST_MEMORY = 768 * 2**20  # bytes

# ioprio_set(2): best effort, the lowest of its eight levels. The idle class could starve.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_BEST_EFFORT_LAST = 2 << 13 | 7


def run(
    request: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> SnapshotRecord:
    """Take the snapshot that a request asks for, in this process, and keep nothing open.

    Parameters
    ----------
    request : mapping
        See above.
    progress, cancel
        See :func:`~jupyter_storage.snapshots.capture.capture`.
    """
    session = Session()
    try:
        return session.take(request, progress=progress, cancel=cancel).record
    finally:
        session.close()


class _Worker:
    """Serves requests, one after another."""

    def __init__(self, requests: TextIO, answers: TextIO) -> None:
        self._requests, self._answers = requests, answers
        self._session = Session()
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._cancelled: dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def serve(self, idle: float) -> None:
        """Serve until the input ends, or nothing came for so many seconds."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        try:
            while (request := self._next(idle)) is not None:
                if "prepare" in request:
                    self._prepare(request["prepare"])
                    continue
                self._answer(request)
                # Where there is never a quiet moment.
                self._session.tidy(overdue=_PATIENCE)
                if _resident() > _MOST_MEMORY:
                    return
        except queue.Empty:
            return
        finally:
            self._session.close()

    def _next(self, idle: float) -> dict[str, Any] | None:
        if idle > READY:
            with suppress(queue.Empty):
                return self._queue.get(timeout=READY)
            self._session.let_go()
        if idle > _QUIET:
            with suppress(queue.Empty):
                return self._queue.get(timeout=_QUIET - READY)
            # Whoever waits goes first: it may be the last snapshot before the end.
            self._session.tidy(wanted=lambda: not self._queue.empty())
        return self._queue.get(timeout=idle)

    def end(self, *_: object) -> None:
        """Stop what is being done, and then serving."""
        for event in list(self._cancelled.values()):
            event.set()
        self._queue.put(None)

    def _read(self) -> None:
        with suppress(ValueError, OSError):
            for line in self._requests:
                message = json.loads(line)
                if "prepare" in message:
                    self._queue.put(message)
                elif "cancel" in message:
                    if (event := self._cancelled.get(message["cancel"])) is not None:
                        event.set()
                else:
                    self._cancelled[message["id"]] = threading.Event()
                    self._queue.put(message)
        self.end()
        # Whoever asked is gone. A store that hangs must not keep this process for ever.
        threading.Event().wait(_GRACE)
        os._exit(1)

    def _prepare(self, request: Mapping[str, Any]) -> None:
        # What is wrong stays wrong until the capture, which says it.
        with suppress(StorageError, OSError):
            self._session.prepare(request)

    def _answer(self, message: Mapping[str, Any]) -> None:
        number = message["id"]
        done = threading.Event()
        beats = threading.Thread(target=self._beat, args=(number, done), daemon=True)
        beats.start()
        try:
            taken = self._session.take(message["capture"], cancel=self._cancelled[number])
            answer: dict[str, Any] = {
                "record": to_wire(taken.record),
                "tree": taken.tree,
                "failed": taken.failed,
            }
        except StorageError as error:
            answer = {"error": _wire(error)}
        except OSError as error:
            answer = {"error": _wire(from_os_error(error, str(error.filename or "")))}
        finally:
            done.set()
            beats.join()
            del self._cancelled[number]
        self._say({"id": number} | answer)

    def _beat(self, number: int, done: threading.Event) -> None:
        while not done.wait(_BEAT):
            self._say({"id": number, "beat": self._session.beats})

    def _say(self, message: dict[str, Any]) -> None:
        # Nobody listens any more where this fails: the input ends, too.
        with self._lock, suppress(OSError):
            self._answers.write(json.dumps(message) + "\n")
            self._answers.flush()


def main() -> int:
    """Serve; the only argument is the number of idle seconds after which to end."""
    # Whatever else writes to standard output must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _yield_to_others()
    worker = _Worker(sys.stdin, answers)
    signal.signal(signal.SIGTERM, worker.end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.serve(float(sys.argv[1]) if len(sys.argv) > 1 else _IDLE)
    return 0


def _yield_to_others() -> None:
    """People's own work comes first: for the processor and, on Linux, for the disk."""
    with suppress(OSError):
        os.nice(_NICENESS)
    if sys.platform == "linux" and (call := _IOPRIO_SET.get(platform.machine())) is not None:
        ctypes.CDLL(None).syscall(call, 1, 0, _BEST_EFFORT_LAST)


def _resident() -> int:
    """Bytes of memory that this process uses; the most it ever used where Linux does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(pages) * resource.getpagesize()


def _wire(error: StorageError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "message": redact(error.message),
        "path": redact(error.path) if error.path else None,
        "hint": redact(error.hint),
    }


if __name__ == "__main__":
    sys.exit(main())
