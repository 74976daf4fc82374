"""Files on their way into S3: one request if small, else parts that are completed last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
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
from jupyter_storage.stores.cloud_errors import arrived_wrong, from_answer, root_code
from jupyter_storage.stores.parts import CRC, Part, PartSender, PartWriter, part_size
from jupyter_storage.stores.s3_checksums import PART_SIZE, encoded, is_plain
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_multipart import PARTS, Upload, begin_upload

__all__ = ["S3Writer", "mtime_metadata"]

LARGEST = 5 * 2**40  # bytes of a file at most
SIGNED = 3600  # seconds for which the address of a part is good


class S3Writer(PartWriter):
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
        super().__init__(key, size, PARTS)
        self._client, self._object_key = client, object_key
        self._exclusive, self._look = exclusive, look
        self._metadata = dict(metadata)
        # Tells our object from another's when the answer to an exclusive request was lost.
        self._token = upload.writer if upload else uuid4().hex
        if exclusive:
            self._metadata["writer"] = self._token
        self._is_taken, self._heeds_conditions = is_taken, heeds_conditions
        self._checksums = checksums
        self._upload = upload
        self._parts = None if upload is None else self._sender(upload)
        self._verified: str | None = None  # the checksum, once the service has told it

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

    def _put(self) -> None:
        """Send all in one request."""
        body = self._body()
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

    def _begin(self) -> PartSender:
        if self._size is not None:
            self._metadata[PART_SIZE] = str(part_size(self._size, PARTS))
        self._upload = begin_upload(
            self._client, self._key, self._object_key, self._metadata, self._token
        )
        return self._sender(self._upload)

    def _sender(self, upload: Upload) -> PartSender:
        return PartSender(
            partial(self._send_part, upload.id),
            upload.known,
            pace=self._client.pace,
            stop=self._stop,
            takes_crc=upload.takes_crc,
        )

    def _send_part(self, upload: str, part: Part) -> str:
        headers = {"Content-MD5": encoded(part.md5)}
        arguments = {
            "Key": self._object_key,
            "UploadId": upload,
            "PartNumber": part.number,
            "ContentMD5": encoded(part.md5),
        }
        if part.crc:
            headers[f"x-amz-checksum-{CRC}"] = encoded(part.crc)
            arguments[f"Checksum{CRC.upper()}"] = encoded(part.crc)
        wire = self._client.wire(self._key, self._object_key)
        if wire is None:
            body = b"".join(part.pieces)
            return str(self._client.call("upload_part", self._key, Body=body, **arguments)["ETag"])
        url = self._client.address(self._key, SIGNED, **arguments)
        with self._client.errors(self._key):
            answer = wire.put(url, headers, part.pieces, self._stop)
        if answer.status != 200:
            raise from_answer(answer.status, answer.body, key=self._key)
        return str(answer.headers["ETag"])

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
