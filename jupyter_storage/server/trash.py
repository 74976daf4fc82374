"""The trash: what was deleted and can come back."""

from __future__ import annotations

from jupyter_storage.records import TrashRecord
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class TrashesHandler(StorageHandler):
    """The trash of one tier, or of all."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List deletions that can be undone, newest first."""
        await self.reply({"trash": await self.call(self._listed)})

    @authenticated
    @authorized
    async def delete(self) -> None:
        """Delete all of it for good."""
        await self.reply(await self.call(self.service.empty_trash, self._tier()), 202)

    def _listed(self) -> list[TrashRecord]:
        return list(self.service.trashed(self._tier()))

    def _tier(self) -> str | None:
        name = self.get_query_argument("tier", "")
        return self.on_tier(name, "").removesuffix(":") if name else None


class TrashHandler(StorageHandler):
    """One deletion."""

    @authenticated
    @authorized
    async def post(self, tier: str, identifier: str) -> None:
        """Undo it."""
        self.on_tier(tier, "")
        await self.reply(await self.call(self.service.restore_trash, tier, identifier), 202)

    @authenticated
    @authorized
    async def delete(self, tier: str, identifier: str) -> None:
        """Delete it for good."""
        self.on_tier(tier, "")
        record = await self.call(self.service.empty_trash, tier, [identifier])
        await self.reply(record, 202)


ROUTES = [(r"trash", TrashesHandler), (r"trash/([^/]+)/([^/]+)", TrashHandler)]
