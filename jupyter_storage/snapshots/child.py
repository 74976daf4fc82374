"""Takes snapshots in a child process, so that the server stays quick and survives anything.

The child is spawned, never forked: a server has threads. It gets a request as JSON on its
standard input, and its last line of output is the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_storage import errors
from jupyter_storage.errors import Cancelled, StorageError
from jupyter_storage.records import Failure, SnapshotRecord
from jupyter_storage.redact import redact

__all__ = ["capture_in_child", "error_from_wire", "record_from_wire"]

_GRACE = 3.0  # seconds from 'please stop' to 'stop'
_STEP = 0.1


def capture_in_child(
    request: Mapping[str, Any], directory: Path, cancel: threading.Event
) -> SnapshotRecord:
    """Take a snapshot in a child process.

    Parameters
    ----------
    request : mapping
        See :mod:`jupyter_storage.snapshots.worker`.
    directory : Path
        Working directory of the child. Not the project directory: modules of its own there would
        be imported instead of the real ones.
    cancel : threading.Event
        Set to stop.

    Raises
    ------
    StorageError
        What the child ran into; also if it died.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    child = subprocess.Popen(
        [sys.executable, "-m", "jupyter_storage.snapshots.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        text=True,
        start_new_session=True,
    )
    text: str | None = json.dumps(request)
    try:
        while True:
            try:
                output, complaint = child.communicate(text, timeout=_STEP)
                break
            except subprocess.TimeoutExpired:
                # After the first call the text is on its way.
                text = None
                if cancel.is_set():
                    raise Cancelled("The snapshot was cancelled") from None
    finally:
        _end(child)
    lines = output.strip().splitlines()
    try:
        result = json.loads(lines[-1])
    except (IndexError, ValueError):
        last = redact(complaint.strip().splitlines()[-1]) if complaint.strip() else "no message"
        raise StorageError(
            f"The process that takes snapshots ended with status {child.returncode}: {last}",
            hint="It is tried again by itself. If it stays, look into the server's log.",
        ) from None
    if "error" in result:
        raise error_from_wire(result["error"])
    return record_from_wire(result["record"])


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


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
