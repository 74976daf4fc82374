"""Tools that take backups, each driven in the same way: ours, restic, borg; and what they use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

from jupyter_storage.snapshots.capture import Changes, Taken
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.local import LocalStore

PASSWORD = "benchmark"
NEVER = threading.Event()


class Use(NamedTuple):
    """What some work took: seconds of processor time, and MiB at most."""

    cpu: float
    memory: float


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

    def rest(self, seconds: float) -> float:
        """Wait until nothing was done for so long; how much processor time that took."""
        begun = last = self.cpu()
        while True:
            time.sleep(seconds)
            now = self.cpu()
            if now - last < seconds / 1000:
                return now - begun
            last = now

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
