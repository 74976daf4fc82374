"""From two ends of a transfer to a crew of nodes that reach both."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_storage.config import Settings
from jupyter_storage.distributed.environment import worker_environment
from jupyter_storage.distributed.shards import Root
from jupyter_storage.errors import NotConfigured, StorageError, Unsupported
from jupyter_storage.redact import redact
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.distributed.counting import RayCounters
    from jupyter_storage.distributed.crew import RayCrew

__all__ = [
    "LARGE",
    "MANY",
    "OutOfSight",
    "ask_warden",
    "assemble",
    "assemble_counters",
    "connect",
    "is_large",
]

LARGE = 500 * 10**9
"""Bytes from which ``auto`` turns to Ray."""

MANY = 200_000
"""Files from which ``auto`` turns to Ray."""


_PATIENCE = 5.0  # seconds for a connection to a cluster


class OutOfSight(StorageError):
    """Nodes do not reach one end: the transfer runs on this machine."""


def connect() -> None:
    """Connect to the cluster that there is, unless this process is.

    Raises
    ------
    Unsupported
        Without Ray, or through a client, which cannot pass on what workers report.
    NotConfigured
        If there is no cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise Unsupported(
            f"Ray is not installed: {error}",
            hint="Install it: pip install 'jupyter-storage[ray]'. Or leave out --engine.",
        ) from error
    if not ray.is_initialized():
        try:
            _knock(os.environ.get("RAY_ADDRESS", ""))
            ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise NotConfigured(
                redact(f"No Ray cluster answers: {_first_line(error)}"),
                hint="Start one ('ray start --head'), or say where it is with RAY_ADDRESS; "
                "or leave out --engine.",
            ) from error
        _quiet()
    if ray.util.client.ray.is_connected():
        raise Unsupported(
            "This process is no part of the Ray cluster (its address begins with ray://)",
            hint="Run it on a node, or as a job: ray job submit -- jupyter storage cp ….",
        )


def _knock(address: str) -> None:
    """Look whether anybody is there: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
        except OSError as error:
            raise ConnectionError(f"{address}: {error.strerror or error}") from error


def _quiet() -> None:
    """Keep Ray from printing logs of lost nodes to standard output, which is a result's.

    There is no option for it. This is what Ray itself does before it disconnects.
    """
    from ray._private.worker import global_worker

    with suppress(AttributeError):
        global_worker.threads_stopped.set()
        global_worker.gcs_error_subscriber.close()


def is_large(places: Sequence[Place], *, size: int | None = LARGE, files: int = MANY) -> bool:
    """Whether places together have so many bytes or files; lists no further than it must."""
    found_size = found_files = 0
    for place in places:
        with place.naming():
            entry = place.store.stat(place.key)
            entries = place.store.walk(place.key) if entry.is_directory else iter([entry])
            for each in entries:
                if each.is_directory:
                    continue
                found_files += 1
                found_size += each.size or 0
                if found_files >= files or (size is not None and found_size >= size):
                    return True
    return False


def assemble(
    sources: Sequence[tuple[Place, Root]], target: tuple[Place, Root], settings: Settings
) -> tuple[RayCrew, int]:
    """Make a crew of all nodes of a cluster.

    Parameters
    ----------
    sources : sequence of (Place, Root)
        Each with how another machine opens its store.
    target : (Place, Root)
    settings : Settings
        ``concurrency`` and ``bandwidth`` are of each node.

    Returns
    -------
    tuple
        The crew, and how many nodes it has.

    Raises
    ------
    OutOfSight
        If a node does not reach one of the places.
    NotConfigured, Unsupported
        See :func:`connect`.
    """
    ends = [*sources, target]
    environment, nodes = _reached(ends, settings)
    from jupyter_storage.distributed.crew import RayCrew

    roots = {root.label: root for _, root in ends}
    crew = RayCrew(
        list(roots.values()),
        environment,
        concurrency=settings.concurrency,
        bandwidth=settings.bandwidth,
    )
    return crew, nodes


def assemble_counters(
    places: Sequence[tuple[Place, Root]], settings: Settings
) -> tuple[RayCounters, int]:
    """As :func:`assemble`, to list directories."""
    environment, nodes = _reached(places, settings)
    from jupyter_storage.distributed.counting import RayCounters

    return RayCounters(environment, nodes, settings.concurrency), nodes


def ask_warden(settings: Settings, word: str, *values: object, **options: object) -> Any:
    """Connect, and ask the one who looks after mounts on all nodes.

    Raises
    ------
    StorageError
        Its answer; or that there is no cluster, see :func:`connect`.
    """
    connect()
    import ray
    from ray.exceptions import RayError, RayTaskError

    from jupyter_storage.distributed.crew import fault, unreachable
    from jupyter_storage.distributed.keeping import warden

    try:
        asked = getattr(warden(worker_environment(settings)), word)
        return ray.get(asked.remote(*values, **options))
    except RayTaskError as error:
        raise fault(error) from error
    except RayError as error:
        raise unreachable(error) from error


def _reached(
    ends: Sequence[tuple[Place, Root]], settings: Settings
) -> tuple[Mapping[str, str], int]:
    """Connect, and see that all nodes reach what they will have to: their variables and number."""
    connect()
    from jupyter_storage.distributed.nodes import check_reach, check_shared, worker_nodes

    nodes = worker_nodes()
    if not nodes:
        raise NotConfigured(
            "No node of the Ray cluster has a CPU to give", hint="Look at it with 'ray status'."
        )
    environment = worker_environment(settings)
    remote = []
    for place, root in ends:
        directory = place.store.local_path("")
        if directory is None:
            remote.append((root, place.key))
            continue
        if place.label == "/":
            if not _is_alone():
                raise OutOfSight("It is a path on this machine, and not a tier", path=place.path)
        else:
            try:
                check_shared(directory, place.label)
            except StorageError as error:
                raise OutOfSight(error.message, path=place.path) from error
    check_reach(remote, nodes, environment)
    return environment, len(nodes)


def _is_alone() -> bool:
    """Whether this machine is the whole cluster."""
    import ray

    return sum(bool(node["Alive"]) for node in ray.nodes()) == 1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
