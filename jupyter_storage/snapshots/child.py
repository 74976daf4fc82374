"""Takes snapshots in a child process, so that the server stays quick and survives anything.

The child is spawned, never forked: a server has threads. It stays, for opening a repository costs
more than a snapshot of one changed file; see :mod:`jupyter_storage.snapshots.worker`. One that
died is replaced with the next request; one that gets stuck is killed.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from jupyter_storage import errors
from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.records import Failure, SnapshotRecord
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.capture import Taken

__all__ = ["Child", "error_from_wire", "record_from_wire"]

_GRACE = 3.0  # seconds from 'please stop' to 'stop'
_STEP = 0.1
_STUCK = 600.0  # seconds in which nothing got on
_AGAIN = "It is tried again by itself. If it stays, look into the server's log."


class _Ended(Exception):
    """The process ended without an answer."""


class Child:
    """The process that takes snapshots, which is started when it is needed.

    Parameters
    ----------
    directory : Path
        Its working directory. Not the project directory: modules of its own there would be
        imported instead of the real ones.
    idle : float
        Seconds without a request after which it ends by itself.
    """

    def __init__(self, directory: Path, idle: float = 300.0) -> None:
        self._directory, self._idle = directory, idle
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._numbers = count(1)
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Number of the process, if there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def capture(self, request: Mapping[str, Any], cancel: threading.Event) -> Taken:
        """Take a snapshot.

        Parameters
        ----------
        request : mapping
            See :mod:`jupyter_storage.snapshots.worker`.
        cancel : threading.Event
            Set to stop.

        Raises
        ------
        StorageError
            What the process ran into; also if it died.
        """
        with self._lock:
            process = self._start()
            try:
                return self._ask(process, request, cancel)
            except _Ended:
                if process.wait() != 0:
                    raise self._died(process) from None
            # It was idle for long enough to end, at this very moment.
            process = self._start()
            try:
                return self._ask(process, request, cancel)
            except _Ended:
                process.wait()
                raise self._died(process) from None

    def prepare(self, request: Mapping[str, Any]) -> None:
        """Get ready for a snapshot that is due soon; what goes wrong, the snapshot will tell.

        Parameters
        ----------
        request : mapping
            As for :meth:`capture`.
        """
        # While it takes a snapshot there is nothing to prepare.
        if self._lock.acquire(blocking=False):
            try:
                with suppress(OSError):
                    _send(self._start(), {"prepare": request})
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the process; it lets go of its lock before."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                _end(process)

    def _start(self) -> subprocess.Popen[str]:
        if self._process is not None:
            if self._process.poll() is None:
                return self._process
            _end(self._process)
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._directory / "worker.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "jupyter_storage.snapshots.worker", str(self._idle)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._directory,
                # Its threads pass large buffers on to each other: shared, they take a tenth less.
                env={"MALLOC_ARENA_MAX": "1", **os.environ},
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(
            target=_read, args=(process, lines), name="snapshot answers", daemon=True
        )
        reader.start()
        self._process, self._lines = process, lines
        return process

    def _ask(
        self, process: subprocess.Popen[str], request: Mapping[str, Any], cancel: threading.Event
    ) -> Taken:
        number = next(self._numbers)
        _send(process, {"id": number, "capture": request})
        heard, beat, stop_at = time.monotonic(), -1, None
        while True:
            try:
                line = self._lines.get(timeout=_STEP)
            except queue.Empty:
                line = ""
            if line is None:
                raise Cancelled(_CANCELLED) if stop_at else _Ended
            message = json.loads(line) if line else {}
            if message.get("id") == number and "beat" not in message:
                return _result(message)
            now = time.monotonic()
            if message.get("id") == number and message["beat"] != beat:
                heard, beat = now, message["beat"]
            if cancel.is_set() and stop_at is None:
                stop_at = now + _GRACE
                _send(process, {"cancel": number})
            if stop_at is not None and now > stop_at:
                _kill(process)
                raise Cancelled(_CANCELLED)
            if now - heard > _STUCK:
                _kill(process)
                raise StorageError(
                    f"The snapshot did not get on for {_STUCK / 60:.0f} minutes",
                    hint="Check the connection to the store. " + _AGAIN,
                )

    def _died(self, process: subprocess.Popen[str]) -> StorageError:
        complaint = ""
        with suppress(OSError):
            complaint = (self._directory / "worker.log").read_text(errors="replace").strip()
        last = redact(complaint.splitlines()[-1]) if complaint else "no message"
        return StorageError(
            f"The process that takes snapshots ended with status {process.returncode}: {last}",
            hint=_AGAIN,
        )


_CANCELLED = "The snapshot was cancelled"


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    with suppress(ValueError, OSError):
        if process.stdout is not None:
            with process.stdout as answers:
                for line in answers:
                    # What a dying process began to say is no answer.
                    if line.endswith("\n"):
                        lines.put(line)
    lines.put(None)


def _send(process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
    # If it has ended, its answers end as well: who reads them notices.
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()


def _result(message: Mapping[str, Any]) -> Taken:
    if "error" in message:
        raise error_from_wire(message["error"])
    failed = [(key, deep) for key, deep in message["failed"]]
    return Taken(record_from_wire(message["record"]), message["tree"], failed)


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def _end(process: subprocess.Popen[str]) -> None:
    """Close what it reads, which asks it to end; kill it where it does not."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _kill(process)


def error_from_wire(wire: Mapping[str, Any]) -> StorageError:
    """Rebuild an error from ``kind``, ``message``, ``path`` and ``hint``."""
    kind = getattr(errors, str(wire["kind"]), StorageError)
    error: StorageError = kind(wire["message"], path=wire["path"], hint=wire["hint"])
    return error


def record_from_wire(wire: Mapping[str, Any]) -> SnapshotRecord:
    """Rebuild a record that went through :func:`~jupyter_storage.records.to_wire`."""
    values = dict(wire)
    values["time"] = datetime.fromisoformat(values["time"].replace("Z", "+00:00"))
    values["paths"], values["tags"] = tuple(values["paths"]), tuple(values["tags"])
    values["failures"] = tuple(Failure(**failure) for failure in values["failures"])
    return SnapshotRecord(**values)
