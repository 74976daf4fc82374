"""What a server has besides while something is measured: its memory, and how soon others hear."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

MIB = 2**20
PAUSE = 0.02  # seconds between two requests of the one that asks


@dataclass
class Watch:
    """What was seen: resident memory in bytes, and seconds of others' requests."""

    before: int = 0
    peak: int = 0
    answers: list[float] = field(default_factory=list)

    @property
    def growth(self) -> str:
        return f"{(self.peak - self.before) / MIB:+.0f} MiB"

    @property
    def p99(self) -> str:
        if len(self.answers) < 2:
            return "-"
        return f"{statistics.quantiles(self.answers, n=100)[98] * 1000:.0f} ms"


def print_heading(title: str) -> None:
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    load = os.getloadavg()[0]
    print(f"\n{title}\n{now}, {os.cpu_count()} cores, load {load:.1f}", flush=True)


def print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def median(values: list[float]) -> float:
    return statistics.median(values)


def resident(process: int) -> int:
    """Bytes of memory that a process has right now."""
    text = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


@contextmanager
def watched(process: int, url: str, headers: dict[str, str]) -> Iterator[Watch]:
    """Sample a server's memory, and ask it for ``url`` from a process that does nothing else."""
    watch = Watch(resident(process))
    stopped = threading.Event()

    def sample() -> None:
        while not stopped.wait(0.02):
            watch.peak = max(watch.peak, resident(process))

    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    asking = multiprocessing.get_context("spawn").Process(
        target=_ask, args=(url, headers, theirs), daemon=True
    )
    asking.start()
    ours.recv()
    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield watch
    finally:
        stopped.set()
        sampling.join()
        ours.send("stop")
        watch.answers = ours.recv()
        asking.join()


def _ask(url: str, headers: dict[str, str], pipe: Connection) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)

    def ask() -> float:
        began = time.perf_counter()
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        connection.getresponse().read()
        return time.perf_counter() - began

    ask()  # opens the connection
    pipe.send("ready")
    seconds: list[float] = []
    while not pipe.poll(PAUSE):
        seconds.append(ask())
    pipe.recv()
    pipe.send(seconds)


def until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something is so; too long is an error."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)
