"""The nodes of a Ray cluster, and what they see."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jupyter_storage.distributed.cluster import OutOfSight
from jupyter_storage.distributed.shards import Root
from jupyter_storage.distributed.worker import open_root
from jupyter_storage.errors import InvalidRequest, NotFound, StorageError, os_errors
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.redact import redact

__all__ = ["check_reach", "check_shared", "worker_nodes"]

_PATIENCE = 60.0  # seconds in which every node has to say what it sees

_HINT = "Use a tier that all nodes see: 'cluster', 'shared' or 'artifacts'."


def worker_nodes() -> list[dict[str, Any]]:
    """List the nodes that can take a task."""
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]


def check_reach(
    ends: Sequence[tuple[Root, str]],
    nodes: Sequence[Mapping[str, Any]],
    environment: Mapping[str, str],
) -> None:
    """Let each node open what it will have to read and write; their processes stay warm.

    Parameters
    ----------
    ends : sequence of (Root, str)
        On object storage, with keys.
    nodes : sequence of mapping
    environment : mapping
        Variables of workers.

    Raises
    ------
    OutOfSight
        If one cannot.
    """
    look = ray.remote(num_cpus=0, max_retries=0)(reach)
    answers = {
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            runtime_env={"env_vars": dict(environment)},
        ).remote(list(ends)): node["NodeManagerAddress"]
        for node in nodes
    }
    done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=_PATIENCE)
    # One that is busy is none that cannot: a shard waits there as well as it would elsewhere.
    if not done:
        raise OutOfSight(f"No node of the Ray cluster answered in {_PATIENCE:.0f} seconds")
    for answer in done:
        try:
            missed = ray.get(answer)
        except RayError as error:
            cause = getattr(error, "cause", None) or str(error).splitlines()[0]
            raise OutOfSight(
                redact(f"The node {answers[answer]} cannot run jupyter_storage: {cause}")
            ) from error
        if missed is not None:
            raise OutOfSight(f"The node {answers[answer]} does not reach it: {missed[1]}").at(
                missed[0]
            )


def reach(ends: Sequence[tuple[Root, str]]) -> tuple[str, str] | None:
    """Say what this machine cannot reach, and why."""
    for root, key in ends:
        try:
            open_root(root).stat(key)
        except NotFound:
            continue
        except StorageError as error:
            return root.label + key, redact(error.message)
    return None


def check_shared(directory: Path, tier: str) -> None:
    """Refuse a directory that not all nodes see.

    Parameters
    ----------
    directory : Path
        Is made if need be.
    tier : str
        As a person calls it. ``local`` is refused for what it is, the others are tried out.

    Raises
    ------
    InvalidRequest
        If the cluster has several nodes and one of them sees another directory.

    Notes
    -----
    Connects to Ray if nothing has yet, as a Tuner would.
    """
    if not ray.is_initialized():
        ray.init()
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]
    if not others:
        return
    if tier.partition(":")[0] == "local":
        raise InvalidRequest(
            f"The tier 'local' is this node's alone, and the cluster has {len(others) + 1} nodes",
            path=tier,
            hint=_HINT,
        )
    with os_errors(str(directory)):
        directory.mkdir(parents=True, exist_ok=True)
        marker = directory / f"{TEMPORARY_PREFIX}{uuid4().hex}"
        marker.touch()
    try:
        look = ray.remote(num_cpus=0, max_retries=0)(os.path.exists)
        answers = {
            look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(marker)): node["NodeManagerAddress"]
            for node in others
        }
        done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=_PATIENCE)
        blind = [address for answer, address in answers.items() if not _sees(answer, done)]
    finally:
        marker.unlink(missing_ok=True)
    if blind:
        raise InvalidRequest(
            f"{len(blind)} of {len(others) + 1} nodes do not see this directory, "
            f"such as {blind[0]}",
            path=tier,
            hint=_HINT,
        )


def _sees(answer: ray.ObjectRef, done: list[ray.ObjectRef]) -> bool:
    return answer in done and bool(ray.get(answer))
