"""Snapshots: this project, stock restic and borg, in turns, on the same files.

python benchmarks/snapshots.py tools --files 20000 --large 1434 --rounds 3
python benchmarks/snapshots.py tools --restic /usr/bin/restic --restic ~/newer/restic
python benchmarks/snapshots.py warm --files 200000
python benchmarks/snapshots.py latency --files 2000 --seconds 120
python benchmarks/snapshots.py idle --files 20000 --seconds 60

Peers that are not installed are left out. restic gets a repository that was made here, so that
all derive their keys with the same parameters; borg has a derivation of its own. Newer ones of
restic read back what they compressed, unless told not to: both ways are measured. Processor time
and peak memory are those of all processes of a tool together.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from backups import Ours, Stock, Tool, Use, cpu_of, peak_of, restic_programs, timed, tools_in

from jupyter_storage.snapshots.workspace import Workspace

CHANGES = 100
UPKEEP = 30  # seconds without work, in which the daily upkeep begins


def make_small(directory: Path, number: int) -> None:
    """Files of some 4.5 KB, 40 in each directory, half text."""
    chance = random.Random(1)
    for index in range(number):
        path = directory / f"d{index // 40 % 25}/e{index // 1000}/f{index}"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = chance.randrange(500, 8500)
        path.write_bytes(chance.randbytes(size) if index % 2 else b"some text, " * (size // 11))


def make_large(directory: Path, megabytes: int) -> None:
    """Files of 32 MiB, a quarter of it compressible."""
    directory.mkdir(parents=True)
    for index in range(max(1, megabytes // 32)):
        with (directory / f"large{index}").open("wb") as file:
            file.write(os.urandom(24 * 2**20) + b"some text, " * (8 * 2**20 // 11))


def read_all(directory: Path) -> None:
    """Bring files into the kernel's memory: borg, for one, drops from it what it has read."""
    for path in directory.rglob("*"):
        if path.is_file():
            path.read_bytes()


