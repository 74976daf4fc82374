"""Brings back the changes of one copy: ``python -m jupyter_storage.mounts.copying DIRECTORY``."""

from __future__ import annotations

import logging
import sys
import threading
import time
from pathlib import Path

from jupyter_storage.errors import StorageError
from jupyter_storage.mounts.copies import Copy
from jupyter_storage.mounts.requests import STOP, Request
from jupyter_storage.redact import RedactingFilter
from jupyter_storage.transfers.progress import Meter

__all__ = ["main"]

TICK = 0.5  # seconds between two looks whether it is to end

_log = logging.getLogger(__name__)


def main(directory: Path) -> int:
    """Do it again and again, until it is taken away."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())
    request = Request.read(directory)
    due = time.monotonic() + request.every
    while directory.exists() and not (directory / STOP).exists():
        if time.monotonic() >= due:
            _bring_back(Copy(directory, request))
            due = time.monotonic() + request.every
        time.sleep(TICK)
    return 0


def _bring_back(copy: Copy) -> None:
    if not copy.unsynced():
        return
    meter = Meter()
    try:
        copy.push(meter, threading.Event())
    except StorageError as error:
        _log.warning("%s: %s %s", error.path, error.message, error.hint)
    for each in meter.snapshot().failures:
        _log.warning("%s: %s %s", each.path, each.message, each.hint)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
