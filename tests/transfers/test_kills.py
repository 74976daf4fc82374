"""A client that is killed at random moments, and the same command again.

``JUPYTER_STORAGE_TEST_KILLS=300`` makes it that many for each command.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.store import Store

KILLS = int(os.environ.get("JUPYTER_STORAGE_TEST_KILLS", "6"))
ROUND = 3  # kills before the command may end

# Each client is forked from a process that has imported what takes long; none of it has run.
CLIENTS = multiprocessing.get_context("forkserver")
CLIENTS.set_forkserver_preload(["jupyter_storage.cli", "jupyter_storage.stores.s3"])


def run(words: list[str], environment: dict[str, str]) -> None:
    from jupyter_storage.cli import main

    os.environ.update(environment)
    sys.exit(main(words))


def client(words: list[str]) -> multiprocessing.process.BaseProcess:
    # The server of forks lives longer than this test and its environment.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("AWS_", "HOME", "JUPYTER"))
    }
    process = CLIENTS.Process(target=run, args=(words, environment))
    process.start()
    return process


def plant(root: Path) -> dict[str, str]:
    generator = random.Random(7)
    sizes = [generator.randrange(30_000) for _ in range(60)] + [18 * 2**20]
    for number, size in enumerate(sizes):
        path = root / f"d{number % 4}" / f"f{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(size))
    return hashes(LocalStore(root), "")


def hashes(store: Store, base: str) -> dict[str, str]:
    """All files that anybody can see."""
    found = {}
    for entry in store.walk(base):
        if entry.type == "file":
            name = entry.path[len(base) + 1 :] if base else entry.path
            found[name] = hashlib.sha256(store.read(entry.path)).hexdigest()
    return found


@pytest.mark.faults
@pytest.mark.parametrize("words", [("cp", "-r"), ("sync",)])
@pytest.mark.parametrize("place", ["bucket", "directory"])
def test_a_kill_leaves_whole_files_and_the_same_command_goes_on(
    tmp_path, s3_bucket, words, place, record_property
):
    expected = plant(tmp_path / "source")
    store: Store
    if place == "bucket":
        store, root = open_store(f"s3://{s3_bucket}/", {}), f"s3://{s3_bucket}"
    else:
        store, root = LocalStore(tmp_path), str(tmp_path)
    generator = random.Random(f"{words} {place}")
    killed, number, length = 0, 0, 1.0
    while killed < KILLS:
        number += 1
        name = f"target{number}"
        command = ["-q", *words, str(tmp_path / "source"), f"{root}/{name}"]
        ended = False
        for _ in range(ROUND):
            process = client(command)
            process.join(generator.uniform(0, length))
            process.kill()
            process.join()
            if process.exitcode == 0:
                ended = True  # before its kill: the same again would be another command
                break
            assert process.exitcode == -signal.SIGKILL
            killed += 1
            if any(entry.name == name for entry in store.list("").entries):
                there = hashes(store, name)
                assert there == {each: expected[each] for each in there}
        if not ended:
            began = time.monotonic()
            last = client(command)
            last.join(60)
            assert last.exitcode == 0
            length = time.monotonic() - began
        assert hashes(store, name) == expected
        if place == "directory":
            shutil.rmtree(tmp_path / name)
    assert hashes(LocalStore(tmp_path / "source"), "") == expected
    store.close()
    record_property("killed clients", killed)
