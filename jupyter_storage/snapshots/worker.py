"""The process that takes a snapshot for the server.

``python -m jupyter_storage.snapshots.worker`` reads a request from its standard input:
``{"uri", "options", "password_file", "state", "project", "tags", "lineage", "excluded",
"gitignore", "force"}``. Its last line of output is ``{"record": SnapshotRecord}`` or ``{"error":
{"kind", "message", "path", "hint"}}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_storage.errors import StorageError, from_os_error
from jupyter_storage.records import SnapshotRecord, to_wire
from jupyter_storage.redact import redact
from jupyter_storage.snapshots.capture import Progress, capture
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.opening import open_store

__all__ = ["main", "run"]

_NICENESS = 10


def run(
    request: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> SnapshotRecord:
    """Take the snapshot that a request asks for, in this process.

    Parameters
    ----------
    request : mapping
        See above.
    progress, cancel
        See :func:`~jupyter_storage.snapshots.capture.capture`.
    """
    state = Path(request["state"])
    password = Path(request["password_file"]).read_text().strip("\r\n")
    store = open_store(request["uri"], request["options"])
    repository = None
    try:
        if Repository.exists(store):
            repository = Repository.open(store, password, cache=state / "cache")
        else:
            repository = Repository.create(store, password, cache=state / "cache")
        return capture(
            repository,
            Path(request["project"]),
            tags=request["tags"],
            lineage=request["lineage"],
            excluded=[Path(path) for path in request["excluded"]],
            gitignore=request["gitignore"],
            force=request["force"],
            records=state / "locks",
            progress=progress,
            cancel=cancel,
        )
    finally:
        if repository is not None:
            repository.close()
        store.close()


def main() -> int:
    """Serve one request."""
    cancel = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: cancel.set())
    with suppress(OSError):
        os.nice(_NICENESS)
    try:
        result: dict[str, Any] = {"record": to_wire(run(json.load(sys.stdin), cancel=cancel))}
    except StorageError as error:
        result = {"error": _wire(error)}
    except OSError as error:
        result = {"error": _wire(from_os_error(error, str(error.filename or "")))}
    print(json.dumps(result), flush=True)
    return 0


def _wire(error: StorageError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "message": redact(error.message),
        "path": redact(error.path) if error.path else None,
        "hint": redact(error.hint),
    }


if __name__ == "__main__":
    sys.exit(main())
