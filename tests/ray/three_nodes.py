"""A cluster of three nodes with an S3 server, and transfers over it; prints what came of them.

To be run in a network and process namespace of its own: Ray listens on the machine's own address,
looks for others, and leaves processes behind.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer
from ray.cluster_utils import Cluster

ENDPOINT = "http://127.0.0.1:5000"
SOURCE, TARGET = "bucket-from", "bucket-to"
FILES = 200
NODES = 3
AGENTS = {
    "metrics_agent_port": 21_000,
    "dashboard_agent_listen_port": 22_000,
    "metrics_export_port": 23_000,
    "runtime_env_agent_port": 24_000,
}

Listing = dict[str, tuple[int, str, str]]


def main(base: Path) -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=ENDPOINT,
        JUPYTER_DATA_DIR=str(base / "data"),
        JUPYTER_CONFIG_DIR=str(base / "config"),
        JUPYTER_STORAGE_ROOT=str(base / "tiers"),
        # Another name of the same server: bytes go through the nodes, not from bucket to bucket.
        JUPYTER_STORAGE_STORE_OPTIONS=json.dumps(
            {f"s3://{TARGET}": {"endpoint_url": ENDPOINT.replace("127.0.0.1", "localhost")}}
        ),
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ThreadedMotoServer("127.0.0.1", 5000, verbose=False).start()
    client = botocore.session.Session().create_client("s3", endpoint_url=ENDPOINT)
    fill(client)
    print(json.dumps({"expected": listing(client, SOURCE, "tree/")}), flush=True)
    cluster = start()
    nodes = [cluster.add_node(**options(number)) for number in range(1, NODES)]
    for scenario in (a_node_is_lost, it_is_stopped_and_resumed, conflicts, sync, one_machine):
        print(json.dumps({scenario.__name__: scenario(client, nodes)}), flush=True)


def fill(client: Any) -> None:
    made = random.Random(1)
    for bucket in (SOURCE, TARGET):
        client.create_bucket(Bucket=bucket)
    for number in range(FILES):
        body = made.randbytes(made.choice([0, 1_000, 20_000, 60_000]))
        client.put_object(Bucket=SOURCE, Key=f"tree/{number % 7}/{number:03} ü.bin", Body=body)


def start() -> Cluster:
    """Start Ray with one node; on a slow machine, too.

    A node gives its two agents 15 seconds to start and say their ports, and gives up. So they are
    told what to say, and the node knows it from the beginning.
    """

    def tell() -> None:
        while True:
            for session in Path(os.environ["RAY_TMPDIR"], "ray").glob("session_2*"):
                for name, port in AGENTS.items():
                    for number in range(NODES):
                        file = session / f"{name}_{identity(number)}"
                        if not file.exists():
                            file.write_text(str(port + number))
            time.sleep(0.05)

    threading.Thread(target=tell, daemon=True).start()
    head = {**options(0), "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    os.environ["RAY_ADDRESS"] = cluster.address
    return cluster


def options(number: int) -> dict[str, Any]:
    return {
        "node_ip_address": "127.0.0.1",
        "num_cpus": 1,
        "object_store_memory": 80 * 2**20,
        "include_log_monitor": False,
        "no_monitor": True,
        "env_vars": {"RAY_OVERRIDE_NODE_ID_FOR_TESTING": identity(number)},
        **{name: port + number for name, port in AGENTS.items()},
    }


def identity(number: int) -> str:
    return f"{number + 1:056x}"


def listing(client: Any, bucket: str, prefix: str) -> Listing:
    """Size, hash and time of each object."""
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        each["Key"].removeprefix(prefix): (
            each["Size"],
            each["ETag"],
            each["LastModified"].isoformat(),
        )
        for each in found
    }


def storage(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_storage.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], *, timeout: float | None = 120) -> dict[str, Any]:
    output, errors = process.communicate(timeout=timeout)
    return {"status": process.returncode, "output": output, "errors": errors}


def copy(to: str, *words: str) -> subprocess.Popen[str]:
    return storage("cp", "-r", *words, f"s3://{SOURCE}/tree", f"s3://{TARGET}/{to}")


def wait(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    while process.poll() is None and not reached():
        time.sleep(0.05)


def a_node_is_lost(client: Any, nodes: list[Any]) -> dict[str, Any]:
    process = copy("lost", "--engine", "ray", "--bwlimit", "500kB")
    wait(process, lambda: len(listing(client, TARGET, "lost/")) >= 60)
    nodes.pop().kill_raylet(check_alive=False)
    copied = len(listing(client, TARGET, "lost/"))
    return {**ended(process), "copied": copied, "listing": listing(client, TARGET, "lost/")}


def it_is_stopped_and_resumed(client: Any, nodes: list[Any]) -> dict[str, Any]:
    process = copy("again", "--engine", "ray", "--bwlimit", "500kB")
    wait(process, lambda: len(listing(client, TARGET, "again/")) >= 40)
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    first = listing(client, TARGET, "again/")
    process = copy("again", "--engine", "ray", "--bwlimit", "500kB")
    # Nothing came after the one had stopped and before the other began.
    still = listing(client, TARGET, "again/") == first
    wait(process, lambda: len(listing(client, TARGET, "again/")) >= len(first) + 40)
    process.kill()
    ended(process)
    settled = listing(client, TARGET, "again/")
    while (later := listing(client, TARGET, "again/")) != settled or not time.sleep(1):
        if later == settled:
            break
        settled = later
    resumed = ended(copy("again", "--engine", "ray"))
    return {
        "stopped": stopped,
        "still": still,
        "first": len(first),
        "before": settled,
        "resumed": resumed,
        "listing": listing(client, TARGET, "again/"),
    }


def conflicts(client: Any, nodes: list[Any]) -> dict[str, Any]:
    client.delete_object(Bucket=TARGET, Key="lost/3/003 ü.bin")
    there = ended(copy("lost", "--engine", "ray", "--json"))
    client.delete_object(Bucket=TARGET, Key="lost/3/003 ü.bin")
    return {"ray": there, "local": ended(copy("lost", "--engine", "local", "--json"))}


def sync(client: Any, nodes: list[Any]) -> dict[str, Any]:
    client.put_object(Bucket=TARGET, Key="lost/surplus.bin", Body=b"x")
    client.delete_object(Bucket=TARGET, Key="lost/4/004 ü.bin")
    words = ("--delete", "--yes", "--engine", "ray")
    made = ended(storage("sync", *words, f"s3://{SOURCE}/tree", f"s3://{TARGET}/lost"))
    return {**made, "listing": listing(client, TARGET, "lost/")}


def one_machine(client: Any, nodes: list[Any]) -> dict[str, Any]:
    here = Path(os.environ["JUPYTER_STORAGE_ROOT"]).parent / "here.txt"
    here.write_text("here")
    words = ("cp", "--engine", "ray", str(here), f"s3://{TARGET}/here.txt")
    path = ended(storage(*words))
    tier = ended(storage("cp", "--engine", "ray", f"s3://{TARGET}/here.txt", "local:here.txt"))
    os.environ["RAY_ADDRESS"] = "127.0.0.1:9"
    missing = ended(storage(*words, "--overwrite"))
    return {"path": path, "tier": tier, "missing": missing}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
