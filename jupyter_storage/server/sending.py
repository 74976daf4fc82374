"""Bytes on their way out: files and zips, at the pace of whoever receives them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from tornado.iostream import StreamClosedError

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.records import Entry
from jupyter_storage.server.handler import StorageHandler
from jupyter_storage.server.ranges import (
    Unsatisfiable,
    entity_tag,
    http_date,
    is_fresh_date,
    requested_range,
)
from jupyter_storage.server.wire import describe_error
from jupyter_storage.service import Service

__all__ = ["SendingHandler", "disposition"]


class SendingHandler(StorageHandler):
    """A handler that sends files."""

    _tag: str | None = None

    @property
    def content_security_policy(self) -> str:
        """Nothing that comes out of a bucket may act as a page of this server."""
        return f"{super().content_security_policy}; sandbox"

    def compute_etag(self) -> str | None:
        """The file's own tag, where a file is sent."""
        return self._tag or super().compute_etag()

    async def send_file(
        self,
        path: str,
        entry: Entry,
        name: str | None = None,
        *,
        read: Callable[[int, int], Iterator[bytes]] | None = None,
    ) -> None:
        """Answer with a file, or the part of it that was asked for.

        Parameters
        ----------
        path : str
            As the service takes it.
        entry : Entry
            What is there.
        name : str, optional
            File name of the download; the file's own unless told.
        read : callable, optional
            Gives the pieces of a range, by offset and length; from the service unless told.
        """
        if entry.size is None:
            raise InvalidRequest(
                "It is a link that leads to nothing inside the tier",
                path=path,
                hint="Open the file that it points to.",
            )
        self._describe(entry, name or entry.name)
        if self._is_known(entry):
            self.set_status(HTTPStatus.NOT_MODIFIED)
            await self.finish()
            return
        try:
            span = self._span(entry)
        except Unsatisfiable:
            await self._refuse_range(path, entry.size)
            return
        offset, length = span or (0, entry.size)
        if span is not None:
            self.set_status(HTTPStatus.PARTIAL_CONTENT)
            self.set_header("Content-Range", f"bytes {offset}-{offset + length - 1}/{entry.size}")
        self.set_header("Content-Length", str(length))
        if self.request.method == "HEAD" or not length:
            await self.finish(set_content_type="application/octet-stream")
            return
        read = read or partial(_pieces, self.service, path)
        await self.send_pieces(read(offset, length))

    def attach(self, name: str, content_type: str) -> None:
        """Make the answer a download, whatever is in it."""
        self._track_activity = True
        # A type that is never compressed on the way, nor shown.
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Disposition", disposition(name))
        self.set_header("X-Content-Type-Options", "nosniff")

    async def send_pieces(self, pieces: Iterator[bytes]) -> None:
        """Send what an iterator gives; the next piece is fetched while one is being sent.

        The iterator runs in the pool. One that fails cuts the connection, for an answer that
        ends early must not look whole. One whose client has gone is closed.
        """
        upcoming = self._next(pieces)
        try:
            while (piece := await upcoming) is not None:
                upcoming = self._next(pieces)
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return
        finally:
            await asyncio.wait([upcoming])
            upcoming.exception()
            if close := getattr(pieces, "close", None):
                await self.call(close)

    def _next(self, pieces: Iterator[bytes]) -> asyncio.Task[bytes | None]:
        return asyncio.ensure_future(self.call(next, pieces, None))

    def _describe(self, entry: Entry, name: str) -> None:
        self.attach(name, "application/octet-stream")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Cache-Control", "private, no-cache")
        self._tag = entity_tag(entry)
        if self._tag:
            self.set_header("ETag", self._tag)
        if entry.modified is not None:
            self.set_header("Last-Modified", http_date(entry.modified))

    def _is_known(self, entry: Entry) -> bool:
        headers = self.request.headers
        if "If-None-Match" in headers:
            return self.check_etag_header()
        return is_fresh_date(headers.get("If-Modified-Since"), entry.modified)

    def _span(self, entry: Entry) -> tuple[int, int] | None:
        headers = self.request.headers
        condition = headers.get("If-Range")
        if self.request.method == "HEAD" or condition not in (
            None,
            self._tag,
            http_date(entry.modified) if entry.modified else None,
        ):
            return None
        return requested_range(headers.get("Range"), entry.size or 0)

    async def _refuse_range(self, path: str, size: int) -> None:
        self.set_status(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        self.set_header("Content-Range", f"bytes */{size}")
        self.clear_header("Content-Disposition")
        error = InvalidRequest(
            "The range lies beyond the end of the file",
            path=path,
            hint=f"The file has {size:,} bytes.",
        )
        await self.finish(json.dumps(describe_error(error)))


def disposition(name: str) -> str:
    """Write a Content-Disposition header that names a download.

    Parameters
    ----------
    name : str
        Any file name.

    Returns
    -------
    str
        With a plain form for old clients and the exact one, as RFC 6266 and RFC 5987 have it.
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _pieces(service: Service, path: str, offset: int, length: int) -> Iterator[bytes]:
    with service.open(path, offset=offset, length=length) as pieces:
        yield from pieces
