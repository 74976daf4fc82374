"""Files on their way into Azure: one request if small, else blocks that are committed last.

https://learn.microsoft.com/rest/api/storageservices/put-block-list has the protocol.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, ContentSettings

from jupyter_storage.errors import (
    AlreadyExists,
    IsADirectory,
    NoSpace,
    NotFound,
    StorageError,
)
from jupyter_storage.paths import basename
from jupyter_storage.records import Entry
from jupyter_storage.stores.azure_client import AzureClient
from jupyter_storage.stores.cloud_errors import arrived_wrong, root_code
from jupyter_storage.stores.parts import Part, PartSender, PartWriter

__all__ = ["AzureWriter", "blocks_of"]

BLOCKS = 50_000  # of a file at most
LARGEST = BLOCKS * 4000 * 2**20  # bytes of a file at most
TYPE = "application/octet-stream"


class AzureWriter(PartWriter):
    """Collects bytes and sends them; the service shows them when all are there.

    Nobody can take blocks back that were sent: the service drops them after a week, or when
    something is written under the same name.

    Parameters
    ----------
    client : AzureClient
    key, object_key : str
        As callers know it, and as the container does.
    exclusive : bool
    size : int or None
        Bytes that will come, if known.
    metadata : mapping
        Kept with the blob.
    is_taken : callable
        Says whether a directory has a name.
    known : mapping, optional
        What an earlier writer sent, see :func:`blocks_of`.
    """

    def __init__(
        self,
        client: AzureClient,
        key: str,
        object_key: str,
        *,
        exclusive: bool,
        size: int | None,
        metadata: Mapping[str, str],
        is_taken: Callable[[str], bool],
        known: Mapping[int, str] | None = None,
    ) -> None:
        if size is not None and size > LARGEST:
            raise NoSpace(f"Azure takes files up to {LARGEST:,} bytes", path=key)
        super().__init__(key, size, BLOCKS)
        self._client, self._object_key = client, object_key
        self._exclusive, self._is_taken = exclusive, is_taken
        self._metadata = dict(metadata)
        # Tells our blob from another's when the answer to an exclusive request was lost.
        self._writer = uuid4().hex
        if exclusive:
            self._metadata["writer"] = self._writer
        self._known = known or {}
        self._digest = hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._digest.update(data)
        super().write(data)

    def commit(self) -> Entry:
        if self._is_taken(self._key):
            raise IsADirectory("A directory has that name", path=self._key)
        try:
            modified = self._put() if self._parts is None else self._complete(self._flush())
        except AlreadyExists:
            if not self._is_ours():
                raise
            modified = None
        self._open = False
        return Entry(
            self._key,
            basename(self._key),
            "file",
            self._written,
            modified,
            f"md5:{self._digest.hexdigest()}",
        )

    def abort(self) -> None:
        if self._open:
            self._give_up()

    @property
    def token(self) -> str | None:
        # The blocks themselves say all, see blocks_of().
        return None if self._parts is None else "blocks"

    def suspend(self) -> None:
        self.abort()

    def _put(self) -> datetime | None:
        """Send all in one request."""
        body, md5 = self._body(), self._digest.digest()
        wire = self._client.wire()
        if wire is None:
            with self._client.pace.turn(), self._client.errors(self._key):
                answer = self._client.blob(self._object_key).upload_blob(
                    body,
                    overwrite=not self._exclusive,
                    validate_content=True,
                    metadata=self._metadata,
                    length=len(body),
                )
            return _utc(answer.get("last_modified"))
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "x-ms-blob-content-type": TYPE,
            "Content-MD5": base64.b64encode(md5).decode(),
            **{f"x-ms-meta-{name}": value for name, value in self._metadata.items()},
            **({"If-None-Match": "*"} if self._exclusive else {}),
        }
        pieces = [memoryview(body)] if body else []
        with self._client.pace.turn():
            sent = self._client.put(
                wire,
                self._key,
                self._object_key,
                headers=headers,
                pieces=pieces,
                stop=self._stop,
            )
        kept = sent.headers.get("Content-MD5")
        if kept and base64.b64decode(kept) != md5:
            raise arrived_wrong("The store holds other bytes than were sent", self._key)
        told = sent.headers.get("Last-Modified")
        return _utc(parsedate_to_datetime(told)) if told else None

    def _begin(self) -> PartSender:
        return PartSender(self._send_part, self._known, pace=self._client.pace, stop=self._stop)

    def _send_part(self, part: Part) -> str:
        wire = self._client.wire()
        if wire is None:
            with self._client.errors(self._key):
                self._client.blob(self._object_key).stage_block(
                    _name(part), b"".join(part.pieces), length=part.size, validate_content=True
                )
            return ""
        encoded = base64.b64encode(_name(part).encode()).decode()
        query = f"comp=block&blockid={quote(encoded, safe='')}"
        headers = {"Content-MD5": base64.b64encode(part.md5).decode()}
        self._client.put(
            wire,
            self._key,
            self._object_key,
            query=query,
            headers=headers,
            pieces=part.pieces,
            stop=self._stop,
        )
        return ""

    def _complete(self, sender: PartSender) -> datetime | None:
        blocks = [BlobBlock(block_id=_name(part)) for part in sender.finish()]
        sender.dismiss()
        settings = ContentSettings(content_type=TYPE, content_md5=bytearray(self._digest.digest()))
        only: dict[str, Any] = (
            {"match_condition": MatchConditions.IfMissing} if self._exclusive else {}
        )
        try:
            with self._client.errors(self._key):
                answer = self._client.blob(self._object_key).commit_block_list(
                    blocks, content_settings=settings, metadata=self._metadata, **only
                )
        except StorageError as error:
            # A try whose answer was lost may have committed them.
            if root_code(error) != "InvalidBlockList" or not self._arrived():
                raise
            return None
        modified: Any = answer.get("last_modified")
        return _utc(modified)

    def _arrived(self) -> bool:
        return self._looked().get("md5") == self._digest.digest()

    def _is_ours(self) -> bool:
        return self._looked().get("writer") == self._writer

    def _looked(self) -> dict[str, Any]:
        with suppress(StorageError), self._client.errors(self._key):
            found = self._client.blob(self._object_key).get_blob_properties()
            md5 = bytes(found.content_settings.content_md5 or b"")
            return {"md5": md5, "writer": (found.metadata or {}).get("writer")}
        return {}


def blocks_of(client: AzureClient, key: str, object_key: str) -> Mapping[int, str]:
    """Ask for the blocks of a blob that were sent and never committed.

    Returns
    -------
    mapping
        From the numbers of parts to the MD5 of each.
    """
    try:
        with client.errors(key):
            _, blocks = client.blob(object_key).get_block_list("uncommitted")
    except NotFound:
        return {}
    found = {}
    for block in blocks:
        number, _, md5 = str(block.id).partition("-")
        if number.isdecimal() and len(md5) == 32:
            found[int(number)] = md5
    return found


def _name(part: Part) -> str:
    """Name of a block: says what it is, so that nobody else's is taken for it."""
    return f"{part.number:05}-{part.md5.hex()}"


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(timezone.utc)
