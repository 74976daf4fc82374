"""Tiers: which there are and how they are."""

from __future__ import annotations

from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class TiersHandler(StorageHandler):
    """All tiers."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Describe all tiers as they are now."""
        await self.reply({"tiers": await self.call(self.service.tiers)})


class TierHandler(StorageHandler):
    """One tier."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Look at one tier afresh."""
        await self.reply(await self.call(self.service.tier, name))


ROUTES = [(r"tiers", TiersHandler), (r"tiers/([^/]+)", TierHandler)]
