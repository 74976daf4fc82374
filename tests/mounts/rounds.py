"""What befalls mounts in the long run, one thing after the other, and whether they get over it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gate import Gate

from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.stores.store import Store

FAULTS = ("killed", "stopped", "restarted", "all", "hanging")
"""The mounter is killed; the server is stopped and started; all processes of the mounts end, and a
server starts; all of that at once; the mounter does not answer any more."""


class Rounds:
    """One bucket mounted twice, as MOUNT and as MOUNT_CACHED, with its server behind a gate.

    Parameters
    ----------
    gate : Gate
    mounts : Mounts
    plain, cached : Path
        Where it is mounted.
    aside : Store
        The bucket, used by somebody else, not through the gate.
    """

    def __init__(self, gate: Gate, mounts: Mounts, plain: Path, cached: Path, aside: Store) -> None:
        self.gate, self.mounts, self.aside = gate, mounts, aside
        self.plain, self.cached = plain, cached
        self.content = os.urandom(300_000)
        aside.write("old.bin", self.content)

    def run(self, number: int, fault: str) -> float:
        """Write, let something happen, and give the seconds until all can be read again.

        Nothing that was written may be lost.
        """
        closed = {f"closed-{number}-{each}": os.urandom(50_000) for each in range(3)}
        for name, data in closed.items():
            (self.cached / name).write_bytes(data)
        # Written, and not closed before the server is gone: nobody can have uploaded it.
        name, data = f"open-{number}", os.urandom(50_000)
        descriptor = os.open(self.cached / name, os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, data)
        self._befall(fault)
        with suppress(OSError):
            os.close(descriptor)
        began = time.monotonic()
        self._wait_for({each / "old.bin": self.content for each in (self.plain, self.cached)})
        took = time.monotonic() - began
        self._wait_for({self.cached / each: closed[each] for each in closed})
        self.mounts.flush(self.cached)
        for each, content in {**closed, name: data}.items():
            assert self.aside.read(each) == content, f"{each} was lost in round {number}: {fault}"
        return took

    def _befall(self, fault: str) -> None:
        if fault in {"stopped", "all"}:
            self.gate.shut()
        if fault in {"killed", "all"}:
            self._signal(signal.SIGKILL, "mounter")
        if fault == "hanging":
            self._signal(signal.SIGSTOP, "mounter")
        if fault in {"restarted", "all"}:
            self._signal(signal.SIGKILL, "supervisor", "mounter")
            self.mounts.reconcile()
        if fault in {"stopped", "all"}:
            time.sleep(1)
            self.gate.open()

    def _signal(self, number: signal.Signals, *names: str) -> None:
        for target in (self.plain, self.cached):
            file = directory_of(self.mounts._state, str(target)) / "pids.json"
            pids: Mapping[str, int] = json.loads(file.read_text())
            for name in names:
                with suppress(ProcessLookupError):
                    os.kill(pids[name], number)
                    while number is signal.SIGKILL and lives(pids[name]):
                        time.sleep(0.01)

    def _wait_for(self, wanted: Mapping[Path, bytes], patience: float = 60.0) -> None:
        until = time.monotonic() + patience
        for path, content in wanted.items():
            while not _reads(path, content):
                assert time.monotonic() < until, f"{path} cannot be read"
                time.sleep(0.05)


def lives(pid: int) -> bool:
    """Whether a process goes on, and is not only waited for."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _reads(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
