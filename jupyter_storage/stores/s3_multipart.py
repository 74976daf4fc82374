"""Uploads of several parts that nobody has completed: found, gone on with, thrown away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.stores.cloud_errors import root_code
from jupyter_storage.stores.s3_client import S3Client

__all__ = ["KnownParts", "find_parts", "find_uploads", "throw_away", "write_token"]

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class KnownParts:
    """What an earlier writer sent of a file.

    Attributes
    ----------
    upload : str
        ID of the upload.
    writer : str
        By which that writer knows its object.
    etags : mapping
        From the numbers of parts to the MD5 of each.
    """

    upload: str
    writer: str
    etags: Mapping[int, str]


def write_token(upload: str, writer: str) -> str:
    """Write what :func:`find_parts` needs."""
    return json.dumps({"upload": upload, "writer": writer})


def find_parts(client: S3Client, key: str, object_key: str, token: str) -> KnownParts | None:
    """Ask for the parts of an upload; None if it is completed, or was thrown away."""
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
    return KnownParts(upload, writer, etags)


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
