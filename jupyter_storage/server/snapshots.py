"""Snapshots of the project directory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from jupyter_storage.paths import clean_key, contained
from jupyter_storage.records import ConflictPolicy, SnapshotRecord
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized
from jupyter_storage.server.sending import SendingHandler
from jupyter_storage.service import Service
from jupyter_storage.snapshots.history import NEWEST_BEFORE, History

__all__ = ["ROUTES"]


class SnapshotsHandler(StorageHandler):
    """All snapshots of this workspace."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List snapshots, newest first."""
        workspace = await self.call(self.extension.workspace)
        snapshots = await self.call(workspace.list)
        await self.reply({"snapshots": snapshots})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Take a snapshot; how it goes is in the status, and in events."""
        workspace = await self.call(self.extension.workspace)
        self.extension.run(self.call(workspace.now), "The snapshot")
        await self.reply(await self.call(workspace.status), 202)


class SnapshotStatusHandler(StorageHandler):
    """How safe the project directory is."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Say how safe it is right now."""
        workspace = await self.call(self.extension.workspace)
        await self.reply(await self.call(workspace.status))


class TakeoverHandler(StorageHandler):
    """The main line of a workspace that two machines are in."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Make this machine the one that writes it."""
        workspace = await self.call(self.extension.workspace)
        await self.reply(await self.call(workspace.takeover))


class OpenHandler(StorageHandler):
    """The files that people have open."""

    @authenticated
    @authorized
    async def put(self) -> None:
        """Note them: a start on a new machine brings these first."""
        body = await self.body("OpenFiles")
        workspace = await self.call(self.extension.workspace)
        paths = [clean_key(path) for path in body["paths"]]
        await self.call(workspace.documents.note, paths)
        self.set_status(204)
        await self.finish()


class SnapshotHandler(StorageHandler):
    """One snapshot."""

    @authenticated
    @authorized
    async def get(self, snapshot: str) -> None:
        """Describe it."""
        workspace = await self.call(self.extension.workspace)
        await self.reply(await self.call(workspace.find, snapshot))

    @authenticated
    @authorized
    async def patch(self, snapshot: str) -> None:
        """Pin it, or give it a name; its ID is another one then."""
        body = await self.body("SnapshotChange")
        await self.reply(await self.call(_changed, self.service, snapshot, body))


class HistoryHandler(SendingHandler):
    """A handler that looks into snapshots."""

    async def history(self) -> History:
        """Give what looks into them."""
        return await self.call(lambda: self.service.history)


class SnapshotFilesHandler(HistoryHandler):
    """Files and directories of a snapshot."""

    @authenticated
    @authorized
    async def get(self, snapshot: str, key: str | None = None) -> None:
        """Send a file, a page of a directory, or what is known of either."""
        history, path, limit = await self.history(), key or "", self.limit()
        entry = await self.call(history.stat, snapshot, path)
        if self.get_query_argument("as", None) == "entry":
            await self.reply(entry)
        elif entry.is_directory:
            cursor = self.get_query_argument("cursor", None)
            page = await self.call(history.list, snapshot, path, cursor=cursor, limit=limit)
            await self.reply({"entry": entry, "entries": page.entries, "cursor": page.cursor})
        else:
            await self._send(history, snapshot, path)

    @authenticated
    @authorized
    async def head(self, snapshot: str, key: str | None = None) -> None:
        """Describe a file as GET does."""
        history, path = await self.history(), key or ""
        if not (await self.call(history.stat, snapshot, path)).is_directory:
            await self._send(history, snapshot, path)

    async def _send(self, history: History, snapshot: str, path: str) -> None:
        # 'latest' may become another one between the look and the reading.
        workspace = await self.call(self.extension.workspace)
        found = (await self.call(workspace.find, snapshot)).id
        entry = await self.call(history.stat, found, path)
        read = partial(_pieces, history, found, path)
        await self.send_file(path, entry, read=read)


