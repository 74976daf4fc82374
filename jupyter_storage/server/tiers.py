"""Tiers: which there are and how they are."""

from __future__ import annotations

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class TiersHandler(StorageHandler):
    """All tiers."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Describe all tiers as they are now."""
        text = self.get_query_argument("wait", "")
        try:
            wait = max(0.0, float(text)) if text else None
        except ValueError as error:
            raise InvalidRequest("'wait' is a number of seconds") from error
        await self.reply({"tiers": await self.call(self.service.tiers, wait=wait)})


class TierHandler(StorageHandler):
    """One tier."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Look at one tier afresh."""
        await self.reply(await self.call(self.service.tier, name))

    @authenticated
    @authorized
    async def put(self, name: str) -> None:
        """Add a tier or change one that was added; of a dry run, say how it would be."""
        body = await self.body("TierRequest")
        dry_run = body.pop("dry_run", False)
        if dry_run:
            await self.reply(await self.call(self.service.try_tier, name, body))
            return
        await self.call(self.service.add_tier, name, body)
        self.extension.publish()
        await self.reply(await self.call(self.service.tier, name))

    @authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Take a tier that was added off the list; what lies on it stays."""
        await self.call(self.service.remove_tier, name)
        self.extension.publish()
        self.set_status(204)
        await self.finish()


ROUTES = [(r"tiers", TiersHandler), (r"tiers/([^/]+)", TierHandler)]
