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
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from jupyter_storage.snapshots.capture import Changes, Taken
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.workspace import Workspace
from jupyter_storage.stores.local import LocalStore

PASSWORD = "benchmark"
NEVER = threading.Event()
CHANGES = 100


class Use(NamedTuple):
    """What some work took: seconds of processor time, and MiB at most."""

    cpu: float
    memory: float


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


class Ours:
    """The worker process, which stays; the first snapshot includes its start."""

    name = "jupyter_storage"

    def __init__(self, base: Path, project: Path) -> None:
        self.store, self._project = base / "ours", project
        self._state = base / "state"
        self._state.mkdir()
        (base / "password").write_text(PASSWORD)
        self._password = base / "password"
        Repository.create(LocalStore(self.store), PASSWORD).close()
        self._child = Child(self._state / "run")
        self._tree = ""

    def _take(self, changes: Changes | None) -> Taken:
        request = self._request()
        if changes is not None:
            request |= {"base": changes.base, "dirty": changes.marks}
        taken = self._child.capture(request, NEVER)
        self._tree = taken.tree
        return taken

    def prepare(self) -> None:
        """Do what a server does half a second before a snapshot, while it waits for quiet."""
        self._child.prepare(self._request())
        time.sleep(0.5)

    def _request(self) -> dict[str, object]:
        return {
            "uri": self.store.as_uri(),
            "options": {},
            "password_file": str(self._password),
            "state": str(self._state),
            "project": str(self._project),
            "tags": ["workspace:benchmark"],
            "lineage": ["workspace:benchmark"],
            "excluded": [],
            "gitignore": True,
            "force": False,
            "bandwidth": 0,
            "retention": "all forever",
        }

    def backup(self) -> Use:
        before, peaks = self.cpu(), Peaks(lambda: self._child.pid)
        with peaks:
            self._take(None)
        return Use(self.cpu() - before, peaks.sum)

    def change(self, key: str) -> Use:
        """Take a snapshot where it is known what changed, as in a server that watches."""
        before = self.cpu()
        self._take(Changes(self._tree, [(key, False)]))
        return Use(self.cpu() - before, 0.0)

    def cpu(self) -> float:
        return cpu_of(self._child.pid) if self._child.pid else 0.0

    def state_size(self) -> int:
        """Bytes that it keeps on this machine."""
        return sum(path.stat().st_size for path in self._state.rglob("*") if path.is_file())

    def restore(self, target: Path) -> Use:
        script = (
            "import sys; from pathlib import Path\n"
            "from jupyter_storage.snapshots.repository import Repository\n"
            "from jupyter_storage.snapshots.restore import restore\n"
            "from jupyter_storage.stores.local import LocalStore\n"
            "repository = Repository.open(LocalStore(Path(sys.argv[1])), sys.argv[2])\n"
            "repository.refresh()\n"
            "done = restore(repository, repository.snapshots()[-1], Path(sys.argv[3]))\n"
            "assert not done.failures\n"
        )
        return run([sys.executable, "-c", script, str(self.store), PASSWORD, str(target)])

    def close(self) -> None:
        self._child.close()


class Stock:
    """Stock restic, on a repository made by us."""

    def __init__(self, base: Path, project: Path, program: str, *extra: str) -> None:
        self.name = " ".join([version_of(program), *extra])
        self._program, self._project, self._extra = program, project, extra
        store = base / self.name.replace(" ", "-")
        Repository.create(LocalStore(store), PASSWORD).close()
        self._environment = {
            "RESTIC_REPOSITORY": str(store),
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_CACHE_DIR": str(base / f"cache-{store.name}"),
        }

    def _run(self, *words: str) -> Use:
        return run([self._program, *self._extra, *words], self._environment)

    def backup(self) -> Use:
        return self._run("backup", str(self._project))

    def change(self, key: str) -> Use:
        return self.backup()

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def restore(self, target: Path) -> Use:
        return self._run("restore", "latest", "--target", str(target))

    def close(self) -> None:
        """Nothing stays."""


