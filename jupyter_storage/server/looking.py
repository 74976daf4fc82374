"""Previews of files, and searches."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.records import Finding
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized
from jupyter_storage.server.sending import SendingHandler
from jupyter_storage.server.wire import describe_error, encode

__all__ = ["ROUTES"]

LONGEST_PATTERN = 1000  # characters


class PreviewHandler(StorageHandler):
    """What a file looks like."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None = None) -> None:
        """Send the beginning of a file as text or rows, and what is known of it."""
        await self.reply(await self.call(self.service.preview, self.on_tier(tier, key or "")))


class SearchHandler(SendingHandler):
    """Names below a directory."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None = None) -> None:
        """Send what is found while it is found, a line of JSON for each step."""
        matching = self.get_query_argument("match", "")
        if not 1 <= len(matching) <= LONGEST_PATTERN:
            raise InvalidRequest(
                "'match' is missing or too long", hint="Part of a name, or a pattern with * and ?."
            )
        path = self.on_tier(tier, key or "")
        steps = self.service.find(path, matching, limit=self.limit())
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("X-Content-Type-Options", "nosniff")
        # Proxies that collect an answer before they pass it on would hide that results stream.
        self.set_header("X-Accel-Buffering", "no")
        await self.send_pieces(_lines(steps))


def _lines(steps: Generator[Finding]) -> Iterator[bytes]:
    begun = False
    # Whoever goes away in the middle ends the search too.
    with closing(steps):
        try:
            for step in steps:
                yield encode(step) + b"\n"
                begun = True
        except StorageError as error:
            if not begun:
                raise
            yield encode({"error": describe_error(error)}) + b"\n"


ROUTES = [
    (r"previews/([^/]+)(?:/(.*))?", PreviewHandler),
    (r"search/([^/]+)(?:/(.*))?", SearchHandler),
]
