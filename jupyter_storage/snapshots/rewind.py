"""The project directory goes back to an earlier version, and can come forward again.

Before anything is replaced, a snapshot holds what is there. Nothing else is touched: what that
snapshot lacks, or what has changed since, stays and is listed.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from jupyter_storage.errors import Conflict, StorageError, from_os_error
from jupyter_storage.records import ConflictPolicy, Failure, RestorePlan, RestoreRecord
from jupyter_storage.snapshots.databases import drop_log
from jupyter_storage.snapshots.differences import Loss, losses
from jupyter_storage.snapshots.nodes import printable, same_file
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.restore import Progress, restore
from jupyter_storage.snapshots.views import subtree, to_record

__all__ = ["plan_rewind", "rewind"]

_EXAMPLES = 20


def plan_rewind(
    repository: Repository,
    undo: Snapshot,
    snapshot: Snapshot,
    *,
    paths: Sequence[str] = (),
    exact: bool = False,
) -> RestorePlan:
    """Say what :func:`rewind` replaces and removes."""
    files = [
        loss
        for loss in losses(
            repository, subtree(repository, undo), subtree(repository, snapshot), paths
        )
        if loss.node["type"] != "dir" and (loss.replaced or exact)
    ]
    removed = [loss for loss in files if not loss.replaced]
    return RestorePlan(
        snapshot=to_record(snapshot),
        undo=to_record(undo),
        replaced=len(files) - len(removed),
        removed=len(removed),
        removed_bytes=sum(loss.node.get("size", 0) for loss in removed),
        examples=tuple(printable(loss.key) for loss in (removed or files)[:_EXAMPLES]),
    )


def rewind(
    repository: Repository,
    undo: Snapshot,
    snapshot: Snapshot,
    project: Path,
    *,
    paths: Sequence[str] = (),
    policy: ConflictPolicy = ConflictPolicy.OVERWRITE,
    exact: bool = False,
    first: Sequence[str] = (),
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> RestoreRecord:
    """Restore into the project directory.

    Parameters
    ----------
    repository : Repository
        Refreshed, and locked by the caller.
    undo : Snapshot
        Of the project directory as it is.
    snapshot : Snapshot
        What comes back.
    project : Path
    exact : bool
        Whether what the snapshot lacks is removed.
    paths, policy, first, progress, cancel
        See :func:`~jupyter_storage.snapshots.restore.restore`.
    """
    here, there = subtree(repository, undo), subtree(repository, snapshot)
    found = list(losses(repository, here, there, paths))
    removal = _Removal(str(project.resolve()))
    if exact:
        removal.remove([loss for loss in found if loss.in_the_way])
    record = restore(
        repository,
        snapshot,
        project,
        paths=paths,
        policy=policy,
        saved={loss.key: loss.node for loss in found},
        first=first,
        progress=progress,
        cancel=cancel,
    )
    if exact:
        removal.remove([loss for loss in found if not loss.replaced and not loss.in_the_way])
    return replace(
        record,
        failures=(*record.failures, *removal.failures),
        removed=removal.files,
        undo=to_record(undo),
    )


class _Removal:
    def __init__(self, project: str) -> None:
        self._project = project
        self.files = 0
        self.failures: list[Failure] = []

    def remove(self, found: Sequence[Loss]) -> None:
        """Remove files that are as the snapshot has them, and directories that are empty then."""
        for loss in found:
            if loss.node["type"] != "dir":
                try:
                    self._remove_file(loss)
                except OSError as error:
                    self._fail(loss, from_os_error(error, loss.key))
                except StorageError as error:
                    self._fail(loss, error)
        # Innermost first. What stays inside, because snapshots leave it out, keeps its directory.
        for loss in reversed(found):
            if loss.node["type"] == "dir":
                with suppress(OSError):
                    os.rmdir(f"{self._project}/{loss.key}")  # noqa: PTH106

    def _remove_file(self, loss: Loss) -> None:
        path = f"{self._project}/{loss.key}"
        try:
            # A link in place of a directory leads who knows where.
            if os.path.realpath(os.path.dirname(path)) != os.path.dirname(path):  # noqa: PTH120
                return
            status = os.lstat(path)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(status.st_mode):
            return
        if not same_file(loss.node, status):
            raise Conflict(
                "It has changed meanwhile, so it was not removed", hint="Remove it by hand."
            )
        if stat.S_ISREG(status.st_mode):
            drop_log(path)
        os.unlink(path)  # noqa: PTH108
        self.files += 1

    def _fail(self, loss: Loss, error: StorageError) -> None:
        self.failures.append(Failure(printable(loss.key), error.kind, error.message, error.hint))
