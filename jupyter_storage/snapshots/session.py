"""Captures, one after another, with a store and a repository that stay open in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_storage.snapshots.capture import Progress, Taken, take
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.throttled import ThrottledStore

__all__ = ["Session"]


class Session:
    """Takes the snapshots that requests ask for; see :mod:`jupyter_storage.snapshots.worker`."""

    def __init__(self) -> None:
        self._store: ThrottledStore | None = None
        self._repository: Repository | None = None
        self._opened = ""
        self._read = 0

    @property
    def beats(self) -> int:
        """A number that grows as long as something gets on."""
        return self._read + (self._store.beats if self._store is not None else 0)

    def take(
        self,
        request: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Taken:
        """Take the snapshot that a request asks for.

        Parameters
        ----------
        request : mapping
            See :mod:`jupyter_storage.snapshots.worker`.
        progress, cancel
            See :func:`~jupyter_storage.snapshots.capture.capture`.
        """

        def count(size: int, files: int) -> None:
            self._read += size + files
            if progress is not None:
                progress(size, files)

        try:
            repository = self._open(request)
            return take(
                repository,
                Path(request["project"]),
                tags=request["tags"],
                lineage=request["lineage"],
                excluded=[Path(path) for path in request["excluded"]],
                gitignore=request["gitignore"],
                force=request["force"],
                records=Path(request["state"]) / "locks",
                progress=count,
                cancel=cancel,
            )
        except BaseException:
            # A repository that failed half-way may think that it holds what was never written.
            self.close()
            raise

    def close(self) -> None:
        """Give back connections and memory. What comes next opens everything again."""
        if self._repository is not None:
            self._repository.close()
        if self._store is not None:
            self._store.close()
        self._store = self._repository = None

    def _open(self, request: Mapping[str, Any]) -> Repository:
        password = Path(request["password_file"]).read_text().strip("\r\n")
        wanted = json.dumps([request["uri"], request["options"], password, request["state"]])
        if self._repository is None or self._store is None or wanted != self._opened:
            self.close()
            cache = Path(request["state"]) / "cache"
            self._store = ThrottledStore(open_store(request["uri"], request["options"]), 0)
            self._store.bandwidth = request["bandwidth"]
            exists = Repository.exists(self._store)
            make = Repository.open if exists else Repository.create
            self._repository = make(self._store, password, cache=cache)
            self._opened = wanted
        self._store.bandwidth = request["bandwidth"]
        return self._repository