class Figures:
    """What was measured of each tool, work by work."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def measure(self, work: str, tool: Tool, act: Callable[[], Use]) -> None:
        wall, use = timed(act)
        for kind, value in (("s", wall), ("s CPU", use.cpu), ("MiB", use.memory)):
            self._all[work, kind, tool.name].append(value)

    def print(self, label: str, names: list[str], works: list[str]) -> None:
        """Print medians, and what ours are as parts of the others'."""
        print(f"\n| {label} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for work in works:
            for kind in ("s", "s CPU", "MiB"):
                medians = [statistics.median(self._all[work, kind, name]) for name in names]
                if not all(medians):
                    continue
                cells = [f"{medians[0]:.3g} {kind}"]
                cells += [f"{each:.3g} {kind} (× {medians[0] / each:.2f})" for each in medians[1:]]
                print(f"| {work} | {' | '.join(cells)} |", flush=True)


def compare(
    label: str, project: Path, base: Path, rounds: int, programs: list[str], *, many: bool
) -> None:
    """First snapshot, one changed file, restore; all tools in turns.

    Of ``many`` files none is deleted before all is measured: for minutes ext4 looks at each that
    was deleted before it makes another, which would cost the next tool more than its own work.
    """
    figures = Figures()
    some = next(path for path in sorted(project.rglob("*")) if path.is_file())
    for number in range(rounds):
        here = base / f"{project.name}-{number}"
        here.mkdir()
        tools = tools_in(here, project, programs)
        names = [tool.name for tool in tools]
        tools = tools[number % len(tools) :] + tools[: number % len(tools)]
        for tool in tools:
            read_all(project)
            os.sync()
            figures.measure("first snapshot", tool, tool.backup)
        for tool in tools:
            with some.open("ab") as file:
                file.write(b"changed")
            key = str(some.relative_to(project))
            tool.prepare()
            figures.measure("one file changed", tool, partial(tool.change, key))
        for place, tool in enumerate(tools):
            os.sync()
            target = here / f"out{place}"
            figures.measure("restore", tool, partial(tool.restore, target))
            tool.close()
        if not many:
            shutil.rmtree(here)
    figures.print(label, names, ["first snapshot", "one file changed", "restore"])


def tools(arguments: argparse.Namespace, base: Path) -> None:
    project = base / "project"
    make_small(project, arguments.files)
    programs = restic_programs(arguments.restic)
    label = f"{arguments.files:,} small files"
    compare(label, project, base, arguments.rounds, programs, many=True)
    project = base / "large"
    make_large(project, arguments.large)
    label = f"{arguments.large:,} MiB in large files"
    compare(label, project, base, arguments.rounds, programs, many=False)


def warm(arguments: argparse.Namespace, base: Path) -> None:
    """One changed file among many: time, processor time, writes."""
    project = base / "project"
    make_small(project, arguments.files)
    ours = Ours(base, project)
    ours.backup()
    for look in ("the first", "another"):
        cpu = ours.backup().cpu / arguments.files
        print(f"{look} look at all {arguments.files:,} files: {cpu * 1e6:.1f} µs CPU a file")
    print(f"kept on this machine: {ours.state_size() / arguments.files:.0f} bytes a file")
    files = sorted(path for path in project.rglob("*") if path.is_file())
    os.sync()  # else the disk is busy with what was written before
    print(f"the first quiet moment, once a day: {ours.rest(UPKEEP):.2f} s CPU")
    chance, walls = random.Random(2), []
    before, objects, written = ours.cpu(), objects_in(ours.store), 0
    for _ in range(CHANGES):
        path = chance.choice(files)
        path.write_bytes(os.urandom(4000))
        ours.prepare()
        walls.append(timed(partial(ours.change, str(path.relative_to(project))))[0])
        now = objects_in(ours.store)
        written, objects = written + len(now - objects), now
    cpu = (ours.cpu() - before) / CHANGES
    # Each capture writes a lock, too, and takes it away.
    writes = written / CHANGES + 1
    wall = statistics.median(walls)
    print(f"one file changed in {arguments.files:,}: {cpu * 1000:.1f} ms CPU,")
    print(f"{wall * 1000:.0f} ms (median of {CHANGES}), {writes:.2f} writes")
    print(f"peak memory of the worker: {peak_of(ours._child.pid):.0f} MiB")
    for program in restic_programs(arguments.restic):
        stock = Stock(base, project, program)
        stock.backup()
        times = []
        for _ in range(3):
            chance.choice(files).write_bytes(os.urandom(4000))
            times.append(timed(stock.backup)[0])
        theirs = statistics.median(times)
        print(f"{stock.name} backup: {theirs:.2f} s (median of 3), {theirs / wall:.0f} times that")
    ours.close()


def objects_in(store: Path) -> set[str]:
    return {str(path) for path in store.rglob("*") if path.is_file()}


class Watched:
    """A workspace as a server has it."""

    def __init__(self, base: Path, project: Path) -> None:
        self.durable: list[tuple[float, float]] = []
        self.workspace = Workspace(
            project=project,
            workspace="benchmark",
            uri=(base / "bucket").as_uri(),
            options={},
            fallback_uri=None,
            state=base / "state",
            listener=self._hear,
        )
        self.workspace.start()
        while self.workspace.status().state != "ok":
            time.sleep(0.1)

    def _hear(self, status: object) -> None:
        durable: datetime | None = getattr(status, "durable", None)
        if durable is not None:
            self.durable.append((time.time(), durable.timestamp()))


def latency(arguments: argparse.Namespace, base: Path) -> None:
    """From close() of a file to durable in the bucket, while somebody edits."""
    project = base / "project"
    make_small(project, arguments.files)
    watched = Watched(base, project)
    files = sorted(path for path in project.rglob("*") if path.is_file())
    chance, closed = random.Random(3), []
    end = time.time() + arguments.seconds
    while time.time() < end:
        chance.choice(files).write_bytes(os.urandom(chance.randrange(1000, 50_000)))
        closed.append(time.time())
        time.sleep(chance.expovariate(1 / 3))
    time.sleep(10)
    watched.workspace.stop()
    waits = [min(at for at, until in watched.durable if until > close) - close for close in closed]
    waits.sort()
    print(f"{len(waits)} files closed over {arguments.seconds} s, on average 3 s apart")
    for share in (0.5, 0.9, 0.99, 1.0):
        print(f"p{share * 100:g}: {waits[min(len(waits) - 1, int(share * len(waits)))]:.2f} s")


def idle(arguments: argparse.Namespace, base: Path) -> None:
    """Processor time while nothing changes."""
    project = base / "project"
    make_small(project, arguments.files)
    watched = Watched(base, project)
    pid = watched.workspace._capturer._child.pid

    def used(seconds: float) -> float:
        before, own = cpu_of(pid), time.process_time()
        time.sleep(seconds)
        return cpu_of(pid) - before + time.process_time() - own

    upkeep, idle = used(UPKEEP), used(arguments.seconds)
    watched.workspace.stop()
    print(f"the first quiet moment, once a day: {upkeep:.2f} s CPU")
    share = idle / arguments.seconds
    print(f"{arguments.files:,} files, {arguments.seconds} s idle: {share:.2%} of a core")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("tools", "warm", "latency", "idle"))
    parser.add_argument("--files", type=int, default=20_000, help="small files")
    parser.add_argument("--large", type=int, default=1434, help="MiB in large files")
    parser.add_argument(
        "--restic", action="append", default=[], help="a program, once for each; of the PATH"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    load = f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
    print(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {load}", flush=True)
    works = {"tools": tools, "warm": warm, "latency": latency, "idle": idle}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        works[arguments.what](arguments, Path(directory))


if __name__ == "__main__":
    sys.exit(main())
