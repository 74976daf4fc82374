"""Uploads of several parts: begun, found where nobody has completed them, thrown away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jupyter_storage.errors import AccessDenied, NotFound, StorageError
from jupyter_storage.stores.cloud_errors import root_code
from jupyter_storage.stores.s3_client import S3Client

__all__ = ["PARTS", "Upload", "begin_upload", "find_upload", "find_uploads", "throw_away"]

PARTS = 10_000  # parts of a file at most

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload of several parts that is under way.

    Attributes
    ----------
    id : str
        The service's name of it.
    writer : str
        By which whoever began it knows the object.
    takes_crc : bool
        Whether the service keeps the CRC of the whole, and wants one of each part.
    known : mapping
        Of the parts that are there already, from their numbers to the MD5 of each.
    """

    id: str
    writer: str
    takes_crc: bool
    known: Mapping[int, str] = field(default_factory=dict)

    def token(self) -> str:
        """Write what :func:`find_upload` needs."""
        return json.dumps({"upload": self.id, "writer": self.writer, "crc": self.takes_crc})


def begin_upload(
    client: S3Client, key: str, object_key: str, metadata: Mapping[str, str], writer: str
) -> Upload:
    """Begin one, with the CRC of the whole where the service keeps that."""
    arguments = {"Key": object_key, "Metadata": dict(metadata)}
    if client.may_take_crc:
        try:
            answer = client.call(
                "create_multipart_upload",
                key,
                ChecksumAlgorithm="CRC32C",
                ChecksumType="FULL_OBJECT",
                **arguments,
            )
            # Who does not know what was asked for says nothing of it.
            takes = answer.get("ChecksumAlgorithm") == "CRC32C"
            client.may_take_crc = takes and answer.get("ChecksumType") == "FULL_OBJECT"
            return Upload(str(answer["UploadId"]), writer, client.may_take_crc)
        except StorageError as error:
            if isinstance(error, (AccessDenied, NotFound)) or error.retryable:
                raise
            # Some refuse headers that they do not know. If it was something else, it comes again.
            client.may_take_crc = False
    answer = client.call("create_multipart_upload", key, **arguments)
    return Upload(str(answer["UploadId"]), writer, takes_crc=False)


def find_upload(client: S3Client, key: str, object_key: str, token: str) -> Upload | None:
    """Find one again with its parts; None if it is completed, or was thrown away."""
    try:
        known = json.loads(token)
        upload, writer = str(known["upload"]), str(known["writer"])
        etags = dict(_parts(client, key, object_key, upload))
    except (ValueError, KeyError, TypeError, NotFound):
        return None
    except StorageError as error:
        if root_code(error) != "NoSuchUpload":
            raise
        return None
    return Upload(upload, writer, bool(known.get("crc")), etags)


def _parts(client: S3Client, key: str, object_key: str, upload: str) -> Iterator[tuple[int, str]]:
    marker: dict[str, int] = {}
    while True:
        answer = client.call("list_parts", key, Key=object_key, UploadId=upload, **marker)
        for part in answer.get("Parts", ()):
            # Of an encrypted part the ETag says nothing: it is sent again.
            etag = str(part.get("ETag") or "").strip('"')
            if _MD5.fullmatch(etag):
                yield int(part["PartNumber"]), etag
        if not answer.get("IsTruncated"):
            return
        marker = {"PartNumberMarker": int(answer["NextPartNumberMarker"])}


def find_uploads(
    client: S3Client, key: str, prefix: str
) -> Iterator[tuple[str, str, datetime | None]]:
    """List uploads below a prefix: the object's key in the bucket, the ID, and since when."""
    marker: dict[str, str] = {}
    while True:
        answer = client.call("list_multipart_uploads", key, Prefix=prefix, **marker)
        for upload in answer.get("Uploads", ()):
            yield str(upload["Key"]), str(upload["UploadId"]), upload.get("Initiated")
        if not answer.get("IsTruncated"):
            return
        marker = {
            "KeyMarker": str(answer["NextKeyMarker"]),
            "UploadIdMarker": str(answer["NextUploadIdMarker"]),
        }


def throw_away(client: S3Client, key: str, object_key: str, upload: str) -> None:
    """Delete the parts of an upload."""
    try:
        client.call("abort_multipart_upload", key, Key=object_key, UploadId=upload)
    except StorageError as error:
        if not isinstance(error, NotFound) and root_code(error) != "NoSuchUpload":
            raise
