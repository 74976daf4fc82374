"""Transfers over a Ray cluster beside the same on one machine: overhead, three nodes, a lost one.

    python benchmarks/cluster.py --files 5000 --megabytes 4096 --bwlimit 20MB

Starts an S3 server on loopback (Ceph's gateway where it is installed) and Ray, in a network
namespace of its own (needs root, ``unshare`` and ``ip``). Objects go from bucket to bucket through
the nodes, not by the service itself. Prints seconds, as a whole and of the copying alone, without
the start of Python, Ray and workers, and ratios of the latter; each listing is compared with the
source's, sizes and hashes. With a limit, each node may move so many bytes a second, as its network
would let it. Without one, a node is killed when a third is copied.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "ray")]

ENCLOSED = "JUPYTER_STORAGE_BENCHMARK_ENCLOSED"
ENCLOSE = ("unshare", "-n", "-p", "--fork", "--kill-child=KILL", "--mount-proc")
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--megabytes", type=int, default=4096, help="of all files, in MiB")
    parser.add_argument("--bwlimit", default="20MB", help="of each node; 0: not measured")
    options = parser.parse_args()
    if ENCLOSED not in os.environ:
        sys.exit(_enclosed())
    with tempfile.TemporaryDirectory(prefix="cluster-", dir="/tmp") as name:
        _measure(Path(name), options)


def _enclosed() -> int:
    # Sockets have short paths.
    short = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    environment = {
        **os.environ,
        ENCLOSED: "1",
        "RAY_TMPDIR": short,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",
    }
    words = [
        *ENCLOSE,
        "sh",
        "-c",
        'ip link set lo up && exec "$@"',
        "sh",
        sys.executable,
        *sys.argv,
    ]
    try:
        return subprocess.run(words, env=environment, check=False).returncode
    finally:
        shutil.rmtree(short, ignore_errors=True)


def _measure(base: Path, options: argparse.Namespace) -> None:
    import json

    import botocore.session
    import three_nodes
    from servers import S3_ENVIRONMENT, make_s3_bucket, s3_server

    with s3_server() as endpoint:
        source, target = three_nodes.SOURCE, three_nodes.TARGET
        os.environ |= {
            **S3_ENVIRONMENT,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "JUPYTER_DATA_DIR": str(base / "data"),
            "JUPYTER_CONFIG_DIR": str(base / "config"),
            "JUPYTER_STORAGE_ROOT": str(base / "tiers"),
            "JUPYTER_STORAGE_STORE_OPTIONS": json.dumps(
                {f"s3://{target}": {"endpoint_url": endpoint.replace("127.0.0.1", "localhost")}}
            ),
        }
        for bucket in (source, target):
            make_s3_bucket(endpoint, bucket)
        _fill(endpoint, source, options.files, options.megabytes * MIB)
        client = botocore.session.Session().create_client("s3", endpoint_url=endpoint)
        expected = _listing(client, source, "tree/")
        limit = ("--bwlimit", options.bwlimit)

        def timed(name: str, *words: str, meanwhile: Callable[[], Any] = lambda: None) -> float:
            begun = time.monotonic()
            process = three_nodes.copy(name, "--json", *words)
            meanwhile()
            done = three_nodes.ended(process, timeout=None)
            whole = time.monotonic() - begun
            assert done["status"] == 0, done["errors"]
            assert _listing(client, target, f"{name}/") == expected, f"{name}: not the same"
            # The server keeps objects in memory.
            _delete(client, target, f"{name}/")
            seconds = _seconds(json.loads(done["output"]))
            print(f"{name:<24}{whole:8.1f} s, of which {seconds:6.1f} s copying", flush=True)
            return seconds

        local = timed("local")
        cluster = three_nodes.start()
        one = timed("ray-one-node", "--engine", "ray")
        print(f"{'':<24}{one / local:8.2f} × local", flush=True)
        limited = 0.0
        if options.bwlimit != "0":
            limited = timed("ray-one-node-limited", "--engine", "ray", *limit)
        nodes = [cluster.add_node(**three_nodes.options(number)) for number in (1, 2)]
        if limited:
            three = timed("ray-three-limited", "--engine", "ray", *limit)
            print(f"{'':<24}{limited / three:8.2f} × one node", flush=True)

        def kill() -> None:
            third = options.files // 3
            while len(_listing(client, target, "ray-one-is-killed/")) < third:
                time.sleep(0.5)
            nodes.pop().kill_raylet(check_alive=False)
            print("A node is killed.", flush=True)

        timed("ray-one-is-killed", "--engine", "ray", meanwhile=kill)


def _seconds(record: dict[str, Any]) -> float:
    started, finished = (
        datetime.fromisoformat(record[name].replace("Z", "+00:00"))
        for name in ("started", "finished")
    )
    return (finished - started).total_seconds()


def _fill(endpoint: str, bucket: str, files: int, size: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from obstore.store import S3Store

    store = S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )
    random = os.urandom(16 * MIB)
    each = size // files

    def put(number: int) -> None:
        # From a tenth to nearly twice the mean, and no two alike.
        length = each // 10 + 2 * (number * 37 % 100) * each * 9 // 10 // 100
        body = number.to_bytes(8, "big") + (random * (length // len(random) + 1))[:length]
        store.put(f"tree/{number % 50}/{number:06}.bin", body)

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(put, range(files)):
            pass


def _listing(client: Any, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        found["Key"].removeprefix(prefix): (found["Size"], found["ETag"])
        for page in pages
        for found in page.get("Contents", [])
    }


def _delete(client: Any, bucket: str, prefix: str) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        objects = [{"Key": found["Key"]} for found in page.get("Contents", [])]
        client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


if __name__ == "__main__":
    main()
