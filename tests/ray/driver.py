"""What the tests of Ray run in processes of their own, which can be killed: see ``enclosure.py``.

Words: ``start`` begins three experiments: of Tune on a bucket and in a directory, of Train on the
bucket; ``go-on`` restores them on a cluster of two nodes, and says what the nodes know of tiers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.train
from enclosure import ARTIFACTS, BUSY, MIDDLE
from ray import tune
from ray.cluster_utils import Cluster
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import jupyter_storage
from jupyter_storage.commands.session import session
from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.ray import location, run_config, runtime_env

LOG = Path(os.environ["TEST_LOG"])
SESSION = sys.argv[1]
# The five best are neither the first nor the last five.
SCORES = (5, 1, 2, 4, 3, 6)
KEPT = 5
FAILS, WAITS = 1, 2
MIDDLES = (("cats", "artifacts:cats"), ("dogs", "shared:team/dogs"))
BIRDS = "artifacts:trained/birds"
SNAPSHOT = f"{BIRDS}/checkpoint_manager_snapshot.json"
BEST = 2


def saved(module: Any, step: int) -> Any:
    directory = Path(tempfile.mkdtemp())
    directory.joinpath("state.json").write_text(json.dumps({"step": step}))
    directory.joinpath("model").mkdir()
    directory.joinpath("model/weights.bin").write_bytes(bytes(200_000))
    return module.Checkpoint.from_directory(str(directory))


def first_step(checkpoint: Any) -> int:
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as directory:
        return int(json.loads(Path(directory, "state.json").read_text())["step"]) + 1


def trial(config: dict[str, Any]) -> None:
    for step in range(first_step(tune.get_checkpoint()), len(SCORES)):
        if config["x"] == FAILS and step == 3 and running() == "start":
            raise RuntimeError("no luck")
        note(config["name"], config["x"], step)
        if config["x"] == WAITS:
            wait_at(step)
        tune.report({"score": SCORES[step] + config["x"]}, checkpoint=saved(tune, step))


def worker(config: dict[str, Any]) -> None:
    for step in range(first_step(ray.train.get_checkpoint()), len(SCORES)):
        note("birds", 0, step)
        wait_at(step)
        ray.train.report({"score": SCORES[step]}, checkpoint=saved(ray.train, step))


def running() -> str:
    return os.environ["TEST_SESSION"]


def note(name: str, trial: int, step: int) -> None:
    with LOG.open("a") as log:
        log.write(f"{running()} {name} {trial} {step}\n")


def wait_at(step: int) -> None:
    if step == 4 and running() == "start":
        time.sleep(3600)


def begin(name: str, tier: str) -> None:
    tune.Tuner(
        trial,
        param_space={"name": name, "x": tune.grid_search(list(range(8)))},
        tune_config=tune.TuneConfig(
            metric="score", mode="max", max_concurrent_trials=1, reuse_actors=True
        ),
        run_config=run_config(
            name,
            tier,
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=KEPT, checkpoint_score_attribute="score", checkpoint_score_order="max"
            ),
        ),
    ).fit()


def restore(name: str, tier: str, how: str) -> None:
    restored = tune.Tuner.restore(**location(name, tier), trainable=trial, **{how: True})
    results = restored.fit()
    assert not results.errors, results.errors
    assert len(results) == 8


def train() -> None:
    config = run_config(
        "birds",
        "artifacts:trained",
        library="train",
        resume=True,
        checkpoint_config=ray.train.CheckpointConfig(
            num_to_keep=BEST, checkpoint_score_attribute="score"
        ),
    )
    scaling = ray.train.ScalingConfig(num_workers=1)
    result = DataParallelTrainer(worker, scaling_config=scaling, run_config=config).fit()
    assert [metrics["score"] for _, metrics in result.best_checkpoints] == [5, 6]


def watch(others: list[subprocess.Popen[bytes]]) -> None:
    """Wait for the middle in a thread, without which nothing would ever end."""
    try:
        wait_for_the_middle(others)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait_for_the_middle(others: list[subprocess.Popen[bytes]]) -> None:
    """Say when the third trial of both waits in its fifth step, and Train too, and Ray knows it."""
    for name, path in MIDDLES:
        logged = f"start {name} {WAITS} 4\n"
        while logged not in LOG.read_text() or state_of(path, WAITS) != ("RUNNING", 4):
            pause(others)
    while "start birds 0 4\n" not in LOG.read_text() or last_score() != SCORES[3]:
        pause(others)
    # What Ray does not want any more is deleted after that is written.
    while sum(each.is_directory for each in session.service().list(BIRDS).entries) > BEST:
        pause(others)
    print(MIDDLE, flush=True)


def pause(others: list[subprocess.Popen[bytes]]) -> None:
    if any(other.poll() is not None for other in others):
        os._exit(1)
    time.sleep(0.2)


def last_score() -> float | None:
    """What Train has written of its newest checkpoint."""
    try:
        with session.service().open(SNAPSHOT) as pieces:
            state = json.loads(b"".join(pieces))
    except StorageError:
        # It is not there yet, or was just replaced.
        return None
    newest = state["latest_checkpoint_result"]
    return None if newest is None else newest["metrics"]["score"]


def state_of(path: str, number: int) -> tuple[str, int | None]:
    try:
        trials = session.service().trials(path).trials
    except NotFound:
        return "", None
    found = ((each.state, each.iterations) for each in trials if each.parameters["x"] == number)
    return next(found, ("", None))


def refusal(tier: str) -> str:
    try:
        run_config("new", tier)
    except StorageError as error:
        return f"{error.kind}: {error.message}"
    return ""


def look(note: str) -> dict[str, Any]:
    """Say what is known on a node, and leave a note on its cluster tier."""
    from jupyter_storage.commands.session import session as there
    from jupyter_storage.tiers import build_tiers

    with jupyter_storage.open(f"cluster:notes/{note}", "w") as file:
        file.write(note)
    names = ("JUPYTER_STORAGE_BUCKET", "ANYSCALE_ARTIFACT_STORAGE", "AWS_ROLE_SESSION_NAME")
    return {
        "tiers": {name: tier.uri for name, tier in build_tiers(there.service().settings).items()},
        "objects": jupyter_storage.fs("artifacts").exists("cats/tuner.pkl"),
        **{name: os.environ.get(name) for name in names},
    }


def looks() -> dict[str, Any]:
    """What each node knows, and what a job knows that is submitted from here."""
    task = ray.remote(num_cpus=0)(look)
    nodes = [
        task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(f"node-{number}")
        for number, node in enumerate(ray.nodes())
    ]
    environment = runtime_env(
        workload="job",
        workload_id="raysubmit_1",
        env_vars={"JUPYTER_STORAGE_NETWORK_BACKING": "bucket"},
    )
    job = task.options(runtime_env=environment).remote("job")
    told = {"nodes": ray.get(nodes), "job": ray.get(job)}
    return {**told, "notes": sorted(jupyter_storage.fs("cluster").ls("notes", detail=False))}


@contextmanager
def starting() -> Iterator[None]:
    """Ray's own programs have 15 seconds to start, which a busy machine may not give them."""
    try:
        yield
    except Exception as error:
        print(f"Ray did not start: {error}", flush=True)
        sys.exit(BUSY)


