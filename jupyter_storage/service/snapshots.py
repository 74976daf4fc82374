"""Snapshots of the project directory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_storage.config import Settings, key_part
from jupyter_storage.errors import InvalidRequest
from jupyter_storage.locations import PRIVATE_PREFIX
from jupyter_storage.paths import join
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.service.base import Base, Listener
from jupyter_storage.tiers import workload_prefix
from jupyter_storage.tiers.registry import options_for

if TYPE_CHECKING:
    from jupyter_storage.records import SnapshotRecord, TransferRecord
    from jupyter_storage.snapshots.history import History
    from jupyter_storage.snapshots.upkeep import Upkeep
    from jupyter_storage.snapshots.workspace import Workspace
    from jupyter_storage.transfers.progress import Meter

__all__ = ["Snapshots"]


class Snapshots(Base):
    """The service's part that opens the workspace, which is made when it is first asked for."""

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._snapshots: Workspace | None = None
        self._history: History | None = None

    @property
    def snapshots(self) -> Workspace:
        """Snapshots of the project directory."""
        with self._lock:
            if self._snapshots is None:
                self._snapshots = self._open_workspace(self.settings)
            return self._snapshots

    @property
    def history(self) -> History:
        """What snapshots hold, and what differs between them."""
        from jupyter_storage.snapshots.history import History

        workspace = self.snapshots
        with self._lock:
            if self._history is None:
                self._history = History(workspace)
            return self._history

    @property
    def upkeep(self) -> Upkeep:
        """Retention, pruning, checks, keys and pins."""
        from jupyter_storage.snapshots.upkeep import Upkeep

        return Upkeep(self.snapshots, self.settings.snapshot_retention)

    def stop_snapshots(self) -> None:
        """Take the last snapshot, if snapshots were begun."""
        with self._lock:
            workspace = self._snapshots
        if workspace is not None:
            workspace.stop(self.settings.snapshot_shutdown_timeout)

    def clone(self, snapshot: str, identifier: str) -> SnapshotRecord:
        """Begin a new workspace, in the same bucket, with a snapshot of this one.

        Parameters
        ----------
        snapshot : str
            ID, the beginning of one, ``latest``, or a time such as ``10 minutes ago``.
        identifier : str
            Of the new workspace: a server that is started with it has the files.
        """
        if key_part(identifier) != identifier or identifier == self.settings.workload_id:
            raise InvalidRequest(
                f"'{identifier}' cannot be the ID of a new workspace",
                hint="It has letters, digits and any of '._@+-', and is not this one's.",
            )
        settings = replace(self.settings, workload_id=identifier, workload_id_chosen=True)
        return self.snapshots.clone(snapshot, self._open_workspace(settings))

    def restore(
        self,
        snapshot: str,
        target: str,
        *,
        paths: Sequence[str] = (),
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        exact: bool = False,
    ) -> TransferRecord:
        """Start to restore a snapshot into a directory, as a transfer with progress.

        Parameters
        ----------
        snapshot : str
            ID, the beginning of one, ``latest``, or a time such as ``10 minutes ago``.
        target : str
            Directory, relative to the project directory or absolute.
        paths : sequence of str
            Files and directories, relative to the project directory; all unless given.
        conflict : ConflictPolicy
            What is done where a file exists.
        exact : bool
            Whether files that the snapshot lacks are removed; in the project directory only.
        """
        directory = self.settings.project / target

        def work(meter: Meter, cancel: threading.Event) -> None:
            meter.run()
            chosen = self.snapshots.find(snapshot)
            if not paths:
                meter.expect(chosen.bytes or 0, chosen.files or 0)

            def progress(size: int, files: int) -> None:
                meter.add(size)
                meter.done(files)

            result = self.snapshots.restore(
                chosen.id,
                directory,
                paths=paths,
                policy=conflict,
                exact=exact,
                saved=meter.undoable,
                progress=progress,
                cancel=cancel,
            )
            meter.skip(result.skipped)
            for failure in result.failures:
                meter.fail(failure)

        return self._jobs.start("restore", [snapshot], str(directory), work)

    def _open_workspace(self, settings: Settings) -> Workspace:
        from jupyter_storage.snapshots.workspace import Workspace

        prefix = workload_prefix(settings, "").rstrip("/")
        uri = join(settings.snapshot_uri or settings.system_uri, prefix)
        tiers = [tier.path for tier in self._locations.tiers.values() if tier.path]
        inside = [settings.root, settings.data_directory, *tiers]
        fallback = join(settings.artifacts, PRIVATE_PREFIX, prefix)
        return Workspace(
            project=settings.project,
            workspace=settings.workload_id,
            uri=uri,
            options=options_for(uri, settings),
            fallback_uri=None if settings.snapshot_uri else fallback,
            state=settings.data_directory / "snapshots" / settings.workload_id,
            password_file=None
            if settings.snapshot_no_password
            else settings.snapshot_password_file,
            interval=settings.snapshot_interval,
            gitignore=settings.snapshot_gitignore,
            bandwidth=settings.snapshot_bandwidth,
            retention=settings.snapshot_retention,
            enabled=settings.snapshots,
            excluded=[path for path in inside if settings.project in path.resolve().parents],
            listener=lambda status: self._tell("snapshot", status),
        )
