"""Snapshots of the project directory."""

from __future__ import annotations

from jupyter_storage.paths import clean_key, contained
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class SnapshotsHandler(StorageHandler):
    """All snapshots of this workspace."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List snapshots, newest first."""
        workspace = await self.call(self.extension.workspace)
        snapshots = await self.call(workspace.list)
        await self.reply({"snapshots": snapshots})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Take a snapshot; how it goes is in the status, and in events."""
        workspace = await self.call(self.extension.workspace)
        self.extension.run(self.call(workspace.now), "The snapshot")
        await self.reply(await self.call(workspace.status), 202)


class SnapshotStatusHandler(StorageHandler):
    """How safe the project directory is."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Say how safe it is right now."""
        workspace = await self.call(self.extension.workspace)
        await self.reply(await self.call(workspace.status))


class RestoreHandler(StorageHandler):
    """A snapshot that comes back."""

    @authenticated
    @authorized
    async def post(self, snapshot: str) -> None:
        """Restore into a directory of the project directory."""
        key = clean_key((await self.body("RestoreRequest"))["target"])
        target = await self.call(contained, self.service.settings.project.resolve(), key)
        await self.reply(await self.call(self.service.restore, snapshot, str(target)), 202)


ROUTES = [
    (r"snapshots", SnapshotsHandler),
    (r"snapshots/status", SnapshotStatusHandler),
    (r"snapshots/([^/]+)/restore", RestoreHandler),
]
