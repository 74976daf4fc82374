"""Many small files in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.server.handler import authenticated, authorized, checked
from jupyter_storage.server.receiving import ReceivingHandler, Sink
from jupyter_storage.server.uploads import moment
from jupyter_storage.server.wire import describe_error

if TYPE_CHECKING:
    from jupyter_storage.uploads import BatchFile

__all__ = ["ROUTES"]

LARGEST = 24 * 2**20
"""Bytes of a batch: it is in memory until its files are written."""


class Collected:
    """Takes a body that is small enough for the memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        """Add bytes at the end."""
        if len(self.data) + len(data) > LARGEST:
            raise InvalidRequest(
                f"A batch has at most {LARGEST:,} bytes",
                hint="Send fewer files at once, and large ones by themselves.",
            )
        self.data += data

    def abort(self) -> None:
        """Nothing was written yet."""
        self.data = bytearray()


class BatchHandler(ReceivingHandler):
    """Many small files."""

    streamed = "POST"

    @authenticated
    @authorized
    async def post(self) -> None:
        """Write the files of the body, and say which could not be."""
        collected = await self.received()
        conflict, files = await self.call(self._files, bytes(collected.data))
        errors = await self.call(self.service.write_batch, files, conflict)
        failures = [_failure(index, error) for index, error in enumerate(errors) if error]
        await self.reply({"failures": failures})

    async def open_sink(self) -> Sink:
        """Collect the body."""
        return Collected()

    def _files(self, body: bytes) -> tuple[ConflictPolicy, list[BatchFile]]:
        """Take a body apart: a line of JSON, then the contents, one after the other."""
        from jupyter_storage.uploads import BatchFile

        line, newline, _ = body.partition(b"\n")
        head = checked(line, "BatchHead")
        content = memoryview(body)[len(line) + len(newline) :]
        if sum(file.get("size", 0) for file in head["files"]) != len(content):
            raise InvalidRequest(
                "The sizes in the first line are not those of what follows",
                hint="Send the batch again.",
            )
        files, offset = [], 0
        for file in head["files"]:
            end = offset + file.get("size", 0)
            files.append(
                BatchFile(
                    self.tier_path(file["path"]),
                    content[offset:end] if "size" in file else None,
                    int(file.get("crc32", "0"), 16),
                    moment(file.get("modified")),
                )
            )
            offset = end
        return ConflictPolicy(head.get("conflict", "fail")), files


def _failure(index: int, error: StorageError) -> dict[str, Any]:
    return {"index": index, "status": error.status, **describe_error(error)}


# Before the uploads, one of which would be called 'batch'.
ROUTES = [(r"uploads/batch", BatchHandler)]
