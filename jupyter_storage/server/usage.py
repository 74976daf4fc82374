"""What fills a tier."""

from __future__ import annotations

from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class UsageHandler(StorageHandler):
    """The count of one tier."""

    @authenticated
    @authorized
    async def get(self, tier: str) -> None:
        """Describe the count that goes on, else the last one."""
        await self.reply(await self.call(self.service.usage, self._known(tier)))

    @authenticated
    @authorized
    async def post(self, tier: str) -> None:
        """Begin to count."""
        await self.reply(await self.call(self.service.count_usage, self._known(tier)), 202)

    @authenticated
    @authorized
    async def delete(self, tier: str) -> None:
        """Stop counting."""
        await self.reply(await self.call(self.service.cancel_usage, self._known(tier)))

    def _known(self, tier: str) -> str:
        return self.on_tier(tier, "").removesuffix(":")


ROUTES = [(r"usage/([^/]+)", UsageHandler)]