class SnapshotDiffHandler(HistoryHandler):
    """What differs between two snapshots."""

    @authenticated
    @authorized
    async def get(self, snapshot: str) -> None:
        """Compare with the one before, or with any."""
        before = self.get_query_argument("against", NEWEST_BEFORE)
        path = self.get_query_argument("path", "", strip=False)
        history, limit = await self.history(), self.limit()
        await self.reply(await self.call(history.compare, snapshot, before, path, limit=limit))


class FileDiffHandler(HistoryHandler):
    """What differs between two versions of a file."""

    @authenticated
    @authorized
    async def get(self, snapshot: str, key: str) -> None:
        """Compare with the file as it is now, or with another snapshot's."""
        against = self.get_query_argument("against", None)
        history = await self.history()
        await self.reply(await self.call(history.compare_file, snapshot, key, against))


class CellHandler(HistoryHandler):
    """One cell of a notebook that comes back."""

    @authenticated
    @authorized
    async def post(self, snapshot: str) -> None:
        """Put a cell of an old version into the notebook as it is now."""
        body = await self.body("CellRequest")
        history = await self.history()
        await self.reply(
            await self.call(history.restore_cell, snapshot, body["path"], str(body["cell"]))
        )


class VersionsHandler(HistoryHandler):
    """The versions of a file."""

    @authenticated
    @authorized
    async def get(self, key: str) -> None:
        """List them, newest first."""
        history = await self.history()
        versions = await self.call(history.versions, key)
        await self.reply({"path": key, "versions": versions})


class RestoreHandler(StorageHandler):
    """A snapshot that comes back."""

    @authenticated
    @authorized
    async def post(self, snapshot: str) -> None:
        """Restore into the project directory, or a directory in it; or say what that would do."""
        body = await self.body("RestoreRequest")
        paths = [clean_key(path) for path in body.get("paths", ())]
        exact = body.get("exact", False)
        project = self.service.settings.project.resolve()
        if body.get("dry_run"):
            workspace = await self.call(self.extension.workspace)
            plan = await self.call(workspace.plan_restore, snapshot, paths=paths, exact=exact)
            await self.reply(plan)
            return
        key = "" if body.get("in_place") else clean_key(body["target"])
        target = await self.call(contained, project, key)
        record = await self.call(
            self.service.restore,
            snapshot,
            str(target),
            paths=paths,
            conflict=ConflictPolicy(body.get("policy", "fail")),
            exact=exact,
        )
        await self.reply(record, 202)


def _changed(service: Service, snapshot: str, body: dict[str, Any]) -> SnapshotRecord:
    upkeep, record = service.upkeep, service.snapshots.find(snapshot)
    if "pinned" in body:
        record = (upkeep.pin if body["pinned"] else upkeep.unpin)(record.id)
    if "name" in body:
        record = upkeep.name(record.id, body["name"])
    return record


def _pieces(
    history: History, snapshot: str, path: str, offset: int, length: int
) -> Iterator[bytes]:
    # A generator, so that nothing is read before the first piece is asked for, in a thread.
    yield from history.open(snapshot, path, offset=offset, length=length)


ROUTES = [
    (r"snapshots", SnapshotsHandler),
    (r"snapshots/status", SnapshotStatusHandler),
    (r"snapshots/takeover", TakeoverHandler),
    (r"snapshots/open", OpenHandler),
    (r"snapshots/([^/]+)", SnapshotHandler),
    (r"snapshots/([^/]+)/files(?:/(.*))?", SnapshotFilesHandler),
    (r"snapshots/([^/]+)/diff", SnapshotDiffHandler),
    (r"snapshots/([^/]+)/diff/(.+)", FileDiffHandler),
    (r"snapshots/([^/]+)/cell", CellHandler),
    (r"snapshots/([^/]+)/restore", RestoreHandler),
    (r"versions/(.+)", VersionsHandler),
]
