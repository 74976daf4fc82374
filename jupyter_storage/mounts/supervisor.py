"""Keeps one mount alive: ``python -m jupyter_storage.mounts.supervisor DIRECTORY``.

It starts the program that serves the mount. When that died or does not answer, it starts it
again. It imports nothing of a cloud, so that it is small.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from jupyter_storage.mounts.requests import FAILED, LOG, MADE, PIDS, STOP, Request, put
from jupyter_storage.mounts.table import answers, is_mounted

__all__ = ["main"]

TICK = 0.5  # seconds between two looks at the process
PROBE = 3.0  # seconds between two looks at the mount
PATIENCE = 5.0  # seconds that a look may take, twice, until the mount is said to hang
# Seconds before the next start, if it does not last. After some minutes nobody waits for it.
PAUSES = (0.2, 0.5, 1.0, 2.0, *[4.0] * 40, 30.0)
LASTING = 60.0  # seconds after which a start is said to have lasted


def main(directory: Path) -> int:
    """Serve until somebody asks it to stop, or the mount is taken away."""
    request = Request.read(directory)
    failures = 0
    # A supervisor before this one may have left a mount that works.
    adopted = is_mounted(request.target) and bool(answers(request.target))
    while not (directory / STOP).exists():
        began = time.monotonic()
        child = None if adopted else _start(directory, request)
        adopted = False
        if _watch(directory, request, child):
            return 0
        if time.monotonic() - began > LASTING:
            failures = 0
        if not (directory / MADE).exists() and not is_mounted(request.target):
            # It never worked: whoever asked for it is told, and nothing is left behind.
            return 1
        time.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        failures += 1
    return 0


def _start(directory: Path, request: Request) -> subprocess.Popen[bytes]:
    (directory / FAILED).unlink(missing_ok=True)
    command = [sys.executable, "-m", "jupyter_storage.mounts.process", str(directory)]
    with (directory / LOG).open("ab") as log:
        child = subprocess.Popen(  # noqa: S603  words of our own
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
        )
    put(directory / PIDS, {"supervisor": os.getpid(), "mounter": child.pid})
    return child


def _watch(directory: Path, request: Request, child: subprocess.Popen[bytes] | None) -> bool:
    """Wait until the mount no longer works; True if it was to end."""
    hanging = 0
    probed = time.monotonic()
    while True:
        if child is not None:
            try:
                status = child.wait(TICK)
            except subprocess.TimeoutExpired:
                pass
            else:
                # Unmounted by whoever may: the program ends by itself, and well.
                return (directory / STOP).exists() or status == 0
        else:
            time.sleep(TICK)
            if not is_mounted(request.target):
                return True
        if time.monotonic() - probed < PROBE or not is_mounted(request.target):
            continue
        found = answers(request.target, PATIENCE)
        probed = time.monotonic()
        hanging = hanging + 1 if found is None else 0
        if hanging == 2 or (found is False and child is None):
            if child is not None:
                child.kill()
                child.wait()
            return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
