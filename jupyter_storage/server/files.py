"""Files and directories on tiers."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import cast

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.listings import SortKey
from jupyter_storage.records import Entry, Page
from jupyter_storage.server.handler import authenticated, authorized
from jupyter_storage.server.receiving import ReceivingHandler, Sink
from jupyter_storage.server.sending import SendingHandler

__all__ = ["ROUTES"]


class FilesHandler(SendingHandler, ReceivingHandler):
    """One file or directory."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None = None) -> None:
        """Send a file, a page of a directory, or what is known of either."""
        path = self._path(tier, key)
        page = self._page()
        facts = self.get_query_argument("as", None) == "entry"
        if not facts and self.get_query_argument("limit", ""):
            await self._send_page(path, page)
            return
        entry = await self.call(self.service.stat, path)
        if facts:
            await self.reply(entry)
        elif entry.is_directory:
            await self._reply_page(entry, await self.call(self.service.list, path, **page))
        else:
            await self.send_file(path, entry)

    async def _send_page(self, path: str, page: dict[str, object]) -> None:
        """Look what it is and list it at once: who names a limit knows that it is a directory."""
        entry, listing = await asyncio.gather(
            self.call(self.service.stat, path),
            self.call(self.service.list, path, **page),
            return_exceptions=True,
        )
        if isinstance(entry, BaseException):
            raise entry
        if not entry.is_directory:
            await self.send_file(path, entry)
        elif isinstance(listing, BaseException):
            raise listing
        else:
            await self._reply_page(entry, listing)

    async def _reply_page(self, entry: Entry, page: Page) -> None:
        cursor = _pack(page.cursor) if page.cursor else None
        await self.reply({"entry": entry, "entries": page.entries, "cursor": cursor})

    @authenticated
    @authorized
    async def head(self, tier: str, key: str | None = None) -> None:
        """Describe a file as GET does."""
        path = self._path(tier, key)
        entry = await self.call(self.service.stat, path)
        if not entry.is_directory:
            await self.send_file(path, entry)

    @authenticated
    @authorized
    async def put(self, tier: str, key: str | None = None) -> None:
        """Publish the body, which has arrived, as a file."""
        writer = await self.received()
        try:
            entry = await self.call(writer.commit)
        finally:
            await self.call(writer.abort)
        await self.reply(entry)

    @authenticated
    @authorized
    async def delete(self, tier: str, key: str | None = None) -> None:
        """Move a file, or a directory with what is in it, to the trash; or delete it for good."""
        await self.call(
            self.service.drop,
            self._path(tier, key),
            recursive=self.flag("recursive"),
            permanent=self.flag("permanent"),
            force=self.flag("force"),
        )
        self.set_status(204)
        await self.finish()

    @authenticated
    @authorized
    async def post(self, tier: str, key: str | None = None) -> None:
        """Make a directory, or rename something."""
        path, body = self._path(tier, key), await self.body("FileAction")
        if body["action"] == "mkdir":
            await self.reply(await self.call(self.service.make_directory, path))
        else:
            to = self.tier_path(body["to"])
            await self.reply(await self.call(self.service.rename, path, to))

    async def open_sink(self) -> Sink:
        """Begin to write a file."""
        length = self.request.headers.get("Content-Length")
        writer: Sink = await self.call(
            self.service.create,
            self._path(*self.path_args),
            exclusive=self.request.headers.get("If-None-Match", "").strip() == "*",
            size=int(length) if length and length.isdecimal() else None,
            force=self.flag("force"),
        )
        return writer

    def _path(self, tier: str, key: str | None = None) -> str:
        return self.on_tier(tier, key or "")

    def _page(self) -> dict[str, object]:
        order = self.get_query_argument("order", "asc")
        if order not in {"asc", "desc"}:
            raise InvalidRequest("'order' is 'asc' or 'desc'")
        cursor = self.get_query_argument("cursor", "")
        return {
            "cursor": _unpack(cursor) if cursor else None,
            "limit": self.limit(),
            "sort": cast("SortKey", self.get_query_argument("sort", "name")),
            "descending": order == "desc",
            "matching": self.get_query_argument("match", ""),
        }


def _pack(cursor: str) -> str:
    """Make a cursor fit for a query: it may be a file's name, with anything in it."""
    return base64.urlsafe_b64encode(cursor.encode(errors="surrogatepass")).decode()


def _unpack(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, b"-_", validate=True).decode(errors="surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            "'cursor' is not one that this server gave", hint="List the directory from its start."
        ) from error


ROUTES = [(r"files/([^/]+)(?:/(.*))?", FilesHandler)]
