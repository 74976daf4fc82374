"""What the steps of a first snapshot of small files cost: microseconds of processor time a file.

python benchmarks/steps.py --files 20000

Each step is done for all files, and then the next; the fastest of some rounds counts. One by one
they take less than in turns, where each finds the processor's caches full of the others' code.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from backups import PASSWORD
from snapshots import make_small

from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.nodes import attributes_of, file_text
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.compression import compress
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.small import read_small
from jupyter_storage.stores.local import LocalStore

ROUNDS = 3


def read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def used() -> float:
    """Seconds of processor time, with those of processes that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def measure(name: str, files: int, work: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        before = used()
        work()
        best = min(best, used() - before)
    print(f"{name:<45}{best / files * 1e6:6.1f} µs", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    files = parser.parse_args().files
    print(f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        project = Path(directory, "project")
        make_small(project, files)
        paths = [str(path) for path in project.rglob("*") if path.is_file()]
        statuses = [os.lstat(path) for path in paths]
        contents = [read(path) for path in paths]
        keys, descriptor = Keys.random(), os.open(paths[0], os.O_RDONLY)

        def whole() -> None:
            store = LocalStore(Path(tempfile.mkdtemp(dir=directory)))
            repository = Repository.create(store, PASSWORD)
            capture(repository, project)
            repository.close()

        def each(work: Callable[[str], object]) -> Callable[[], object]:
            return lambda: [work(path) for path in paths]

        measure("open, look, read, close", files, each(read))
        measure("SHA-256", files, lambda: [hashlib.sha256(c).digest() for c in contents])
        measure("zstd", files, lambda: [compress(c) for c in contents])
        measure("AES and Poly1305", files, lambda: [keys.seal(c) for c in contents])
        measure("extended attributes", files, each(lambda _: attributes_of(descriptor)))
        measure(
            "the node", files, lambda: [file_text("name", s, (), ("0" * 64,)) for s in statuses]
        )
        batches = [
            [(path, "name") for path in paths[start : start + 64]]
            for start in range(0, len(paths), 64)
        ]
        measure(
            "all of these, 64 files at a time",
            files,
            lambda: [read_small(batch, keys, lambda _: False) for batch in batches],
        )
        measure("the whole snapshot, in two processes", files, whole)
        command = [sys.executable, "-c", "import jupyter_storage.snapshots.worker"]
        measure(
            "the start of the process", files, lambda: subprocess.run(command, check=True, cwd="/")
        )
        os.close(descriptor)


if __name__ == "__main__":
    main()
