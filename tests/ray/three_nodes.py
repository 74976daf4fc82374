"""A cluster of three nodes with an S3 server, and transfers over it; prints what came of them.

To be run in a network and process namespace of its own: Ray listens on the machine's own address,
looks for others, and leaves processes behind.
"""

from __future__ import annotations

import ctypes
import io
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
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer
from ray.cluster_utils import Cluster

from jupyter_storage.cli import main as storage_here
from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts.mounters import choose

ENDPOINT = "http://127.0.0.1:5000"
SOURCE, TARGET = "bucket-from", "bucket-to"
FILES = 200
NODES = 3
ENGINES = ("ray", "local")
CLONE_NEWNS = 0x00020000
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
    cluster = start(own_disk)
    nodes = {0: cluster.head_node, **{each: add(cluster, each) for each in range(1, NODES)}}
    for scenario in (
        a_node_is_lost,
        it_is_stopped_and_resumed,
        conflicts,
        sync,
        looked_at,
        mounted,
        one_machine,
    ):
        print(json.dumps({scenario.__name__: scenario(client, cluster, nodes)}), flush=True)


def fill(client: Any) -> None:
    made = random.Random(1)
    for bucket in (SOURCE, TARGET):
        client.create_bucket(Bucket=bucket)
    for number in range(FILES):
        body = made.randbytes(made.choice([0, 1_000, 20_000, 60_000]))
        client.put_object(Bucket=SOURCE, Key=f"tree/{number % 7}/{number:03} ü.bin", Body=body)


