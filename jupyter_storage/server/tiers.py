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


ROUTES = [(r"tiers", TiersHandler), (r"tiers/([^/]+)", TierHandler)]
