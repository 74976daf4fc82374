"""Files on their way into S3: one request if small, else parts that are completed last."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
from jupyter_storage.stores.cloud_errors import arrived_wrong, from_answer, root_code
from jupyter_storage.stores.pace import jittered
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_multipart import KnownParts, write_token
from jupyter_storage.stores.store import Progress, Writer
from jupyter_storage.stores.wire import Stop

__all__ = ["S3Writer", "copy_in_parts", "md5_of", "mtime_metadata"]

MEGABYTE = 2**20
PART = 8 * MEGABYTE  # bytes of a part, unless the file is too large for so many
PARTS = 10_000  # parts of a file at most
LARGEST = 5 * 2**40  # bytes of a file at most
ALONE = 16 * MEGABYTE  # a file up to this size goes in one request
IN_FLIGHT = 32 * MEGABYTE  # bytes under way, unless one part is larger
TRIES = 5  # of one part
PAUSE = 0.2  # seconds before the second; doubles with each further one
SIGNED = 3600  # seconds for which the address of a part is good

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


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
    known : KnownParts, optional
        What an earlier writer sent.
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
        known: KnownParts | None = None,
    ) -> None:
        if size is not None and size > LARGEST:
            raise NoSpace(f"S3 takes files up to {LARGEST:,} bytes", path=key)
        self._client, self._key, self._object_key = client, key, object_key
        self._exclusive, self._size, self._look = exclusive, size, look
        self._metadata = dict(metadata)
        # Tells our object from another's when the answer to an exclusive request was lost.
        self._token = uuid4().hex
        if exclusive:
            self._metadata["writer"] = self._token
        self._is_taken, self._heeds_conditions = is_taken, heeds_conditions
        self._pieces: list[memoryview] = []
        self._collected = 0
        self._written = 0
        self._upload: str | None = None
        self._known: Mapping[int, str] = {}
        if known is not None:
            self._upload, self._token, self._known = known.upload, known.writer, known.etags
        self._flying: deque[_Part] = deque()
        self._sent: list[_Part] = []
        self._senders: ThreadPoolExecutor | None = None
        self._stop, self._stopped = Stop(), threading.Event()
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
            self._flush()
            while self._flying:
                self._settle()
            self._complete()
        self._open = False
        self._dismiss()
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
                    UploadId=self._upload,
                )

    @property
    def token(self) -> str | None:
        return None if self._upload is None else write_token(self._upload, self._token)

    def suspend(self) -> None:
        if self._upload is None or not self._open:
            self.abort()
            return
        # The service has what was sent, and nobody asks for it to be thrown away.
        self._give_up()

    def stop(self) -> None:
        self._stopped.set()
        self._stop.stop()

    def _limit(self) -> int:
        if self._upload is None and self._size is None:
            return ALONE
        if self._size is not None:
            return ALONE if self._size <= ALONE else _part_size(self._size)
        # Nobody knows how much comes: every thousandth part doubles what follows.
        return PART << ((len(self._sent) + len(self._flying)) // 1000)

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
            found = self._look(self._key).checksum
            if found is not None and found != f"md5:{digest.hexdigest()}":
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
            ContentMD5=base64.b64encode(digest).decode(),
            Metadata=self._metadata,
            **self._condition(),
        )
        return str(answer.get("ETag") or "")

    def _flush(self) -> None:
        if not self._pieces:
            return
        if self._upload is None:
            answer = self._client.call(
                "create_multipart_upload",
                self._key,
                Key=self._object_key,
                Metadata=self._metadata,
            )
            self._upload = str(answer["UploadId"])
        if self._senders is None:
            most = max(2, IN_FLIGHT // self._collected)
            self._senders = ThreadPoolExecutor(most, "jupyter-storage-part")
        part = _Part(len(self._sent) + len(self._flying) + 1, self._pieces, self._collected)
        self._pieces, self._collected = [], 0
        part.future = self._senders.submit(self._deliver, part)
        self._flying.append(part)
        while sum(part.size for part in self._flying) > IN_FLIGHT and len(self._flying) > 1:
            self._settle()

    def _settle(self) -> None:
        part = self._flying[0]
        part.future.result()
        self._sent.append(self._flying.popleft())

    def _deliver(self, part: _Part) -> None:
        """Send a part, and again if the error may pass; in a thread of its own."""
        part.sign()
        if self._known.get(part.number) == part.digest.hex():
            part.etag = f'"{part.digest.hex()}"'
            part.pieces.clear()
            return
        pause = PAUSE
        for left in reversed(range(TRIES)):
            try:
                with self._client.pace.turn():
                    part.etag = self._send_part(part)
                break
            except StorageError as error:
                if not error.retryable or not left or not self._client.pace.may_retry():
                    raise
                if self._stopped.wait(jittered(pause)):
                    raise
                pause *= 2
        part.pieces.clear()

    def _send_part(self, part: _Part) -> str:
        md5 = base64.b64encode(part.digest).decode()
        arguments = {
            "Key": self._object_key,
            "UploadId": self._upload,
            "PartNumber": part.number,
            "ContentMD5": md5,
        }
        wire = self._client.wire(self._key, self._object_key)
        if wire is None:
            body = b"".join(part.pieces)
            return str(self._client.call("upload_part", self._key, Body=body, **arguments)["ETag"])
        url = self._client.presign(self._key, "upload_part", SIGNED, **arguments)
        with self._client.errors(self._key):
            answer = wire.put(url, {"Content-MD5": md5}, part.pieces, self._stop)
        if answer.status != 200:
            raise from_answer(answer.status, answer.body, key=self._key)
        return str(answer.headers["ETag"])

    def _give_up(self) -> None:
        self._open = False
        self.stop()
        # A part that arrives after an abort would stay, and cost, unseen.
        wait([part.future for part in self._flying])
        self._dismiss()
        self._flying.clear()
        self._pieces.clear()

    def _dismiss(self) -> None:
        if self._senders is not None:
            self._senders.shutdown()

    def _complete(self) -> None:
        parts = [{"PartNumber": part.number, "ETag": part.etag} for part in self._sent]
        together = hashlib.md5(b"".join(part.digest for part in self._sent), usedforsecurity=False)
        expected = f"{together.hexdigest()}-{len(parts)}"
        try:
            answer = self._client.call(
                "complete_multipart_upload",
                self._key,
                Key=self._object_key,
                UploadId=self._upload,
                MultipartUpload={"Parts": parts},
                **self._condition(),
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
        if re.fullmatch(r"[0-9a-f]{32}-\d+", found) and _plain(answer) and found != expected:
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


class _Part:
    """Some of a file's bytes on their way."""

    future: Future[None]

    def __init__(self, number: int, pieces: list[memoryview], size: int) -> None:
        self.number, self.pieces, self.size = number, pieces, size
        self.digest = b""
        self.etag = ""

    def sign(self) -> None:
        """Compute the MD5."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces:
            digest.update(piece)
        self.digest = digest.digest()


def copy_in_parts(
    client: S3Client,
    source: Mapping[str, str],
    key: str,
    object_key: str,
    *,
    size: int,
    part: int,
    exclusive: bool,
    progress: Progress | None,
) -> None:
    """Copy a large object inside the service.

    Parameters
    ----------
    client : S3Client
    source : mapping
        ``Bucket`` and ``Key``.
    key, object_key : str
        The target as callers know it, and as the bucket does.
    size, part : int
        Bytes in all, and of one part unless that makes too many.
    exclusive : bool
    progress : callable or None
    """
    part = max(part, -(-size // PARTS))
    metadata = client.call("head_object", key, **source).get("Metadata", {})
    answer = client.call("create_multipart_upload", key, Key=object_key, Metadata=metadata)
    upload = {"Key": object_key, "UploadId": answer["UploadId"]}
    try:
        parts = []
        for number, start in enumerate(range(0, size, part), start=1):
            end = min(start + part, size)
            copied = client.call(
                "upload_part_copy",
                key,
                CopySource=dict(source),
                CopySourceRange=f"bytes={start}-{end - 1}",
                PartNumber=number,
                **upload,
            )
            parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
            if progress:
                progress(end - start)
        only = {"IfNoneMatch": "*"} if exclusive else {}
        client.call(
            "complete_multipart_upload", key, MultipartUpload={"Parts": parts}, **upload, **only
        )
    except BaseException:
        with suppress(StorageError):
            client.call("abort_multipart_upload", key, **upload)
        raise


def md5_of(answer: Mapping[str, Any], bucket: str) -> str | None:
    """MD5 of an object's content, where its ETag is one.

    It is none for objects of several parts, for those encrypted with keys of AWS's key service or
    of the customer, and in directory buckets
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    match = _MD5.fullmatch(str(answer.get("ETag") or ""))
    if match is None or not _plain(answer) or bucket.endswith("--x-s3"):
        return None
    return match[1]


def mtime_metadata(modified: datetime | None) -> dict[str, str]:
    """Metadata that keep a modification time as rclone does: seconds since 1970."""
    return {} if modified is None else {"mtime": f"{modified.timestamp():.6f}"}


def _plain(answer: Mapping[str, Any]) -> bool:
    encryption = answer.get("ServerSideEncryption")
    return encryption in {None, "AES256"} and not answer.get("SSECustomerAlgorithm")


def _part_size(size: int) -> int:
    """Bytes of a part, in whole megabytes, so that there are not too many."""
    least = -(-size // PARTS)
    return max(PART, -(-least // MEGABYTE) * MEGABYTE)