def cluster(nodes: int) -> str:
    """Start Ray, with nodes that know nothing of tiers."""
    known = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith(("JUPYTER_STORAGE_", "AWS_"))
    }
    common = {"node_ip_address": "127.0.0.1", "include_log_monitor": False, "no_monitor": True}
    head = {**common, "num_cpus": 4, "include_dashboard": False}
    with starting():
        made = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(nodes - 1):
            made.add_node(**common, num_cpus=2)
    os.environ.update(known)
    return str(made.address)


def other(address: str, name: str) -> subprocess.Popen[bytes]:
    """Do another experiment in a process of its own.

    What two threads register with Tune at once gets lost, or fails; and two processes that are
    forks of one draw the same random IDs.
    """
    return subprocess.Popen([sys.executable, __file__, SESSION, address, name])


def connect(address: str) -> None:
    environment = runtime_env(env_vars={"TEST_SESSION": SESSION})
    ray.init(address=address, log_to_driver=False, runtime_env=environment)


def start() -> None:
    LOG.touch()
    address = cluster(nodes=1)
    others = [other(address, "birds"), other(address, "dogs")]
    threading.Thread(target=watch, args=(others,), daemon=True).start()
    connect(address)
    begin("cats", "artifacts")


def go_on() -> None:
    address = cluster(nodes=2)
    others = [other(address, "birds")]
    connect(address)
    refused = {tier: refusal(tier) for tier in ("local", "shared", "artifacts")}
    print(json.dumps({"refused": refused, **looks()}), flush=True)
    restore("cats", ARTIFACTS, "resume_errored")
    restore("dogs", "shared:team", "restart_errored")
    assert [each.wait() for each in others] == [0]


def main() -> None:
    if len(sys.argv) == 2:
        start() if SESSION == "start" else go_on()
        return
    _, _, address, name = sys.argv
    connect(address)
    if name == "birds":
        train()
    else:
        begin("dogs", "shared:team")


if __name__ == "__main__":
    main()
