"""Google Cloud Storage as a store."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_storage.errors import IsADirectory, NotFound, StorageError, Unsupported
from jupyter_storage.paths import basename, join
from jupyter_storage.records import Entry
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.deletions import delete_each
from jupyter_storage.stores.gcs_client import GCSClient, object_path
from jupyter_storage.stores.gcs_writer import GCSWriter, insert
from jupyter_storage.stores.object_store import ObjectStore
from jupyter_storage.stores.objects import Found, Span
from jupyter_storage.stores.store import Progress, Store, Writer
from jupyter_storage.stores.streams import Stream

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["GCSStore"]


_DETAILS = {
    "storage_class": "storageClass",
    "content_type": "contentType",
    "etag": "etag",
    "version": "generation",
    "encryption": "kmsKeyName",
}


class GCSStore(ObjectStore):
    """A prefix in a bucket of Google Cloud Storage as a store.

    Parameters
    ----------
    bucket : str
    prefix : str
        Key of the root, without slashes around it.
    options : mapping, optional
        ``project``, ``credentials_file``, ``anonymous``; anything else goes to
        ``gcsfs.GCSFileSystem``.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__("gs", bucket, prefix)
        self._client = GCSClient(bucket, options)

    def details(self, key: str) -> Mapping[str, str]:
        try:
            item = self._client.call("GET", self._path(key), key).json()
        except NotFound:
            return {}  # a directory
        told = {name: item.get(member) for name, member in _DETAILS.items()}
        told["owner"] = item.get("owner", {}).get("entity")
        return {name: str(value) for name, value in told.items() if value}

    def _get(self, key: str, span: Span | None) -> tuple[Stream, Callable[[], None]]:
        headers = {"Range": span.header()} if span else {}
        response = self._client.stream(self._path(key), key, headers)

        def read() -> bytes:
            with self._client.errors(key):
                return self._client.read(response)

        stream = Stream(
            read,
            key,
            expected=response.content_length,
            version=response.headers.get("x-goog-generation"),
            checksum=None if span else _hash_header(response.headers),
        )
        return stream, lambda: self._client.release(response)

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        if not key or self._directories.has(key):
            raise IsADirectory("A directory has that name", path=key)
        return GCSWriter(
            self._client,
            key,
            self._key(key),
            exclusive=exclusive,
            size=size,
            modified=modified,
            look=self._head,
            heeds_conditions=self.creates_exclusively,
        )

    def can_copy_from(self, source: Store) -> bool:
        return isinstance(source, GCSStore) and source._client.identity == self._client.identity

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self._client.filesystem(), join(self.bucket, self.prefix)

    def url(self, key: str, *, expires: int = 3600) -> str:
        self._file_stat(key)
        if self._client.anonymous:
            raise Unsupported(
                "Links are made with credentials, and this bucket is used without", path=key
            )
        try:
            return self._client.sign(key, self._key(key), expires)
        except StorageError as error:
            if type(error) is not StorageError:
                raise
            raise Unsupported(
                "These credentials cannot make links",
                path=key,
                hint="Use a service account's key ('credentials_file').",
            ) from error

    def close(self) -> None:
        self._client.close()

    def checksums(self, key: str) -> Sequence[Checksum]:
        with self._looked(key):
            return _checksums(self._client.call("GET", self._path(key), key).json())

    def _path(self, key: str) -> str:
        return object_path(self.bucket, self._key(key))

    def _head(self, key: str) -> Entry:
        item = _found(self._client.call("GET", self._path(key), key).json())
        return Entry(key, basename(key), "file", item.size, item.modified, item.checksum)

    def _found(
        self,
        key: str,
        prefix: str,
        *,
        flat: bool,
        cursor: str | None,
        limit: int,
        after: str = "",
    ) -> tuple[Sequence[Found], str | None]:
        params = {"prefix": prefix, "maxResults": str(limit)}
        if not flat:
            params["delimiter"] = "/"
        if after:
            params["startOffset"] = after
        if cursor:
            params["pageToken"] = cursor
        path = f"storage/v1/b/{quote(self.bucket, safe='')}/o"
        answer = self._client.call("GET", path, key, params=params).json()
        found = [_found(item) for item in answer.get("items", ())]
        found += [Found(directory) for directory in answer.get("prefixes", ())]
        return found, answer.get("nextPageToken") or None

    def _put_if_absent(self, key: str) -> None:
        insert(self._client, key, self._key(key), b"", exclusive=True, modified=None)

    def _put_marker(self, key: str) -> None:
        insert(self._client, key, self._base(key), b"", exclusive=False, modified=None)

    def _delete_object(self, key: str) -> None:
        self._client.call("DELETE", self._path(key), key)

    def _delete_objects(self, object_keys: Sequence[str]) -> None:
        def delete(object_key: str) -> None:
            path = object_path(self.bucket, object_key)
            self._client.call("DELETE", path, self._outside(object_key))

        delete_each(delete, object_keys)

    def _copy(
        self,
        source: Mapping[str, str],
        key: str,
        size: int,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> None:
        origin = object_path(source["Bucket"], source["Key"])
        target = object_path(self.bucket, self._key(key)).removeprefix("storage/v1/")
        params = {"ifGenerationMatch": "0"} if exclusive else {}
        done = 0
        # Copies between regions come in steps, each with the token of the one before.
        while True:
            answer = self._client.call(
                "POST", f"{origin}/rewriteTo/{target}", key, params=params
            ).json()
            if progress:
                rewritten = int(answer.get("totalBytesRewritten", size))
                progress(rewritten - done)
                done = rewritten
            if answer.get("done", True):
                return
            params = {**params, "rewriteToken": answer["rewriteToken"]}


def _found(item: Mapping[str, Any]) -> Found:
    # Composite objects have no MD5.
    modified = None
    if item.get("updated"):
        modified = datetime.fromisoformat(str(item["updated"]).replace("Z", "+00:00"))
        modified = modified.astimezone(timezone.utc)
    md5 = next((known for known in _checksums(item) if known.algorithm == "md5"), None)
    return Found(str(item["name"]), int(item.get("size", 0)), modified, md5.text if md5 else None)


def _checksums(item: Mapping[str, Any]) -> Sequence[Checksum]:
    """What an object's metadata say of its content, the cheapest to compare first."""
    return _known({"crc32c": item.get("crc32c"), "md5": item.get("md5Hash")})


def _hash_header(headers: Mapping[str, str]) -> Checksum | None:
    pairs = (value.strip().partition("=") for value in headers.get("x-goog-hash", "").split(","))
    return next(iter(_known({name: digest for name, _, digest in pairs})), None)


def _known(encoded: Mapping[str, str | None]) -> Sequence[Checksum]:
    found = (
        Checksum.known(name, base64.b64decode(value)) for name, value in encoded.items() if value
    )
    return sorted((checksum for checksum in found if checksum), key=lambda it: it.cost)
