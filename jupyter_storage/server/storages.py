"""Storages and mounts: list, make, mount, flush, take away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_storage.records import MountRecord, TransferRecord
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class StoragesHandler(StorageHandler):
    """All storages that were created here."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List them, each as it is now."""
        await self.reply({"storages": await self.call(self.service.storages)})


class StorageNameHandler(StorageHandler):
    """One storage."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Describe it."""
        await self.reply(await self.call(self.service.storage, name))

    @authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Delete it with all that is in it, or say how much that is."""
        if self.flag("dry_run"):
            await self.reply(await self.call(self.service.measure_storage, name))
            return
        await self.reply(await self.call(self.service.delete_storages, [name]), 202)


class ApplyHandler(StorageHandler):
    """Documents that declare storages."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Do what a document of the server's root directory says, or say what that would be."""
        body = await self.body("ApplyRequest")
        path = await self.call(self.local_path, body["path"])
        under = await self.call(self.service.mounts_below)
        how = {"under": under, "copied": body.get("copy", False)}
        if body.get("dry_run"):
            await self.reply(await self.call(self.service.plan_file, path, **how))
            return
        await self.reply(await self.call(self.service.apply_file, path, **how), 202)


class MountsHandler(StorageHandler):
    """All mounts of this machine."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List them, each as it is now."""
        await self.reply({"mounts": await self.call(self.service.mounts.all)})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Mount a part of a tier, or a storage, in the server's root directory."""
        body = await self.body("MountRequest")
        status = 202 if body.get("copy") else 201
        await self.reply(await self.call(self._mount, body), status)

    def _mount(self, body: dict[str, Any]) -> MountRecord | TransferRecord:
        target = Path(self.local_path(body["target"], into=True))
        source = (
            self.service.storage(body["storage"]).uri
            if "storage" in body
            else self.tier_path(body["path"])
        )
        read_only = body.get("read_only", False)
        if body.get("copy"):
            return self.service.mount_copy(
                source, target, read_only=read_only, every=body.get("every")
            )
        return self.service.mount(
            source,
            target,
            read_only=read_only,
            cached=body.get("cached", False),
        )


class MountHandler(StorageHandler):
    """One mount."""

    @authenticated
    @authorized
    async def get(self, identifier: str) -> None:
        """Describe it."""
        await self.reply(await self.call(self.service.mounts.get, identifier))

    @authenticated
    @authorized
    async def delete(self, identifier: str) -> None:
        """Unmount it."""
        record = await self.call(self.service.mounts.get, identifier)
        await self.call(self.service.mounts.unmount, Path(record.target), force=self.flag("force"))
        self.set_status(204)
        self.finish()

    @authenticated
    @authorized
    async def post(self, identifier: str) -> None:
        """Wait until all is uploaded, or bring it back."""
        action = (await self.body("MountAction"))["action"]
        mounts = self.service.mounts
        record = await self.call(mounts.get, identifier)
        if action == "flush":
            await self.call(mounts.flush, Path(record.target))
        else:
            await self.call(mounts.reconcile)
        await self.reply(await self.call(mounts.get, identifier))


ROUTES = [
    (r"storages", StoragesHandler),
    (r"storages/([^/]+)", StorageNameHandler),
    (r"apply", ApplyHandler),
    (r"mounts", MountsHandler),
    (r"mounts/([^/]+)", MountHandler),
]
