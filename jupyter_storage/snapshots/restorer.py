"""Restores on behalf of a workspace: what is there is saved before it is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_storage.errors import InvalidPath, InvalidRequest
from jupyter_storage.paths import clean_key
from jupyter_storage.records import ConflictPolicy, RestorePlan, RestoreRecord, SnapshotRecord
from jupyter_storage.snapshots.leftovers import noted, sweep
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.snapshots.rewind import plan_rewind, rewind
from jupyter_storage.snapshots.views import to_record

__all__ = ["Restorer"]


class Restorer:
    """Restores into one project directory, or elsewhere.

    Parameters
    ----------
    project : Path
        The project directory.
    state : Path
        Directory of our own on this machine.
    still : threading.Lock
        Held while the project directory is neither the old nor the new version.
    save : Callable
        Takes a snapshot of the project directory as it is.
    """

    def __init__(
        self,
        project: Path,
        state: Path,
        still: threading.Lock,
        save: Callable[[], Snapshot],
    ) -> None:
        self._project, self._still, self._save = project, still, save
        self._locks, self._notes = state / "locks", state / "restores"

    def sweep(self) -> None:
        """Remove what restores that were killed left under way."""
        sweep(self._notes)

    def restore(
        self,
        repository: Repository,
        chosen: Snapshot,
        target: Path,
        *,
        paths: Sequence[str],
        policy: ConflictPolicy,
        exact: bool,
        saved: Callable[[SnapshotRecord], None] | None,
        **options: Any,
    ) -> RestoreRecord:
        """Restore; see :meth:`Workspace.restore`."""
        here = target.resolve() == self._project.resolve()
        if exact and (not here or policy is not ConflictPolicy.OVERWRITE):
            raise InvalidRequest(
                "Only in the project directory are files removed that a snapshot lacks",
                path=str(target),
                hint="Restore into an empty directory instead.",
            )
        options |= {"paths": self._keys(paths), "policy": policy}
        replaces = policy not in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}
        undo = self._save() if replaces and self._is_ours(target) else None
        if undo and saved:
            saved(to_record(undo))
        still = self._still if undo else nullcontext()
        self.sweep()
        with still, repository.lock(records=self._locks), noted(self._notes, target.resolve()):
            repository.refresh()
            if undo and here:
                return rewind(repository, undo, chosen, target, exact=exact, **options)
            record = restore(repository, chosen, target, **options)
            return replace(record, undo=to_record(undo)) if undo else record

    def plan(
        self, repository: Repository, chosen: Snapshot, *, paths: Sequence[str], exact: bool
    ) -> RestorePlan:
        """Say what a restore into the project directory replaces and removes."""
        undo = self._save()
        with repository.lock(records=self._locks):
            repository.refresh()
            return plan_rewind(repository, undo, chosen, paths=self._keys(paths), exact=exact)

    def _is_ours(self, target: Path) -> bool:
        """Whether a directory is the project directory, or one lies in the other."""
        target, project = target.resolve(), self._project.resolve()
        return target.is_relative_to(project) or project.is_relative_to(target)

    def _keys(self, paths: Sequence[str]) -> list[str]:
        return [self._key(path) for path in paths]

    def _key(self, path: str) -> str:
        """A path in the project directory, absolute or relative to it, as a key."""
        if path.startswith("/"):
            try:
                path = str(Path(path).relative_to(self._project))
            except ValueError:
                raise InvalidPath("It is not in the project directory", path=path) from None
        key = clean_key(path)
        if not key:
            raise InvalidPath("A path is empty", hint="Leave it out to restore everything.")
        return key
