"""Processes that look after mounts, which outlive whoever started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jupyter_storage.mounts.requests import LOG, PIDS, put

__all__ = ["lives", "pids", "send", "start", "used"]


def start(module: str, directory: Path) -> subprocess.Popen[bytes]:
    """Start a module of ours for one mount, as its supervisor."""
    command = [sys.executable, "-m", module, str(directory)]
    with (directory / LOG).open("ab") as log:
        # It outlives this process, and Ctrl-C is not meant for it.
        process = subprocess.Popen(  # noqa: S603  words of our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    put(directory / PIDS, {**pids(directory), "supervisor": process.pid})
    return process


def pids(directory: Path) -> dict[str, int]:
    """Numbers of the processes of a mount: ``supervisor``, and ``mounter``, which it started."""
    try:
        return dict(json.loads((directory / PIDS).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def send(directory: Path, target: str, number: signal.Signals, names: Sequence[str]) -> None:
    """Send a signal to those that live."""
    numbers = pids(directory)
    for pid in [numbers[name] for name in names if name in numbers]:
        if _is(pid, directory, target):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def lives(directory: Path, target: str, *names: str) -> bool:
    """Whether any of a mount's processes lives, or of those that are named."""
    numbers = pids(directory)
    return any(_is(numbers.get(name), directory, target) for name in names or numbers)


def used(pid: int | None) -> int:
    """How long a process has been at work, in ticks of the processor; 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _is(pid: int | None, directory: Path, target: str) -> bool:
    """Whether a process of this mount has this number: numbers are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(directory) in words or os.fsencode(target) in words
