"""Large objects copied inside of S3."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from jupyter_storage.errors import StorageError
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_multipart import PARTS
from jupyter_storage.stores.store import Progress

__all__ = ["copy_in_parts"]


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
