"""Snapshots: this project, stock restic and borg, in turns, on the same files.

python benchmarks/snapshots.py tools --files 20000 --large 1434 --rounds 3
python benchmarks/snapshots.py warm --files 200000
python benchmarks/snapshots.py latency --files 2000 --seconds 120
python benchmarks/snapshots.py idle --files 20000 --seconds 60

Peers that are not installed are left out. restic gets a repository that was made here, so that
all derive their keys with the same parameters; borg has a derivation of its own.
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
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

from jupyter_storage.snapshots.capture import Changes, Taken
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.workspace import Workspace
from jupyter_storage.stores.local import LocalStore

PASSWORD = "benchmark"
NEVER = threading.Event()


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


class Ours:
    """The worker process, which stays; the first snapshot includes its start."""

    name = "jupyter_storage"

    def __init__(self, base: Path, project: Path) -> None:
        self.store, self._project = base / "ours", project
        self._state = base / "state"
        self._state.mkdir()
        (base / "password").write_text(PASSWORD)
        self._password = base / "password"
        self._child = Child(self._state / "run")
        self._tree = ""
        self.memory = 0.0

    def _take(self, changes: Changes | None) -> Taken:
        request: dict[str, object] = {
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
        }
        if changes is not None:
            request |= {"base": changes.base, "dirty": changes.marks}
        taken = self._child.capture(request, NEVER)
        self._tree = taken.tree
        return taken

    def backup(self) -> None:
        self._take(None)
        self.memory = max(self.memory, peak_of(self._child.pid))

    def change(self, key: str) -> None:
        """Take a snapshot where it is known what changed, as in a server that watches."""
        self._take(Changes(self._tree, [(key, False)]))

    def cpu(self) -> float:
        return cpu_of(self._child.pid)

    def restore(self, target: Path) -> None:
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
        run([sys.executable, "-c", script, str(self.store), PASSWORD, str(target)])

    def close(self) -> None:
        self._child.close()


class Stock:
    """Stock restic, on a repository made by us."""

    def __init__(self, base: Path, project: Path, *extra: str) -> None:
        self.name = " ".join(["restic", *extra])
        self._project, self._extra = project, extra
        store = base / f"restic{len(extra)}"
        Repository.create(LocalStore(store), PASSWORD).close()
        self._environment = {
            "RESTIC_REPOSITORY": str(store),
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_CACHE_DIR": str(base / f"cache{len(extra)}"),
        }
        self.memory = 0.0

    def _run(self, *words: str) -> None:
        peak = run(["restic", *words], self._environment)
        self.memory = max(self.memory, peak)

    def backup(self) -> None:
        self._run(*self._extra, "backup", str(self._project))

    def change(self, key: str) -> None:
        self.backup()

    def restore(self, target: Path) -> None:
        self._run("restore", "latest", "--target", str(target))

    def close(self) -> None:
        """Nothing stays."""


class Borg:
    """Borg, with its encryption."""

    name = "borg"

    def __init__(self, base: Path, project: Path) -> None:
        self._project, self._numbers = project, count()
        self._environment = {
            "BORG_REPO": str(base / "borg"),
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_BASE_DIR": str(base / "borg-state"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        run(["borg", "init", "--encryption", "repokey-blake2"], self._environment)
        self.memory, self._last = 0.0, ""

    def backup(self) -> None:
        self._last = f"::a{next(self._numbers)}"
        command = ["borg", "create", "--compression", "zstd,3", self._last, str(self._project)]
        self.memory = max(self.memory, run(command, self._environment))

    def change(self, key: str) -> None:
        self.backup()

    def restore(self, target: Path) -> None:
        target.mkdir()
        run(["borg", "extract", self._last], self._environment, target)

    def close(self) -> None:
        """Nothing stays."""


Tool = Ours | Stock | Borg


def run(command: list[str], more: dict[str, str] | None = None, where: Path | None = None) -> float:
    """Run a program; give its peak memory in MiB."""
    child = subprocess.Popen(
        command, env={**os.environ, **(more or {})}, stdout=subprocess.DEVNULL, cwd=where
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_maxrss / 1024


def peak_of(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_of(pid: int | None) -> float:
    """Seconds of processor time that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tools_in(base: Path, project: Path) -> list[Tool]:
    tools: list[Tool] = [Ours(base, project)]
    if shutil.which("restic"):
        tools.append(Stock(base, project))
        words = subprocess.run(["restic", "help"], capture_output=True, text=True, check=False)
        if "--no-extra-verify" in words.stdout:
            tools.append(Stock(base, project, "--no-extra-verify"))
    if shutil.which("borg"):
        tools.append(Borg(base, project))
    return tools


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(label: str, project: Path, base: Path, rounds: int) -> None:
    """First snapshot, one changed file, restore; all tools in turns."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    some = next(path for path in sorted(project.rglob("*")) if path.is_file())
    for number in range(rounds):
        here = base / f"round{number}"
        here.mkdir()
        tools = tools_in(here, project)
        names = [tool.name for tool in tools]
        # Whoever comes first finds a colder cache: they take turns at that, too.
        tools = tools[number % len(tools) :] + tools[: number % len(tools)]
        for tool in tools:
            times["first", tool.name].append(timed(tool.backup))
        for tool in tools:
            with some.open("ab") as file:
                file.write(b"changed")
            key = str(some.relative_to(project))
            times["one file changed", tool.name].append(timed(lambda t=tool, k=key: t.change(k)))
        for tool in tools:
            target = here / f"out-{len(tool.name)}"
            times["restore", tool.name].append(timed(lambda t=tool, o=target: t.restore(o)))
            times["peak MiB", tool.name].append(tool.memory)
            tool.close()
        shutil.rmtree(here)
    print(f"| {label} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for work in ("first", "one file changed", "restore", "peak MiB"):
        unit = "" if "MiB" in work else " s"
        cells = [f"{statistics.median(times[work, name]):.2f}{unit}" for name in names]
        print(f"| {work} | {' | '.join(cells)} |", flush=True)


def tools(arguments: argparse.Namespace, base: Path) -> None:
    project = base / "project"
    make_small(project, arguments.files)
    compare(f"{arguments.files:,} small files", project, base, arguments.rounds)
    shutil.rmtree(project)
    make_large(project, arguments.large)
    compare(f"{arguments.large:,} MiB in large files", project, base, arguments.rounds)


def warm(arguments: argparse.Namespace, base: Path) -> None:
    """One changed file among many: time, processor time, writes."""
    project = base / "project"
    make_small(project, arguments.files)
    ours = Ours(base, project)
    ours.backup()
    files = sorted(path for path in project.rglob("*") if path.is_file())
    chance, walls = random.Random(2), []
    changes = 100
    before, objects, written = ours.cpu(), objects_in(ours.store), 0
    for _ in range(changes):
        path = chance.choice(files)
        path.write_bytes(os.urandom(4000))
        walls.append(timed(lambda p=path: ours.change(str(p.relative_to(project)))))
        now = objects_in(ours.store)
        written, objects = written + len(now - objects), now
    cpu = (ours.cpu() - before) / changes
    # Each capture writes a lock, too, and takes it away.
    writes = written / changes + 1
    print(f"one file changed in {arguments.files:,}: {cpu * 1000:.1f} ms of processor time,")
    print(f"{statistics.median(walls) * 1000:.0f} ms, {writes:.2f} writes; medians of {changes}")
    print(f"peak memory of the worker: {peak_of(ours._child.pid):.0f} MiB")
    if shutil.which("restic"):
        stock = Stock(base, project)
        stock.backup()
        times = []
        for _ in range(3):
            chance.choice(files).write_bytes(os.urandom(4000))
            times.append(timed(stock.backup))
        print(f"restic backup: {statistics.median(times):.2f} s, median of 3")
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
    pid = watched.workspace._child.pid
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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    print(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, load {os.getloadavg()[0]:.1f}")
    works = {"tools": tools, "warm": warm, "latency": latency, "idle": idle}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        works[arguments.what](arguments, Path(directory))


if __name__ == "__main__":
    sys.exit(main())
