"""Links to files that work without credentials."""

from __future__ import annotations

from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class LinksHandler(StorageHandler):
    """Links."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Make one; who has it can read the file until it expires."""
        body = await self.body("LinkRequest")
        path = self.tier_path(body["path"])
        url = await self.call(self.service.url, path, expires=body["expires"])
        self.set_header("Cache-Control", "no-store")
        await self.reply({"path": path, "url": url, "expires": body["expires"]})


ROUTES = [(r"links", LinksHandler)]
