"""Snapshots: this project and stock restic, in turns, on the same files.

python benchmarks/snapshots.py --files 20000 --large 1024 --rounds 3
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
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from jupyter_storage.snapshots.workspace import Workspace


def make_small(directory: Path, count: int) -> None:
    """Files of some 4.5 KB, 40 in each directory, half text."""
    chance = random.Random(1)
    for number in range(count):
        path = directory / f"d{number // 40 % 25}/e{number // 1000}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = chance.randrange(500, 8500)
        path.write_bytes(chance.randbytes(size) if number % 2 else b"some text, " * (size // 11))


def make_large(directory: Path, megabytes: int) -> None:
    """Files of 32 MiB, a quarter of it compressible."""
    directory.mkdir(parents=True)
    for number in range(max(1, megabytes // 32)):
        with (directory / f"large{number}").open("wb") as file:
            file.write(os.urandom(24 * 2**20) + b"some text, " * (8 * 2**20 // 11))


class Ours:
    name = "jupyter_storage"

    def __init__(self, base: Path, project: Path) -> None:
        uri = (base / "ours").as_uri()
        self._workspace = Workspace(
            project=project,
            workspace="benchmark",
            uri=uri,
            options={},
            fallback_uri=None,
            state=base / "state",
        )

    def backup(self) -> None:
        self._workspace.now()

    def restore(self, target: Path) -> None:
        assert not self._workspace.restore("latest", target).failures


class Stock:
    name = "restic"

    def __init__(self, base: Path, project: Path) -> None:
        self._project = project
        self._environment = {
            **os.environ,
            "RESTIC_REPOSITORY": str(base / "restic"),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(base / "cache"),
        }
        (base / "cache").mkdir()
        self._run("init")

    def _run(self, *words: str) -> None:
        subprocess.run(
            ["restic", *words], env=self._environment, check=True, stdout=subprocess.DEVNULL
        )

    def backup(self) -> None:
        self._run("backup", str(self._project))

    def restore(self, target: Path) -> None:
        self._run("restore", "latest", "--target", str(target))


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(project: Path, base: Path, rounds: int) -> dict[tuple[str, str], list[float]]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        here = base / f"round{number}"
        here.mkdir()
        tools = [Ours(here, project), Stock(here, project)]
        # Whoever comes first finds a colder cache: they take turns at that, too.
        tools = tools[:: 1 if number % 2 else -1]
        for tool in tools:
            times["first", tool.name].append(timed(tool.backup))
        some = next(path for path in sorted(project.rglob("*")) if path.is_file())
        for tool in tools:
            with some.open("ab") as file:
                file.write(b"changed")
            times["one file changed", tool.name].append(timed(tool.backup))
        for tool in tools:
            target = here / f"out-{tool.name}"
            times["restore", tool.name].append(timed(lambda t=tool, o=target: t.restore(o)))
        shutil.rmtree(here)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000, help="small files")
    parser.add_argument("--large", type=int, default=1024, help="MiB in large files")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| work | restic | jupyter_storage |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        base = Path(directory)
        sets: list[tuple[str, Callable[[Path], None]]] = [
            (f"{arguments.files:,} files", lambda path: make_small(path, arguments.files)),
            (f"{arguments.large:,} MiB, large", lambda path: make_large(path, arguments.large)),
        ]
        for label, make in sets:
            project = base / "project"
            make(project)
            times = measure(project, base, arguments.rounds)
            for work in ("first", "one file changed", "restore"):
                stock, ours = (
                    statistics.median(times[work, name]) for name in ("restic", "jupyter_storage")
                )
                print(f"| {label}: {work} | {stock:.2f} s | {ours:.2f} s |", flush=True)
            shutil.rmtree(project)


if __name__ == "__main__":
    sys.exit(main())
