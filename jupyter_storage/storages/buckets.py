"""Buckets as wholes: looked for, made, and removed when they are empty."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from jupyter_storage.errors import AccessDenied, NotFound, StorageError, Unsupported
from jupyter_storage.paths import split_uri

__all__ = ["Bucket", "bucket_of"]


class Bucket(ABC):
    """One bucket, which may not be there yet."""

    @abstractmethod
    def exists(self) -> bool:
        """Look for it.

        Raises
        ------
        AccessDenied
            If these credentials may not look: it may be there or not.
        """

    @abstractmethod
    def takes_writes(self, key: str) -> bool:
        """Whether these credentials may write an object; nothing is written to find out."""

    @abstractmethod
    def create(self) -> None:
        """Make it.

        Raises
        ------
        Conflict
            If somebody has one of that name.
        AccessDenied
            If these credentials make no buckets.
        """

    @abstractmethod
    def remove(self) -> None:
        """Remove it, empty as it is; uploads that nobody finished go with it."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections."""


class _S3(Bucket):
    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        from jupyter_storage.stores.s3_client import S3Client

        self._client = S3Client(bucket, options)
        self._region = options.get("region") or os.environ.get("AWS_REGION")

    def exists(self) -> bool:
        with suppress(NotFound):
            self._client.call("list_objects_v2", "", MaxKeys=1)
            return True
        return False

    def takes_writes(self, key: str) -> bool:
        try:
            # An upload that is begun and given up leaves nothing.
            begun = self._client.call("create_multipart_upload", key, Key=key)
        except AccessDenied:
            return False
        with suppress(StorageError):
            self._client.call("abort_multipart_upload", key, Key=key, UploadId=begun["UploadId"])
        return True

    def create(self) -> None:
        arguments: dict[str, Any] = {}
        region = self._region or os.environ.get("AWS_DEFAULT_REGION")
        # Other services have regions of their own making, and one of them by default.
        if self._client.is_amazon and region not in {None, "us-east-1"}:
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
        self._client.call("create_bucket", "", **arguments)

    def remove(self) -> None:
        with suppress(StorageError):
            # Some services do not remove a bucket in which an upload is unfinished.
            answer = self._client.call("list_multipart_uploads", "")
            for upload in answer.get("Uploads", ()):
                key, identifier = upload["Key"], upload["UploadId"]
                self._client.call("abort_multipart_upload", "", Key=key, UploadId=identifier)
        self._client.call("delete_bucket", "")

    def close(self) -> None:
        self._client.close()


class _GCS(Bucket):
    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        from jupyter_storage.stores.gcs_client import GCSClient

        self._client = GCSClient(bucket, options)
        self._path = f"storage/v1/b/{quote(bucket, safe='')}"

    def exists(self) -> bool:
        with suppress(NotFound):
            self._client.call("GET", f"{self._path}/o", "", params={"maxResults": "1"})
            return True
        return False

    def takes_writes(self, key: str) -> bool:
        permission = "storage.objects.create"
        try:
            answer = self._client.call(
                "GET", f"{self._path}/iam/testPermissions", key, params={"permissions": permission}
            )
        except StorageError:
            # Emulators do not answer this: then a write will tell.
            return True
        return permission in answer.json().get("permissions", ())

    def create(self) -> None:
        project = str(self._client.filesystem().project or "")
        self._client.call(
            "POST",
            "storage/v1/b",
            "",
            params={"project": project},
            headers={"Content-Type": "application/json"},
            data=json.dumps({"name": self._client.bucket}).encode(),
        )

    def remove(self) -> None:
        self._client.call("DELETE", self._path, "")

    def close(self) -> None:
        self._client.close()


def bucket_of(uri: str, options: Mapping[str, Any]) -> Bucket:
    """Give the bucket that a URI is in.

    Raises
    ------
    Unsupported
        For services whose buckets we do not make.
    """
    scheme, bucket, _ = split_uri(uri)
    if scheme == "s3":
        return _S3(bucket, options)
    if scheme == "gs":
        return _GCS(bucket, options)
    raise Unsupported(
        f"Buckets of '{scheme}://' are not made here",
        path=uri,
        hint="Make it with the service's own tools, and name it by its URI as 'source'.",
    )
