"""Mounts and copies on every node of a Ray cluster, which stay when who asked for them is gone.

A keeper on each node makes and heals them there, by means of that node's own supervisors. One
warden knows what is wished for, and looks after the keepers: a node that comes later gets it too.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray
from jupyter_core.paths import jupyter_data_dir
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jupyter_storage.distributed.crew import fault
from jupyter_storage.errors import StorageError
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.mounts.requests import put
from jupyter_storage.mounts.table import resolved
from jupyter_storage.records import MountRecord, NodeMountRecord
from jupyter_storage.redact import redact
from jupyter_storage.transfers.progress import Meter

__all__ = ["Keeper", "Warden", "Wish", "state_directory", "warden"]

NAMESPACE = "jupyter_storage"
NAME = "jupyter-storage-mounts"
LOOK = 5.0  # seconds between two looks at all nodes
PATIENCE = 20.0  # seconds that one node may take in such a look

WISHES = "wishes.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be on every node.

    Attributes
    ----------
    target : str
        The directory, absolute.
    uri : str
    options : mapping
        For the store; names of secrets, never secrets.
    read_only, cached : bool
        See :meth:`Mounts.mount`.
    copied : bool
        Whether it is fetched as a whole, in place of a mount.
    """

    target: str
    uri: str
    options: Mapping[str, Any]
    read_only: bool = False
    cached: bool = False
    copied: bool = False

    @property
    def mode(self) -> str:
        """As :class:`MountRecord` has it."""
        return "COPY" if self.copied else "MOUNT_CACHED" if self.cached else "MOUNT"


def state_directory() -> Path:
    """Where this node keeps what it knows; nodes may have one home together."""
    return Path(jupyter_data_dir()) / "storage" / "nodes" / socket.gethostname()