def start(prepare: Callable[[int], None] = lambda _: None) -> Cluster:
    """Start Ray with one node; on a slow machine, too.

    A node gives its two agents 15 seconds to start and say their ports, and gives up. So they are
    told what to say, and the node knows it from the beginning.
    """

    def tell() -> None:
        while True:
            for session in Path(os.environ["RAY_TMPDIR"], "ray").glob("session_2*"):
                for name, port in AGENTS.items():
                    for number in range(NODES + 1):
                        file = session / f"{name}_{identity(number)}"
                        if not file.exists():
                            file.write_text(str(port + number))
            time.sleep(0.05)

    threading.Thread(target=tell, daemon=True).start()
    prepare(0)
    head = {**options(0), "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    os.environ["RAY_ADDRESS"] = cluster.address
    return cluster


def add(cluster: Cluster, number: int) -> Any:
    own_disk(number)
    return cluster.add_node(**options(number))


def own_disk(number: int) -> None:
    """Let what this thread starts have a local tier of its own, as another machine has."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) != 0:
        raise OSError("no mount namespace")
    tier = Path(os.environ["JUPYTER_STORAGE_ROOT"]) / "local_storage"
    disk(number).mkdir(parents=True)
    tier.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", str(disk(number)), str(tier)], check=True)


def disk(number: int) -> Path:
    return Path(os.environ["JUPYTER_STORAGE_ROOT"]).parent / f"disks/{number}"


def home(number: int) -> Path:
    return Path(os.environ["JUPYTER_STORAGE_ROOT"]).parent / f"homes/{number}"


def options(number: int) -> dict[str, Any]:
    return {
        "node_ip_address": "127.0.0.1",
        "num_cpus": 1,
        "object_store_memory": 80 * 2**20,
        "include_log_monitor": False,
        "no_monitor": True,
        "env_vars": {
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": identity(number),
            "JUPYTER_DATA_DIR": str(home(number)),
        },
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


def here(*words: str) -> dict[str, Any]:
    """Run a command in this process, whose workers stay warm."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        status = storage_here(list(words))
    return {"status": status, "output": output.getvalue(), "errors": errors.getvalue()}


def copy(to: str, *words: str) -> subprocess.Popen[str]:
    return storage("cp", "-r", *words, f"s3://{SOURCE}/tree", f"s3://{TARGET}/{to}")


def wait(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    while process.poll() is None and not reached():
        time.sleep(0.05)


def a_node_is_lost(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    process = copy("lost", "--engine", "ray", "--bwlimit", "500kB")
    wait(process, lambda: len(listing(client, TARGET, "lost/")) >= 60)
    nodes.pop(NODES - 1).kill_raylet(check_alive=False)
    copied = len(listing(client, TARGET, "lost/"))
    return {**ended(process), "copied": copied, "listing": listing(client, TARGET, "lost/")}


def it_is_stopped_and_resumed(
    client: Any, cluster: Cluster, nodes: dict[int, Any]
) -> dict[str, Any]:
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
    resumed = here("cp", "-r", "--engine", "ray", f"s3://{SOURCE}/tree", f"s3://{TARGET}/again")
    return {
        "stopped": stopped,
        "still": still,
        "first": len(first),
        "before": settled,
        "resumed": resumed,
        "listing": listing(client, TARGET, "again/"),
    }


def conflicts(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    client.delete_object(Bucket=TARGET, Key="lost/3/003 ü.bin")
    ends = (f"s3://{SOURCE}/tree", f"s3://{TARGET}/lost")
    there = here("cp", "-r", "--engine", "ray", "--json", *ends)
    client.delete_object(Bucket=TARGET, Key="lost/3/003 ü.bin")
    return {"ray": there, "local": here("cp", "-r", "--engine", "local", "--json", *ends)}


def sync(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    client.put_object(Bucket=TARGET, Key="lost/surplus.bin", Body=b"x")
    client.delete_object(Bucket=TARGET, Key="lost/4/004 ü.bin")
    words = ("--delete", "--yes", "--engine", "ray")
    made = here("sync", *words, f"s3://{SOURCE}/tree", f"s3://{TARGET}/lost")
    return {**made, "listing": listing(client, TARGET, "lost/")}


def looked_at(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    """What nodes add up and compare, beside the same on this machine."""
    ends = (f"s3://{SOURCE}/tree", f"s3://{TARGET}/lost")
    same = {engine: here("check", "--engine", engine, "--json", *ends) for engine in ENGINES}
    size = client.head_object(Bucket=TARGET, Key="lost/1/001 ü.bin")["ContentLength"]
    client.put_object(Bucket=TARGET, Key="lost/1/001 ü.bin", Body=bytes(size))
    client.delete_object(Bucket=TARGET, Key="lost/2/002 ü.bin")
    client.put_object(Bucket=TARGET, Key="lost/deep/er/surplus.bin", Body=b"x")
    other = {engine: here("check", "--engine", engine, "--json", *ends) for engine in ENGINES}
    words = ("du", "--json", "--depth", "2", ends[1], f"{ends[0]}/1")
    sums = {engine: here(*words, "--engine", engine) for engine in ENGINES}
    return {"same": same, "other": other, "sums": sums}


def mounted(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    """A mount and a copy on each node, one of them killed; and a node that comes later."""
    try:
        choose("/", "s3://bucket")
    except Unsupported as error:
        return {"why_not": error.message}
    mount = ("mount", "--nodes", "--json")
    for number in nodes:
        disk(number).joinpath("full").mkdir()
        disk(number).joinpath("full/file").touch()
    made = {
        "mount": here(*mount, f"s3://{SOURCE}/tree", "local:seen"),
        "copy": here(*mount, "--copy", f"s3://{SOURCE}/tree", "local:fetched"),
        "full": here(*mount, f"s3://{SOURCE}/tree", "local:full"),
    }
    seen = [hashes(node, "seen") for node in nodes.values()]
    kill_mount(1)
    killed = hashes(nodes[1], "seen")
    nodes[NODES] = add(cluster, NODES)
    until(lambda: hashes(nodes[1], "seen") and hashes(nodes[NODES], "seen"))
    healed = [hashes(node, "seen") for node in nodes.values()]
    until(lambda: len(hashes(nodes[NODES], "fetched")) == FILES)
    listed = here("mounts", "--nodes", "--json")
    copies = [hashes(node, "fetched") for node in nodes.values()]
    ended = here("unmount", "--nodes", "local:seen", "local:fetched")
    left = [hashes(node, "seen") for node in nodes.values()]
    return {
        "made": made,
        "seen": seen,
        "killed": killed,
        "healed": healed,
        "listed": listed,
        "copies": copies,
        "ended": ended,
        "left": left,
        "again": here("unmount", "--nodes", "local:seen"),
    }


def hashes(node: Any, directory: str) -> dict[str, str]:
    """Hashes of the files in a directory of a node's own disk, as it sees it."""
    pid = node.all_processes["raylet"][0].process.pid
    path = Path(os.environ["JUPYTER_STORAGE_ROOT"], "local_storage", directory)
    look = f"cd '{path}' && find . -type f -exec md5sum {{}} +"
    words = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "sh", "-c", look]
    printed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    lines = [line.split(maxsplit=1) for line in printed.splitlines()]
    return {name.removeprefix("./"): value for value, name in lines}


def kill_mount(number: int) -> None:
    """Kill what serves the mounts of a node, and what looks after it."""
    for file in home(number).glob("storage/nodes/*/mounts/*/pids.json"):
        numbers = json.loads(file.read_text())
        for name in ("supervisor", "mounter"):
            with suppress(ProcessLookupError, KeyError):
                os.kill(numbers[name], signal.SIGKILL)


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.5)


def one_machine(client: Any, cluster: Cluster, nodes: dict[int, Any]) -> dict[str, Any]:
    file = Path(os.environ["JUPYTER_STORAGE_ROOT"]).parent / "here.txt"
    file.write_text("here")
    words = ("cp", "--engine", "ray", str(file), f"s3://{TARGET}/here.txt")
    path = here(*words)
    tier = here("cp", "--engine", "ray", f"s3://{TARGET}/here.txt", "local:here.txt")
    os.environ["RAY_ADDRESS"] = "127.0.0.1:9"
    missing = ended(storage(*words, "--overwrite"))
    return {"path": path, "tier": tier, "missing": missing}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