class Borg:
    """Borg, with its encryption."""

    def __init__(self, base: Path, project: Path) -> None:
        self.name = version_of("borg")
        self._project, self._numbers = project, count()
        self._environment = {
            "BORG_REPO": str(base / "borg"),
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_BASE_DIR": str(base / "borg-state"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        run(["borg", "init", "--encryption", "repokey-blake2"], self._environment)
        self._last = ""

    def backup(self) -> Use:
        self._last = f"::a{next(self._numbers)}"
        command = ["borg", "create", "--compression", "zstd,3", self._last, str(self._project)]
        return run(command, self._environment)

    def change(self, key: str) -> Use:
        return self.backup()

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def restore(self, target: Path) -> Use:
        target.mkdir()
        return run(["borg", "extract", self._last], self._environment, target)

    def close(self) -> None:
        """Nothing stays."""


Tool = Ours | Stock | Borg


def run(command: list[str], more: dict[str, str] | None = None, where: Path | None = None) -> Use:
    """Run a program."""
    child = subprocess.Popen(
        command,
        env={**os.environ, **(more or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=where,
    )
    with Peaks(lambda: child.pid) as peaks:
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    # Not its ru_maxrss: that counts what this process had when it started the other.
    return Use(usage.ru_utime + usage.ru_stime, peaks.sum)


class Peaks:
    """Watches how much memory a process and its children use at most, together."""

    def __init__(self, pid: Callable[[], int | None]) -> None:
        self._pid, self._most = pid, dict[int, float]()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._done.set()
        self._thread.join()

    @property
    def sum(self) -> float:
        """MiB, each process at its own peak."""
        return sum(self._most.values())

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._look()

    def _look(self) -> None:
        pid = self._pid()
        if pid is None:
            return
        for each in [pid, *children_of(pid)]:
            with suppress(OSError, IndexError, ValueError):
                self._most[each] = peak_of(each)


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def peak_of(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_of(pid: int | None) -> float:
    """Seconds of processor time that a process used, and its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@cache
def version_of(program: str) -> str:
    """Name and version of restic or borg."""
    word = "--version" if "borg" in program else "version"
    done = subprocess.run([program, word], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


def restic_programs(chosen: list[str]) -> list[str]:
    found = chosen or ["restic"]
    return [program for program in found if shutil.which(program)]


def tools_in(base: Path, project: Path, programs: list[str]) -> list[Tool]:
    tools: list[Tool] = [Ours(base, project)]
    for program in programs:
        tools.append(Stock(base, project, program))
        words = subprocess.run([program, "help"], capture_output=True, text=True, check=False)
        if "--no-extra-verify" in words.stdout:
            tools.append(Stock(base, project, program, "--no-extra-verify"))
    if shutil.which("borg"):
        tools.append(Borg(base, project))
    return tools


def timed(work: Callable[[], Use]) -> tuple[float, Use]:
    start = time.perf_counter()
    use = work()
    return time.perf_counter() - start, use


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


def compare(label: str, project: Path, base: Path, rounds: int, programs: list[str]) -> None:
    """First snapshot, one changed file, restore; all tools in turns."""
    figures = Figures()
    some = next(path for path in sorted(project.rglob("*")) if path.is_file())
    for number in range(rounds):
        here = base / f"round{number}"
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
            shutil.rmtree(target)
            tool.close()
        shutil.rmtree(here)
    figures.print(label, names, ["first snapshot", "one file changed", "restore"])


def tools(arguments: argparse.Namespace, base: Path) -> None:
    project = base / "project"
    make_small(project, arguments.files)
    programs = restic_programs(arguments.restic)
    compare(f"{arguments.files:,} small files", project, base, arguments.rounds, programs)
    shutil.rmtree(project)
    make_large(project, arguments.large)
    label = f"{arguments.large:,} MiB in large files"
    compare(label, project, base, arguments.rounds, programs)


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
    before, own = cpu_of(pid), time.process_time()
    time.sleep(arguments.seconds)
    worker, server = cpu_of(pid) - before, time.process_time() - own
    watched.workspace.stop()
    share = (worker + server) / arguments.seconds
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
