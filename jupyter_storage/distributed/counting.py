"""What lies below a directory, listed by the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from jupyter_storage.distributed.crew import TRIES, fault, unreachable
from jupyter_storage.distributed.shards import Root
from jupyter_storage.distributed.worker import open_root
from jupyter_storage.errors import NotFound
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store
from jupyter_storage.sums import Sums
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.walking import walk_together

__all__ = ["RayCounters"]

PARTS = 8
"""Directories for each node that are listed apart, where there are so many."""

_LEVELS = 4
"""Levels that are looked through for them."""


class RayCounters:
    """Lists directories on all nodes.

    Parameters
    ----------
    environment : mapping
        Variables of workers; no secrets.
    nodes : int
    concurrency : int
        Directories that are listed at the same time, on each node.
    """

    def __init__(self, environment: Mapping[str, str], nodes: int, concurrency: int) -> None:
        self._wanted = nodes * PARTS
        self._concurrency = concurrency
        self._remote = ray.remote(count).options(
            num_cpus=1,
            max_retries=TRIES - 1,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": dict(environment)},
            name="jupyter-storage-count",
        )

    def sums(self, place: Place, root: Root, depth: int) -> Sums:
        """Add up what lies below a directory.

        Parameters
        ----------
        place : Place
        root : Root
            How nodes open its store.
        depth : int
            See :class:`Sums`.
        """
        sums = Sums(place.key, depth)
        with place.naming():
            branches = self._branches(place, sums)
        running: list[Any] = [
            self._remote.remote(root, branch, place.key, depth, self._concurrency)
            for branch in branches
        ]
        try:
            while running:
                done, running = ray.wait(running)
                for part in ray.get(done):
                    sums.merge(part)
        except RayTaskError as error:
            raise fault(error) from error
        except RayError as error:
            raise unreachable(error) from error
        finally:
            for task in running:
                with suppress(RayError, ValueError, TypeError):
                    ray.cancel(task, force=True)
        return sums

    def _branches(self, place: Place, sums: Sums) -> list[str]:
        """List here until there are enough directories for all nodes; what lies above is added."""
        branches = [place.key]
        for _ in range(_LEVELS):
            if len(branches) >= self._wanted:
                break
            below: list[str] = []
            for branch in branches:
                for entry in _children(place.store, branch):
                    sums.add([entry])
                    if entry.is_directory:
                        below.append(entry.path)
            branches = below
        return branches


def _children(store: Store, key: str) -> list[Entry]:
    found: list[Entry] = []
    cursor: str | None = None
    while True:
        try:
            page = store.list(key, cursor=cursor)
        except NotFound:
            return found  # it went meanwhile
        found += page.entries
        cursor = page.cursor
        if cursor is None:
            return found


def count(root: Root, branch: str, top: str, depth: int, concurrency: int) -> Sums:
    """Add up one branch, on a node."""
    store, sums = open_root(root), Sums(top, depth)
    place = Place(store, branch, root.label)
    with place.naming():
        try:
            return sums.add(walk_together(store, branch, concurrency=concurrency))
        except NotFound:
            return sums  # it went meanwhile
