"""Uploads: resumable ones, sent in pieces; what is in their way."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized
from jupyter_storage.server.receiving import ReceivingHandler, Sink

__all__ = ["ROUTES", "moment"]


class UploadsHandler(StorageHandler):
    """All uploads under way."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List uploads that can be resumed."""
        uploads = await self.call(self.extension.uploads)
        await self.reply({"uploads": await self.call(uploads.list, self.owner)})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Begin an upload."""
        body = await self.body("UploadRequest")
        path = self.tier_path(body["path"])
        uploads = await self.call(self.extension.uploads)
        record = await self.call(
            uploads.begin,
            path,
            size=body["size"],
            modified=moment(body.get("modified")),
            conflict=ConflictPolicy(body.get("conflict", "fail")),
            sample=body.get("sample"),
            owner=self.owner,
        )
        await self.reply(record, 200 if record.offset else 201)


class InTheWayHandler(StorageHandler):
    """Targets that exist."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Say which of some targets exist, before a byte is sent."""
        body = await self.body("InTheWayRequest")
        directory = self.tier_path(body["directory"])
        paths = await self.call(self.tier_paths, body["paths"])
        found = await self.call(self.service.in_the_way, directory, paths)
        await self.reply({"existing": found})


class UploadHandler(ReceivingHandler):
    """One upload."""

    streamed = "PATCH"

    @authenticated
    @authorized
    async def head(self, identifier: str) -> None:
        """Say how much has arrived."""
        uploads = await self.call(self.extension.uploads)
        record = await self.call(uploads.get, identifier)
        self.set_header("Upload-Offset", str(record.offset))
        self.set_header("Upload-Length", str(record.size))
        self.set_header("Cache-Control", "no-store")
        await self.finish()

    @authenticated
    @authorized
    async def patch(self, identifier: str) -> None:
        """Keep the body, which has arrived, as the next piece."""
        piece = await self.received()
        try:
            offset = await self.call(piece.commit)
        finally:
            await self.call(piece.abort)
        self.set_header("Upload-Offset", str(offset))
        self.set_status(204)
        await self.finish()

    @authenticated
    @authorized
    async def delete(self, identifier: str) -> None:
        """Abort the upload."""
        uploads = await self.call(self.extension.uploads)
        await self.call(uploads.abort, identifier)
        self.set_status(204)
        await self.finish()

    async def open_sink(self) -> Sink:
        """Open the upload at the offset that the client names."""
        (identifier,) = self.path_args
        offset = self.request.headers.get("Upload-Offset", "")
        if not offset.isdecimal():
            raise InvalidRequest(
                "The header 'Upload-Offset' is missing or no number",
                hint="Send the number of bytes that are there; HEAD tells it.",
            )
        checksum = self.request.headers.get("Upload-Checksum")
        uploads = await self.call(self.extension.uploads)
        sink: Sink = await self.call(uploads.open_piece, identifier, int(offset), checksum)
        return sink


class CommitHandler(StorageHandler):
    """An upload that is complete."""

    @authenticated
    @authorized
    async def post(self, identifier: str) -> None:
        """Publish it. Who asks again while it is being published gets the same answer."""
        commits: dict[str, asyncio.Task[Any]] = self.extension.commits
        if identifier not in commits:
            work = self.call(self.service.commit_upload, identifier)
            commits[identifier] = self.extension.run(work, "Publishing an upload")
            commits[identifier].add_done_callback(lambda _: commits.pop(identifier))
        # Shielded: a client that goes away does not stop it.
        await self.reply(await asyncio.shield(commits[identifier]))


def moment(text: str | None) -> datetime | None:
    """Read a time as JSON carries it."""
    if text is None:
        return None
    try:
        # Python 3.10 does not know the Z.
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidRequest(
            f"'{text[:40]}' is no time", hint="Write it as 2026-01-31T12:00:00Z."
        ) from None
    return time


ROUTES = [
    (r"uploads", UploadsHandler),
    (r"uploads/in-the-way", InTheWayHandler),
    (r"uploads/([^/]+)", UploadHandler),
    (r"uploads/([^/]+)/commit", CommitHandler),
]
