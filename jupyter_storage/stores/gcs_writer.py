"""Files on their way into Google Cloud Storage: one request if small, else a resumable upload.

https://cloud.google.com/storage/docs/performing-resumable-uploads has the protocol.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from jupyter_storage.errors import AlreadyExists, ChecksumMismatch, NotFound, StorageError
from jupyter_storage.records import Entry
from jupyter_storage.stores.cloud_errors import arrived_wrong
from jupyter_storage.stores.gcs_client import Answer, GCSClient
from jupyter_storage.stores.store import Writer

__all__ = ["GCSWriter", "insert"]

PIECE = 8 * 2**20  # bytes of one request; a multiple of 256 KiB, as the service wants it
TRIES = 4  # of one piece
INCOMPLETE = 308


class GCSWriter(Writer):
    """Collects bytes and sends them; the service shows them when all are there.

    Parameters
    ----------
    client : GCSClient
    key, object_key : str
        As callers know it, and as the bucket does.
    exclusive : bool
    size : int or None
        Bytes that will come, if known.
    modified : datetime or None
        Kept in the object's metadata.
    look : callable
        Describes a file of the store, or raises NotFound.
    heeds_conditions : callable
        Says whether the service refuses to create what exists; emulators do not.
    """

    def __init__(
        self,
        client: GCSClient,
        key: str,
        object_key: str,
        *,
        exclusive: bool,
        size: int | None,
        modified: datetime | None,
        look: Callable[[str], Entry],
        heeds_conditions: Callable[[], bool],
    ) -> None:
        self._client, self._key, self._object_key = client, key, object_key
        self._exclusive, self._size, self._modified = exclusive, size, modified
        self._look, self._heeds_conditions = look, heeds_conditions
        self._buffer = bytearray()
        self._digest = hashlib.md5(usedforsecurity=False)
        self._written = 0
        self._sent = 0
        self._upload: str | None = None
        self._last = False
        self._flying: tuple[int, bytes, Future[Answer]] | None = None
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self._written += len(view)
        while view:
            room = PIECE - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            # A full buffer waits for one more byte: the last piece goes with the commit.
            if view and len(self._buffer) == PIECE:
                self._flush()

    def commit(self) -> Entry:
        if self._exclusive and not self._heeds_conditions():
            with suppress(NotFound):
                self._look(self._key)
                raise AlreadyExists("It exists already", path=self._key)
        if self._upload is None:
            answer = insert(
                self._client,
                self._key,
                self._object_key,
                bytes(self._buffer),
                exclusive=self._exclusive,
                modified=self._modified,
            )
        else:
            self._flush(last=True)
            answer = self._settle()
        self._open = False
        entry = self._look(self._key)
        md5 = answer.json().get("md5Hash")
        if entry.size != self._written or (md5 and base64.b64decode(md5) != self._digest.digest()):
            raise arrived_wrong(
                f"{self._written:,} bytes were written and {entry.size:,} others arrived",
                self._key,
            )
        return entry

    def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        self._buffer.clear()
        if self._flying is not None:
            with suppress(Exception):
                self._flying[2].result()
        if self._upload is not None:
            with suppress(StorageError):
                self._client.call("DELETE", self._upload, self._key)

    def _flush(self, *, last: bool = False) -> None:
        if self._upload is None:
            answer = self._client.call(
                "POST",
                _upload_path(self._client.bucket),
                self._key,
                params={
                    "uploadType": "resumable",
                    "name": self._object_key,
                    **_condition(self._exclusive),
                },
                headers={"Content-Type": "application/json; charset=UTF-8"},
                data=json.dumps(_metadata(self._object_key, self._modified)).encode(),
            )
            self._upload = answer.headers["Location"]
        if self._flying is not None:
            self._settle()
        data = bytes(self._buffer)
        self._buffer = bytearray()
        self._flying = (self._sent, data, self._start(self._sent, data, last=last))
        self._sent += len(data)
        self._last = last

    def _start(self, offset: int, data: bytes, *, last: bool) -> Future[Answer]:
        end = offset + len(data)
        total = str(end) if last else "*"
        span = f"{offset}-{end - 1}" if data else "*"
        return self._client.start(
            "PUT",
            str(self._upload),
            headers={"Content-Range": f"bytes {span}/{total}"},
            data=data,
        )

    def _settle(self) -> Answer:
        """Wait for the piece under way, and send again what did not arrive."""
        assert self._flying is not None  # noqa: S101  _flush comes before
        offset, data, future = self._flying
        end = offset + len(data)
        for tried in range(TRIES):
            try:
                with self._client.errors(self._key):
                    answer = future.result()
            except StorageError as error:
                if not error.retryable or tried == TRIES - 1:
                    raise
                time.sleep(0.2 * 2**tried)
                answer = self._ask(end)
            if answer.status != INCOMPLETE:
                self._flying = None
                return answer
            reached = _reached(answer)
            if reached >= end and not self._last:
                self._flying = None
                return answer
            if reached < offset:
                break
            data, offset = data[reached - offset :], reached
            future = self._start(offset, data, last=self._last)
        raise ChecksumMismatch("The store lost a part of the upload", path=self._key)

    def _ask(self, end: int) -> Answer:
        """Ask how much has arrived."""
        total = str(end) if self._last else "*"
        return self._client.call(
            "PUT", str(self._upload), self._key, headers={"Content-Range": f"bytes */{total}"}
        )


def insert(
    client: GCSClient,
    key: str,
    object_key: str,
    data: bytes,
    *,
    exclusive: bool,
    modified: datetime | None,
) -> Answer:
    """Write a small object in one request.

    Parameters
    ----------
    client : GCSClient
    key, object_key : str
        As callers know it, and as the bucket does.
    data : bytes
    exclusive : bool
    modified : datetime or None
    """
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    metadata = {
        **_metadata(object_key, modified),
        "md5Hash": base64.b64encode(digest).decode(),
    }
    boundary = uuid4().hex
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            json.dumps(metadata).encode(),
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
            data,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    return client.call(
        "POST",
        _upload_path(client.bucket),
        key,
        params={"uploadType": "multipart", **_condition(exclusive)},
        headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
        data=body,
    )


def _upload_path(bucket: str) -> str:
    return f"upload/storage/v1/b/{quote(bucket, safe='')}/o"


def _condition(exclusive: bool) -> dict[str, str]:
    return {"ifGenerationMatch": "0"} if exclusive else {}


def _metadata(object_key: str, modified: datetime | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": object_key, "contentType": "application/octet-stream"}
    if modified is not None:
        metadata["metadata"] = {"mtime": f"{modified.timestamp():.6f}"}
    return metadata


def _reached(answer: Answer) -> int:
    """How many bytes the service has, by its answer to a piece."""
    span = answer.headers.get("Range", "")
    return int(span.rpartition("-")[2]) + 1 if "-" in span else 0
