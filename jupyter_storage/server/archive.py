"""Downloads that a browser does by itself: a folder as a zip, or one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_storage.errors import InvalidRequest, IsADirectory
from jupyter_storage.records import Entry
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized
from jupyter_storage.server.sending import SendingHandler
from jupyter_storage.server.tickets import Ticket, Tickets

if TYPE_CHECKING:
    from jupyter_storage.archives import Archive

__all__ = ["ROUTES"]

PATIENCE = 0.01
"""Seconds in which the size of a large zip is worked out; else it goes at once, without one."""


class _TicketHandler(StorageHandler):
    @property
    def tickets(self) -> Tickets:
        """Tickets of this server."""
        tickets: Tickets = self.extension.tickets
        return tickets


class ArchivesHandler(_TicketHandler):
    """Where downloads are asked for."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Look at what is to be downloaded, and give a ticket for it."""
        body = await self.body("ArchiveRequest")
        paths = await self.call(self.tier_paths, body["paths"])
        if body.get("format", "zip") == "raw":
            await self._issue_file(paths, body.get("name"))
        else:
            archive = await self.call(self.service.archive, paths, name=body.get("name"))
            await self._issue_zip(archive)

    async def _issue_file(self, paths: Sequence[str], name: str | None) -> None:
        if len(paths) != 1:
            raise InvalidRequest("One file at a time", hint="Ask for the format 'zip'.")
        entry: Entry = await self.call(self.service.stat, paths[0])
        if entry.is_directory:
            raise IsADirectory("It is a directory", path=paths[0], hint="Ask for the format 'zip'.")
        ticket = Ticket(paths[0], name or entry.name, self.owner)
        await self._reply(ticket, files=1, size=entry.size)

    async def _issue_zip(self, archive: Archive) -> None:
        plan = await self.call(archive.plan_within, PATIENCE)
        ticket = Ticket(archive, archive.name, self.owner)
        files, size = (plan.files, plan.bytes) if plan else (None, None)
        await self._reply(ticket, files=files, size=size)

    async def _reply(self, ticket: Ticket, *, files: int | None, size: int | None) -> None:
        identifier = self.tickets.issue(ticket)
        url = f"{self.base_url.rstrip('/')}/jupyter-storage/api/v1/archive/{identifier}"
        await self.reply(
            {"id": identifier, "url": url, "name": ticket.name, "files": files, "bytes": size}
        )


class ArchiveHandler(_TicketHandler, SendingHandler):
    """One download."""

    # The ticket is one: it came in answer to a request that was checked.
    needs_xsrf_token = False

    @authenticated
    @authorized
    async def get(self, identifier: str) -> None:
        """Send the zip or the file."""
        ticket = self.tickets.redeem(identifier, self.owner)
        if isinstance(ticket.content, str):
            entry = await self.call(self.service.stat, ticket.content)
            await self.send_file(ticket.content, entry, ticket.name)
            return
        self.attach(ticket.name, "application/zip")
        length = ticket.content.content_length
        if length is not None:
            self.set_header("Content-Length", str(length))
        await self.send_pieces(iter(ticket.content))


ROUTES = [(r"archive", ArchivesHandler), (r"archive/([^/]+)", ArchiveHandler)]
