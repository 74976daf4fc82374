"""Jupyter's checkpoints, with the versions that snapshots have."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from jupyter_storage.errors import StorageError
from jupyter_storage.records import ConflictPolicy, FileVersion

if TYPE_CHECKING:
    from jupyter_storage.server.app import StorageApp

__all__ = ["SnapshotCheckpoints", "offer_versions"]

LISTED = 10
"""Versions that are offered beside the checkpoint that Jupyter itself keeps."""

PATIENCE = 3.0
"""Seconds after which a document opens without them."""

_PREFIX = "snapshot-"


class SnapshotCheckpoints(AsyncFileCheckpoints):
    """Jupyter's own checkpoint of a file, and the newest versions of it in snapshots.

    Its own is kept as ever and comes last, where clients look for the newest: it works at once,
    and without snapshots.
    """

    def __init__(self, extension: StorageApp, **options: Any) -> None:
        super().__init__(**options)
        self._extension = extension
        self._asked: asyncio.Task[Any] | None = None

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> dict[str, Any]:
        """Make a checkpoint at once, and ask for a snapshot, which nobody waits for."""
        model: dict[str, Any] = await super().create_checkpoint(contents_mgr, path)  # type: ignore[no-untyped-call]
        if self._asked is None or self._asked.done():
            self._asked = self._extension.run(self._ask(), "The snapshot of a checkpoint")
        return model

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """List versions, oldest first, and Jupyter's own checkpoint."""
        own = await self._own(path)
        versions = await self._versions(path.strip("/"))
        return [
            {"id": f"{_PREFIX}{version.snapshot}", "last_modified": version.modified}
            for version in reversed(versions)
        ] + own

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        """Bring a version back; before a snapshot's, a snapshot is taken."""
        if not checkpoint_id.startswith(_PREFIX):
            await super().restore_checkpoint(contents_mgr, checkpoint_id, path)  # type: ignore[no-untyped-call]
            return
        try:
            record = await self._extension.call(
                self._restore, checkpoint_id.removeprefix(_PREFIX), path.strip("/")
            )
        except StorageError as error:
            raise HTTPError(error.status, f"{error}. {error.hint}") from error
        if record.failures:
            failure = record.failures[0]
            raise HTTPError(500, f"{failure.path}: {failure.message}. {failure.hint}")

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        """Delete Jupyter's own; a snapshot has more than this file, and stays."""
        if checkpoint_id.startswith(_PREFIX):
            raise HTTPError(403, "A version in a snapshot cannot be deleted alone")
        await super().delete_checkpoint(checkpoint_id, path)  # type: ignore[no-untyped-call]

    async def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        """Rename Jupyter's own, with the file."""
        for checkpoint in await self._own(old_path):
            await self.rename_checkpoint(checkpoint["id"], old_path, new_path)  # type: ignore[no-untyped-call]

    async def delete_all_checkpoints(self, path: str) -> None:
        """Delete Jupyter's own, with the file."""
        for checkpoint in await self._own(path):
            await self.delete_checkpoint(checkpoint["id"], path)

    async def _own(self, path: str) -> list[dict[str, Any]]:
        own: list[dict[str, Any]] = await super().list_checkpoints(path)  # type: ignore[no-untyped-call]
        return own

    async def _ask(self) -> None:
        workspace = await self._extension.call(self._extension.workspace)
        await self._extension.call(workspace.now)

    async def _versions(self, path: str) -> list[FileVersion]:
        """Versions that are not what the file is now, newest first."""
        try:
            call = self._extension.call(self._extension.service.history.versions, path)
            versions = await asyncio.wait_for(call, PATIENCE)
        except (StorageError, asyncio.TimeoutError) as error:
            # No version is no reason not to open a file.
            self.log.debug("No versions of %s: %s", path, error)
            return []
        return [
            each for each in versions if not each.current and each.type == "file" and each.modified
        ][:LISTED]

    def _restore(self, snapshot: str, path: str) -> Any:
        workspace = self._extension.workspace()
        return workspace.restore(
            snapshot, workspace.project, paths=[path], policy=ConflictPolicy.OVERWRITE
        )


def offer_versions(extension: StorageApp, contents: Any) -> bool:
    """Let a server's checkpoints have the versions that snapshots have.

    Parameters
    ----------
    extension : StorageApp
    contents : ContentsManager
        The server's.

    Returns
    -------
    bool
        Whether they do now: only those of Jupyter's default contents manager, unchanged, on the
        project directory.
    """
    if (
        type(contents) is not AsyncLargeFileManager
        or type(contents.checkpoints) is not AsyncFileCheckpoints
        or Path(contents.root_dir).resolve() != extension.service.settings.project.resolve()
    ):
        return False
    before = contents.checkpoints
    contents.checkpoints = SnapshotCheckpoints(
        extension, parent=contents, log=contents.log, checkpoint_dir=before.checkpoint_dir
    )
    return True
