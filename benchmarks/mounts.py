"""How mounts do: reading beside ``cp``, the first byte, large listings, and what befalls them.

    python benchmarks/mounts.py --runs 5 --megabytes 512  # reading in order, and the first byte
    python benchmarks/mounts.py --objects 100000          # a bucket of so many objects
    python benchmarks/mounts.py --rounds 100              # faults: see tests/mounts/rounds.py

Starts Ceph's S3 gateway on loopback. Reading: ``jupyter storage cp`` to memory (its start-up
included) and each mounter that works here take turns; what the kernel kept is dropped between the
runs. Prints the medians, and the ratio of a mount's speed to that of ``cp``. Rounds end with status
1 if anything that was written is lost, or cannot be read again within 10 seconds.
Needs ``/dev/fuse``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from obstore.store import S3Store

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(1, str(Path(__file__).parent.parent / "tests/mounts"))

from gate import Gate
from recorder import recorded
from rounds import FAULTS, Rounds
from servers import S3_ENVIRONMENT, make_s3_bucket, s3_server

from jupyter_storage.mounts.mounters import BUILT_IN
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore

BUCKET = "benchmark"
MIB = 2**20
LATE = 10.0  # seconds
MOUNTERS = ("built-in", "rclone", "s3fs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--objects", type=int)
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    with s3_server() as endpoint, TemporaryDirectory(prefix="mounts-", dir="/tmp") as name:
        os.environ |= {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}
        make_s3_bucket(endpoint, BUCKET)
        mounts = Mounts(Path(name) / "state")
        try:
            if options.rounds:
                _befall(endpoint, mounts, Path(name), options.rounds)
            elif options.objects:
                _list(endpoint, mounts, Path(name) / "bucket", options.objects)
            else:
                _compare(endpoint, mounts, Path(name), options.runs, options.megabytes * MIB)
                _first_byte(endpoint, mounts, Path(name) / "first")
        finally:
            for record in mounts.all():
                mounts.unmount(Path(record.target), force=True)


def _compare(endpoint: str, mounts: Mounts, base: Path, runs: int, size: int) -> None:
    _store(endpoint).put("large", os.urandom(size))
    mounters = [each for each in MOUNTERS if each == BUILT_IN or shutil.which(each)]
    targets = {mounter: base / mounter for mounter in mounters}
    for mounter, target in targets.items():
        mounts.mount(target, f"s3://{BUCKET}", {}, mounter=mounter)
    seconds: dict[str, list[float]] = {"cp": []}
    for _ in range(runs):
        seconds["cp"].append(_copied())
        for mounter, target in targets.items():
            seconds.setdefault(mounter, []).append(_read(target / "large", size))
    for who, each in seconds.items():
        middle = statistics.median(each)
        ratio = statistics.median(a / b for a, b in zip(seconds["cp"], each, strict=True))
        print(f"{who:<12} {middle:7.2f} s  {size / middle / MIB:7.0f} MiB/s  {ratio:5.2f} × cp")


def _first_byte(endpoint: str, mounts: Mounts, target: Path) -> None:
    with recorded(endpoint) as (recording, seen):
        os.environ["AWS_ENDPOINT_URL"] = recording
        mounts.mount(target, f"s3://{BUCKET}", {})
        os.listdir(target)
        seen.clear()
        began = time.monotonic()
        with (target / "large").open("rb", buffering=0) as file:
            file.read(1)
            took = time.monotonic() - began
            requests = len(seen)
        mounts.unmount(target, force=True)
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    print(f"first byte   {took * 1000:7.0f} ms after the opening, {requests} requests")


def _list(endpoint: str, mounts: Mounts, target: Path, objects: int) -> None:
    store = _store(endpoint)
    began = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda each: store.put(f"many/{each:07}", b"x"), range(objects)))
    print(f"filled with {objects:,} objects in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    mounts.mount(target, f"s3://{BUCKET}", {})
    print(f"mounted     {time.monotonic() - began:7.2f} s")
    for what, work in (
        ("ls", lambda: len(os.listdir(target / "many"))),
        ("ls -l", lambda: sum(entry.stat().st_size for entry in os.scandir(target / "many"))),
    ):
        began = time.monotonic()
        found = work()
        print(f"{what:<11} {time.monotonic() - began:7.2f} s  {found:,}")
        if found != objects:
            raise SystemExit(f"{found:,} of {objects:,}")
    began = time.monotonic()
    (target / f"many/{objects // 2:07}").read_bytes()
    print(f"one read    {time.monotonic() - began:7.2f} s")


def _befall(endpoint: str, mounts: Mounts, base: Path, rounds: int) -> None:
    with closing(RetryingStore(open_store(f"s3://{BUCKET}"))) as aside:
        gate = Gate(endpoint)
        os.environ["AWS_ENDPOINT_URL"] = gate.endpoint
        plain, cached = base / "plain", base / "cached"
        mounts.mount(plain, f"s3://{BUCKET}", {})
        mounts.mount(cached, f"s3://{BUCKET}", {}, cached=True)
        work = Rounds(gate, mounts, plain, cached, aside)
        seconds: dict[str, list[float]] = {}
        for number in range(rounds):
            fault = FAULTS[number % len(FAULTS)]
            seconds.setdefault(fault, []).append(work.run(number, fault))
        mounts.unmount(plain)
        mounts.unmount(cached)
        gate.shut()
    for fault, each in seconds.items():
        middle, most = statistics.median(each), max(each)
        print(
            f"{fault:<10} {len(each):3} rounds  read again after {middle:4.1f} s, most {most:.1f}"
        )
    late = [fault for fault, each in seconds.items() if max(each) > LATE]
    if late:
        raise SystemExit(f"too late: {', '.join(late)}")
    print(f"{rounds} rounds: nothing was lost")


def _store(endpoint: str) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=endpoint,
        region=S3_ENVIRONMENT["AWS_DEFAULT_REGION"],
        access_key_id=S3_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        secret_access_key=S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )


def _copied() -> float:
    command = [sys.executable, "-m", "jupyter_storage.cli", "cp", "-q", f"s3://{BUCKET}/large"]
    with TemporaryDirectory(dir="/dev/shm") as memory:
        began = time.monotonic()
        subprocess.run([*command, f"{memory}/large"], check=True)
        return time.monotonic() - began


def _read(path: Path, size: int) -> float:
    buffer = bytearray(MIB)
    done = 0
    began = time.monotonic()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            done += count
        took = time.monotonic() - began
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if done != size:
        raise SystemExit(f"{done:,} of {size:,} bytes")
    return took


if __name__ == "__main__":
    main()
