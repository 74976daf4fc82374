"""Captures on behalf of a workspace: in this process, or in the worker of the syncer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_storage.errors import AccessDenied, StorageError
from jupyter_storage.records import SnapshotRecord
from jupyter_storage.snapshots import worker
from jupyter_storage.snapshots.capture import Taken
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.home import Home
from jupyter_storage.snapshots.keeper import Keeper
from jupyter_storage.snapshots.line import Heading
from jupyter_storage.snapshots.mounted import mounted_below
from jupyter_storage.snapshots.syncer import Wanted

__all__ = ["Capturer"]


class Capturer:
    """Captures one project directory.

    Parameters
    ----------
    project : Path
        The project directory.
    home : Home
    keeper : Keeper
    state : Path
        Directory of our own on this machine.
    still : threading.Lock
        Held while the project directory is captured by the worker.
    excluded : sequence of Path
        Left out, beside what is our own and the repository itself.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    bandwidth : int
        Bytes a second that may be written; 0 for no limit.
    retention : str
        What :mod:`~jupyter_storage.snapshots.retention` makes a policy of.
    """

    def __init__(
        self,
        project: Path,
        home: Home,
        keeper: Keeper,
        state: Path,
        still: threading.Lock,
        *,
        excluded: Sequence[Path],
        gitignore: bool,
        bandwidth: int,
        retention: str,
    ) -> None:
        self._project, self._home, self._keeper, self._state = project, home, keeper, state
        self._still = still
        self._excluded, self.gitignore = [*excluded, state], gitignore
        self._bandwidth, self._retention = bandwidth, retention
        self._child = Child(state / "run")

    @property
    def excluded(self) -> Sequence[Path]:
        """Whatever snapshots must not hold: our own, the repository itself, mounted buckets."""
        return [*self._excluded, *self._home.directories(), *mounted_below(self._project)]

    def once(
        self, *, force: bool, progress: Callable[[int, int], None] | None = None
    ) -> SnapshotRecord:
        """Take a snapshot in this process; see :meth:`Workspace.now`."""
        try:
            heading = self._keeper.sync()
            request = self._request(heading, force=force)
            record = worker.run(request, progress=progress)
            self._keeper.line.captured(record, heading)
        finally:
            self._keeper.let_go()
        return record

    def prepare(self) -> None:
        """Let the worker get ready for a snapshot that is due soon."""
        with suppress(StorageError):
            self._child.prepare(self._repository())

    def capture(self, wanted: Wanted, cancel: threading.Event) -> Taken:
        """Take a snapshot in the worker."""
        with self._still:
            heading = self._keeper.sync()
            request = self._request(heading, force=wanted.force)
            if wanted.changes is not None:
                request |= {"base": wanted.changes.base, "dirty": wanted.changes.marks}
            try:
                taken = self._child.capture(request, cancel)
            except AccessDenied:
                # The password may have been changed on another machine.
                self._home.forget()
                raise
            self._keeper.line.captured(taken.record, heading)
            return taken

    def close(self) -> None:
        """End the worker."""
        self._child.close()

    def _request(self, heading: Heading, *, force: bool) -> dict[str, Any]:
        return {
            **self._repository(),
            "tags": list(heading.tags),
            "lineage": list(heading.lineage),
            "force": force or heading.joins,
        }

    def _repository(self) -> dict[str, Any]:
        """The part of a request that is known before."""
        place = self._home.place()
        return {
            "uri": place.uri,
            "options": dict(place.options),
            "password_file": str(place.password_file),
            "state": str(self._state),
            "project": str(self._project),
            "excluded": [str(path) for path in self.excluded],
            "gitignore": self.gitignore,
            "bandwidth": self._bandwidth,
            "retention": self._retention,
        }
