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

__all__ = ["is_alive", "pids", "send", "start"]


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
        if is_alive(pid, target):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def is_alive(pid: int | None, target: str) -> bool:
    """Whether a process of ours has this number: numbers are used again."""
    if pid is None:
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"jupyter_storage.mounts." in words or os.fsencode(target) in words.split(b"\0")
