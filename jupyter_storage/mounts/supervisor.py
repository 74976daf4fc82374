"""Keeps one mount alive: ``python -m jupyter_storage.mounts.supervisor DIRECTORY``.

It starts the program that serves the mount. When that died or does not answer, it starts it
again. It imports nothing of a cloud, so that it is small.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from jupyter_storage.mounts.processes import pids, send, used
from jupyter_storage.mounts.programs import PROGRAMS
from jupyter_storage.mounts.requests import FAILED, LOG, MADE, PIDS, STOP, Request, put
from jupyter_storage.mounts.table import answers, is_mounted, read_ahead

__all__ = ["main"]

TICK = 0.5  # seconds between two looks at the process
PROBE = 2.0  # seconds between two looks at the mount
PATIENCE = 2.0  # seconds that a look may take
# Looks in a row without an answer, until a program is said to hang: one that does nothing, and one
# that is at work.
IDLE, BUSY = 2, 5
# Seconds before the next start, if it does not last. After some minutes nobody waits for it.
PAUSES = (0.2, 0.5, 1.0, 2.0, *[4.0] * 40, 30.0)
LASTING = 60.0  # seconds after which a start is said to have lasted


def main(directory: Path) -> int:
    """Serve until somebody asks it to stop, or the mount is taken away."""
    request = Request.read(directory)
    failures = 0
    # A supervisor before this one may have left a mount that works; one that hangs is found out.
    adopted = is_mounted(request.target) and answers(request.target, PATIENCE) is not False
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
    silent = work = 0
    is_new = True
    probed = time.monotonic() - PROBE
    while True:
        if child is not None:
            try:
                status = child.wait(0 if silent else TICK)
            except subprocess.TimeoutExpired:
                pass
            else:
                # Unmounted by whoever may: the program ends by itself, and well.
                return (directory / STOP).exists() or status == 0
        else:
            time.sleep(TICK)
            if not is_mounted(request.target):
                return True
        early = not silent and time.monotonic() - probed < PROBE
        if early or not is_mounted(request.target):
            continue
        mounter = pids(directory).get("mounter")
        before = used(mounter)
        found = answers(request.target, PATIENCE)
        probed = time.monotonic()
        if found and is_new:
            # Not before: when a mount begins, the kernel sets it to its own.
            is_new = False
            if request.mounter not in PROGRAMS or not PROGRAMS[request.mounter].in_order:
                read_ahead(request.target)
        silent = silent + 1 if found is None else 0
        work = work + used(mounter) - before if silent else 0
        if silent >= (BUSY if work else IDLE) or (found is False and child is None):
            # It might go on some day, beside the one that takes its place.
            send(directory, request.target, signal.SIGKILL, ("mounter",))
            if child is not None:
                child.wait()
            return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
