"""Files on their way into S3: one request if small, else parts that are completed last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import (
    AlreadyExists,
    IsADirectory,
    NoSpace,
    NotFound,
    StorageError,
)
from jupyter_storage.paths import basename
from jupyter_storage.records import Entry
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.cloud_errors import arrived_wrong, root_code
from jupyter_storage.stores.s3_checksums import PART_SIZE, encoded, is_plain
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_multipart import PARTS, Upload, begin_upload
from jupyter_storage.stores.s3_parts import CRC, Part, PartSender
from jupyter_storage.stores.store import Writer

__all__ = ["S3Writer", "mtime_metadata"]

MEGABYTE = 2**20
PART = 8 * MEGABYTE  # bytes of a part, unless the file is too large for so many
LARGEST = 5 * 2**40  # bytes of a file at most
ALONE = 16 * MEGABYTE  # a file up to this size goes in one request


class S3Writer(Writer):
    """Collects bytes and sends them; the service shows them when all are there.

    Parameters
    ----------
    client : S3Client
    key, object_key : str
        As callers know it, and as the bucket does.
    exclusive : bool
    size : int or None
        Bytes that will come, if known.
    metadata : mapping
        Kept with the object.
    look : callable
        Describes a file of the store, or raises NotFound.
    is_taken : callable
        Says whether a directory has a name.
    heeds_conditions : callable
        Says whether the service refuses to create what exists; asked where it is not Amazon's.
    checksums : callable
        Gives what the service knows of an object's content.
    upload : Upload, optional
        What an earlier writer began.
    """

    def __init__(
        self,
        client: S3Client,
        key: str,
        object_key: str,
        *,
        exclusive: bool,
        size: int | None,
        metadata: Mapping[str, str],
        look: Callable[[str], Entry],
        is_taken: Callable[[str], bool],
        heeds_conditions: Callable[[], bool],
        checksums: Callable[[str], Sequence[Checksum]],
        upload: Upload | None = None,
    ) -> None:
        if size is not None and size > LARGEST:
            raise NoSpace(f"S3 takes files up to {LARGEST:,} bytes", path=key)
        self._client, self._key, self._object_key = client, key, object_key
        self._exclusive, self._size, self._look = exclusive, size, look
        self._metadata = dict(metadata)
        # Tells our object from another's when the answer to an exclusive request was lost.
        self._token = upload.writer if upload else uuid4().hex
        if exclusive:
            self._metadata["writer"] = self._token
        self._is_taken, self._heeds_conditions = is_taken, heeds_conditions
        self._pieces: list[memoryview] = []
        self._collected = 0
        self._written = 0
        self._checksums = checksums
        self._upload, self._parts = upload, None if upload is None else self._sender(upload)
        self._verified: str | None = None  # the checksum, once the service has told it
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # What cannot change is kept as it is, not copied.
        view = memoryview(data if isinstance(data, bytes) else bytes(data))
        self._written += len(view)
        while view:
            limit = self._limit()
            piece = view[: limit - self._collected]
            self._pieces.append(piece)
            self._collected += len(piece)
            view = view[len(piece) :]
            # A full part waits for one more byte: the last part goes with the commit.
            if view and self._collected == limit:
                self._flush()

    def commit(self) -> Entry:
        if self._is_taken(self._key):
            raise IsADirectory("A directory has that name", path=self._key)
        if self._exclusive and not self._is_guarded() and self._exists():
            raise AlreadyExists("It exists already", path=self._key)
        if self._upload is None:
            self._put()
        else:
            self._complete(self._flush())
        self._open = False
        if self._verified:
            return Entry(
                self._key, basename(self._key), "file", self._written, checksum=self._verified
            )
        entry = self._look(self._key)
        if entry.size != self._written:
            raise arrived_wrong(
                f"{self._written:,} bytes were written and {entry.size:,} arrived", self._key
            )
        return entry

    def abort(self) -> None:
        if not self._open:
            return
        self._give_up()
        if self._upload is not None:
            with suppress(StorageError):
                self._client.call(
                    "abort_multipart_upload",
                    self._key,
                    Key=self._object_key,
                    UploadId=self._upload.id,
                )

    @property
    def token(self) -> str | None:
        return None if self._upload is None else self._upload.token()

    def suspend(self) -> None:
        if self._upload is None or not self._open:
            self.abort()
            return
        # The service has what was sent, and nobody asks for it to be thrown away.
        self._give_up()

    def stop(self) -> None:
        if self._parts is not None:
            self._parts.stop()

    def _limit(self) -> int:
        if self._size is not None:
            return ALONE if self._size <= ALONE else _part_size(self._size)
        if self._parts is None:
            return ALONE
        # Nobody knows how much comes: every thousandth part doubles what follows.
        return PART << (self._parts.count // 1000)

    def _put(self) -> None:
        """Send all in one request."""
        body = bytes(self._pieces[0]) if len(self._pieces) == 1 else b"".join(self._pieces)
        digest = hashlib.md5(body, usedforsecurity=False)
        try:
            etag = self._send(body, digest.digest())
        except AlreadyExists:
            if not self._is_ours():
                raise
            return
        # Another ETag may still be right: only the object itself says whether it is a checksum.
        if etag.strip('"') != digest.hexdigest():
            found = self._checksums(self._key)
            if found and not found[0].matches([body]):
                raise arrived_wrong("The store holds other bytes than were sent", self._key)
        else:
            self._verified = f"md5:{digest.hexdigest()}"

    def _send(self, body: bytes, digest: bytes) -> str:
        """Send all in one request, and give the ETag."""
        native = self._client.native(self._key, self._object_key)
        if native is not None:
            with self._client.pace.turn(), self._client.errors(self._key):
                return native.put(self._object_key, body, self._metadata, exclusive=self._exclusive)
        answer = self._client.call(
            "put_object",
            self._key,
            Key=self._object_key,
            Body=body,
            ContentMD5=encoded(digest),
            Metadata=self._metadata,
            **self._condition(),
        )
        return str(answer.get("ETag") or "")

    def _flush(self) -> PartSender:
        if self._upload is None:
            if self._size is not None:
                self._metadata[PART_SIZE] = str(_part_size(self._size))
            self._upload = begin_upload(
                self._client, self._key, self._object_key, self._metadata, self._token
            )
        if self._parts is None:
            self._parts = self._sender(self._upload)
        pieces, size = self._pieces, self._collected
        self._pieces, self._collected = [], 0
        if size:
            self._parts.send(pieces, size)
        return self._parts

    def _sender(self, upload: Upload) -> PartSender:
        return PartSender(self._client, self._key, self._object_key, upload)

    def _give_up(self) -> None:
        self._open = False
        self._pieces.clear()
        if self._parts is not None:
            self._parts.give_up()

    def _complete(self, sender: PartSender) -> None:
        sent = sender.finish()
        sender.dismiss()
        expected = _etag_of(sent)
        whole = sender.crc()
        try:
            answer = self._client.call(
                "complete_multipart_upload",
                self._key,
                Key=self._object_key,
                UploadId=self._upload.id if self._upload else None,
                MultipartUpload={
                    "Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in sent]
                },
                **self._condition(),
                **_full(whole),
            )
        except AlreadyExists:
            if not self._is_ours():
                raise
            return
        except StorageError as error:
            # A try whose answer was lost may have completed it.
            if root_code(error) != "NoSuchUpload" or self._etag() != expected:
                raise
            return
        found = str(answer.get("ETag") or "").strip('"')
        kept = answer.get(f"Checksum{CRC.upper()}")
        if (
            re.fullmatch(r"[0-9a-f]{32}-\d+", found) and is_plain(answer) and found != expected
        ) or (whole is not None and kept not in {None, encoded(whole)}):
            raise arrived_wrong("The store holds other bytes than were sent", self._key)

    def _condition(self) -> dict[str, str]:
        return {"IfNoneMatch": "*"} if self._exclusive else {}

    def _is_guarded(self) -> bool:
        """Whether the service itself refuses to publish over what exists."""
        # Ceph heeds the condition in one request, and not where parts are completed.
        return self._client.is_amazon or (self._upload is None and self._heeds_conditions())

    def _exists(self) -> bool:
        native = self._client.native(self._key, self._object_key)
        with suppress(NotFound), self._client.errors(self._key):
            if native is not None:
                native.head(self._object_key)
            else:
                self._look(self._key)
            return True
        return False

    def _is_ours(self) -> bool:
        with suppress(StorageError):
            found = self._client.call("head_object", self._key, Key=self._object_key)
            return bool(found.get("Metadata", {}).get("writer") == self._token)
        return False

    def _etag(self) -> str:
        found = self._client.call("head_object", self._key, Key=self._object_key)
        return str(found.get("ETag") or "").strip('"')


def _etag_of(parts: Sequence[Part]) -> str:
    together = hashlib.md5(b"".join(part.md5 for part in parts), usedforsecurity=False)
    return f"{together.hexdigest()}-{len(parts)}"


def _full(crc: bytes | None) -> dict[str, Any]:
    """What a completion says of the whole, so that the service compares it."""
    if crc is None:
        return {}
    return {f"Checksum{CRC.upper()}": encoded(crc), "ChecksumType": "FULL_OBJECT"}


def mtime_metadata(modified: datetime | None) -> dict[str, str]:
    """Metadata that keep a modification time as rclone does: seconds since 1970."""
    return {} if modified is None else {"mtime": f"{modified.timestamp():.6f}"}


def _part_size(size: int) -> int:
    """Bytes of a part, in whole megabytes, so that there are not too many."""
    least = -(-size // PARTS)
    return max(PART, -(-least // MEGABYTE) * MEGABYTE)
