"""The nodes of a Ray cluster, and what they see."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jupyter_storage.errors import InvalidRequest, os_errors
from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["check_shared"]

_PATIENCE = 60.0  # seconds in which every node has to say what it sees

_HINT = "Use a tier that all nodes see: 'cluster', 'shared' or 'artifacts'."


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
