"""How fast a large file is read in order through mounts, beside ``cp`` from the same server.

    python benchmarks/mounts.py --runs 5 --megabytes 512

Starts Ceph's S3 gateway on loopback. ``jupyter storage cp`` to memory (its start-up included) and
each mounter that works here take turns; what the kernel kept is dropped between the runs. Prints
the medians, and the ratio of a mount's speed to that of ``cp``. Needs ``/dev/fuse``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from obstore.store import S3Store

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers import S3_ENVIRONMENT, make_s3_bucket, s3_server

from jupyter_storage.mounts.mounters import BUILT_IN
from jupyter_storage.mounts.mounts import Mounts

BUCKET = "benchmark"
MIB = 2**20
MOUNTERS = ("built-in", "rclone", "s3fs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args()
    size = options.megabytes * MIB
    with s3_server() as endpoint, TemporaryDirectory(prefix="mounts-", dir="/tmp") as name:
        os.environ |= {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}
        make_s3_bucket(endpoint, BUCKET)
        _fill(endpoint, size)
        mounts = Mounts(Path(name) / "state")
        mounters = [each for each in MOUNTERS if each == BUILT_IN or shutil.which(each)]
        targets = {mounter: Path(name) / mounter for mounter in mounters}
        try:
            for mounter, target in targets.items():
                mounts.mount(target, f"s3://{BUCKET}", {}, mounter=mounter)
            seconds: dict[str, list[float]] = {"cp": []}
            for _ in range(options.runs):
                seconds["cp"].append(_copied())
                for mounter, target in targets.items():
                    seconds.setdefault(mounter, []).append(_read(target / "large", size))
        finally:
            for target in targets.values():
                mounts.unmount(target, force=True)
    for who, each in seconds.items():
        middle = statistics.median(each)
        ratio = statistics.median(a / b for a, b in zip(seconds["cp"], each, strict=True))
        print(f"{who:<12} {middle:7.2f} s  {size / middle / MIB:7.0f} MiB/s  {ratio:5.2f} × cp")


def _fill(endpoint: str, size: int) -> None:
    store = S3Store(
        BUCKET,
        endpoint=endpoint,
        region=S3_ENVIRONMENT["AWS_DEFAULT_REGION"],
        access_key_id=S3_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        secret_access_key=S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )
    store.put("large", os.urandom(size))


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
