"""The API's own description."""

from __future__ import annotations

from jupyter_storage.server.document import document
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class OpenAPIHandler(StorageHandler):
    """The OpenAPI document."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Send the document, with this server's base URL."""
        servers = [{"url": f"{self.base_url.rstrip('/')}/jupyter-storage/api/v1"}]
        await self.reply({**await self.call(document), "servers": servers})


ROUTES = [(r"openapi\.json", OpenAPIHandler)]