class Keeper:
    """Makes and heals what is wished for, on its own node.

    Parameters
    ----------
    node : str
        Its address.
    """

    def __init__(self, node: str) -> None:
        self._state = state_directory()
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._mounts = Mounts(self._state / "mounts")
        self._node = node

    def wishes(self) -> list[Wish]:
        """What was wished for when this node was last told."""
        try:
            fields = json.loads((self._state / WISHES).read_text("utf-8"))
            return [Wish(**each) for each in fields["wishes"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def settle(self, wishes: Sequence[Wish], anew: str | None) -> list[NodeMountRecord]:
        """Let there be what is wished for, and nothing else.

        Parameters
        ----------
        wishes : sequence of Wish
        anew : str or None
            Target of a wish that was just made: a copy fetches what is new. The rest is left as it
            is where it is there.
        """
        if wishes != self.wishes():
            # Before it is done: what is begun is brought to its end after a kill.
            put(self._state / WISHES, {"wishes": [asdict(wish) for wish in wishes]})
        there = {record.target: record for record in self._mounts.all()}
        wanted = {resolved(wish.target): wish for wish in wishes}
        for target in there.keys() - wanted.keys():
            with suppress(StorageError):
                self._mounts.unmount(Path(target))
        if any(record.state != "ok" for record in there.values()):
            there = {record.target: record for record in self._mounts.reconcile()}
        return [
            self._settled(wish, None if wish.target == anew else there.get(target))
            for target, wish in wanted.items()
        ]

    def end(self, target: str, *, force: bool) -> str | None:
        """Take one away, or say why it cannot be."""
        try:
            self._mounts.unmount(Path(target), force=force)
        except StorageError as error:
            return redact(f"{error.message}. {error.hint}")
        return None

    def _settled(self, wish: Wish, record: MountRecord | None) -> NodeMountRecord:
        error = ""
        if record is None or (record.uri, record.mode) != (wish.uri, wish.mode):
            try:
                record = self._made(wish)
            except StorageError as problem:
                record, error = None, redact(f"{problem}. {problem.hint}".strip())
        return NodeMountRecord(
            self._node,
            wish.target,
            wish.uri,
            wish.mode,
            "failed" if record is None else record.state,
            error,
            0 if record is None else record.pending,
        )

    def _made(self, wish: Wish) -> MountRecord | None:
        target = Path(wish.target)
        if not wish.copied:
            return self._mounts.mount(
                target, wish.uri, wish.options, read_only=wish.read_only, cached=wish.cached
            )
        # Nothing is brought back: of what several nodes changed, one would win.
        self._mounts.copy(
            target,
            wish.uri,
            wish.options,
            read_only=True,
            meter=Meter(),
            cancel=threading.Event(),
        )
        real = resolved(target)
        return next((each for each in self._mounts.all() if each.target == real), None)


class Warden:
    """Knows what is wished for on all nodes, and has a keeper on each.

    Parameters
    ----------
    environment : mapping
        Variables of keepers; no secrets.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._keepers: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._wishes: dict[str, Wish] | None = None
        threading.Thread(target=self._watch, name="jupyter-storage-warden", daemon=True).start()

    def wish(self, wish: Wish) -> list[NodeMountRecord]:
        """Let something be on all nodes, and say how it is there."""
        with self._lock:
            before = self._known().get(wish.target)
            self._known()[wish.target] = wish
            records = self._settle(None, wish.target)
            mine = [each for each in records if each.target == wish.target]
            if all(each.state == "failed" for each in mine):
                # Whoever asked for it is told, and nobody tries for ever.
                del self._known()[wish.target]
                if before is not None:
                    self._known()[wish.target] = before
                self._settle(None)
            return mine

    def drop(self, target: str, *, force: bool) -> list[str] | None:
        """Take something away from all nodes; gives why some could not, None if nobody knows it."""
        with self._lock:
            wish = self._known().pop(target, None)
            if wish is None:
                return None
            ends = {node: keeper.end.remote(target, force=force) for node, keeper in self._all()}
            errors = [
                f"{self._addresses().get(node, node)}: {error}"
                for node, error in _answers(ends, None).items()
                if error is not None
            ]
            if errors:
                # Where it went it comes back: all nodes have the same.
                self._known()[target] = wish
            self._settle(None)
            return errors

    def look(self) -> list[NodeMountRecord]:
        """Say how everything is, on all nodes."""
        with self._lock:
            return self._settle(None) if self._known() else []

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK):
            try:
                with self._lock:
                    if self._known():
                        self._settle(PATIENCE)
                    else:
                        self._release()
            except Exception:
                # It is the only one that looks: whatever it was, it looks again.
                log.exception("The nodes could not be looked at")

    def _settle(self, patience: float | None, anew: str | None = None) -> list[NodeMountRecord]:
        wishes = list(self._known().values())
        told = {node: keeper.settle.remote(wishes, anew) for node, keeper in self._all()}
        found = _answers(told, patience)
        return [record for node in sorted(found) for record in found[node]]

    def _known(self) -> dict[str, Wish]:
        """What is wished for; one that died before may have known more than this one."""
        if self._wishes is None:
            asked = {node: keeper.wishes.remote() for node, keeper in self._all()}
            found = _answers(asked, PATIENCE).values()
            self._wishes = {wish.target: wish for wishes in found for wish in wishes}
        return self._wishes

    def _release(self) -> None:
        """Let keepers go that have nothing to keep."""
        for keeper in self._keepers.values():
            ray.kill(keeper)
        self._keepers = {}

    def _all(self) -> Iterable[tuple[str, Any]]:
        """Keepers of the nodes that live, made where there is none."""
        addresses = self._addresses()
        self._keepers = {node: each for node, each in self._keepers.items() if node in addresses}
        for node, address in addresses.items():
            if node not in self._keepers:
                self._keepers[node] = (
                    ray.remote(Keeper)
                    .options(
                        name=f"{NAME}-{node}",
                        namespace=NAMESPACE,
                        lifetime="detached",
                        get_if_exists=True,
                        num_cpus=0,
                        max_restarts=-1,
                        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
                        runtime_env={"env_vars": self._environment},
                    )
                    .remote(address)
                )
        return list(self._keepers.items())

    def _addresses(self) -> dict[str, str]:
        return {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def _answers(asked: Mapping[str, Any], patience: float | None) -> dict[str, Any]:
    """Give what nodes answered; one that was lost has nothing to say."""
    if not asked:
        return {}
    done, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=patience)
    answers = {}
    for node, reference in asked.items():
        if reference in done:
            try:
                answers[node] = ray.get(reference)
            except RayTaskError as error:
                raise fault(error) from error
            except RayError:
                continue
    return answers


def warden(environment: Mapping[str, str]) -> Any:
    """Find the cluster's warden, or make it."""
    return (
        ray.remote(Warden)
        .options(
            name=NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=4,
            runtime_env={"env_vars": dict(environment)},
        )
        .remote(dict(environment))
    )
