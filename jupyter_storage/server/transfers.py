"""Transfers: start, watch and cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_storage.records import ConflictPolicy
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class TransfersHandler(StorageHandler):
    """All transfers of this server."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List transfers, newest first."""
        await self.reply({"transfers": await self.call(self.service.transfers)})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Start a transfer, or say what it would do."""
        body = await self.body("TransferRequest")
        force = body.get("force", False)
        if body["operation"] == "delete":
            await self._delete(body, force=force)
            return
        sources = await self.call(self._sources, body["sources"])
        target = await self.call(self.any_path, body["destination"], into=True)
        options = {
            "recursive": True,
            "into": True,
            "conflict": ConflictPolicy(body.get("conflict", "fail")),
        }
        if body.get("dry_run"):
            plan = await self.call(self.service.estimate, sources, target, **options)
            await self.reply(plan)
            return
        move = body["operation"] == "move"
        record = await self.call(
            self.service.copy, sources, target, move=move, force=force, **options
        )
        await self.reply(record, 202)

    async def _delete(self, body: Mapping[str, Any], *, force: bool) -> None:
        sources = await self.call(self.tier_paths, body["sources"])
        if body.get("dry_run"):
            await self.reply(await self.call(self.service.removal, sources, force=force))
            return
        if body.get("trash"):
            record = await self.call(self.service.trash, sources)
        else:
            record = await self.call(self.service.remove, sources, recursive=True, force=force)
        await self.reply(record, 202)

    def _sources(self, paths: Sequence[str]) -> list[str]:
        return [self.any_path(path) for path in paths]


class TransferHandler(StorageHandler):
    """One transfer."""

    @authenticated
    @authorized
    async def get(self, identifier: str) -> None:
        """Describe a transfer."""
        await self.reply(await self.call(self.service.transfer, identifier))

    @authenticated
    @authorized
    async def delete(self, identifier: str) -> None:
        """Cancel a transfer."""
        await self.reply(await self.call(self.service.cancel, identifier))


class InterruptedHandler(StorageHandler):
    """Transfers that were cut off."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List those that can be gone on with, newest first."""
        await self.reply({"transfers": await self.call(self.service.interrupted)})


class OneInterruptedHandler(StorageHandler):
    """One transfer that was cut off."""

    @authenticated
    @authorized
    async def post(self, identifier: str) -> None:
        """Go on with it."""
        await self.reply(await self.call(self.service.resume, identifier), 202)

    @authenticated
    @authorized
    async def delete(self, identifier: str) -> None:
        """Forget it."""
        await self.call(self.service.forget, identifier)
        self.set_status(204)
        self.finish()


ROUTES = [
    (r"transfers", TransfersHandler),
    (r"transfers/([^/]+)", TransferHandler),
    (r"interrupted", InterruptedHandler),
    (r"interrupted/([^/]+)", OneInterruptedHandler),
]
