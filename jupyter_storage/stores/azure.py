"""Azure's blob storage as a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidPath,
    IsADirectory,
    NotFound,
    Unreachable,
)
from jupyter_storage.paths import basename, join
from jupyter_storage.records import Entry, UnfinishedUpload
from jupyter_storage.stores.azure_client import AzureClient
from jupyter_storage.stores.azure_writer import AzureWriter, blocks_of
from jupyter_storage.stores.bodies import Bodies, Confirm
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.deletions import delete_each
from jupyter_storage.stores.native import Body
from jupyter_storage.stores.object_store import ObjectStore
from jupyter_storage.stores.objects import Found, Span
from jupyter_storage.stores.ranges import WHOLE
from jupyter_storage.stores.store import Fill, Progress, Store, Writer
from jupyter_storage.stores.streams import Stream

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from fsspec import AbstractFileSystem

__all__ = ["AzureStore"]

_LOOK = 0.5  # seconds between looks at a copy that takes long
_UNCOMMITTED = "uncommitted"  # a blob has no more than one upload


class AzureStore(ObjectStore):
    """A prefix in a container of Azure's blob storage as a store.

    Parameters
    ----------
    container : str
    prefix : str
        Key of the root, without slashes around it.
    options : mapping, optional
        ``account_name``, ``account_key_env``, ``sas_token_env``, ``connection_string_env``,
        ``endpoint_url``, ``anonymous``; anything else goes to ``adlfs.AzureBlobFileSystem``.

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    NotConfigured
        If no account is named.
    """

    def __init__(
        self,
        container: str,
        prefix: str = "",
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__("az", container, prefix)
        self._client = AzureClient(container, options)

    def details(self, key: str) -> Mapping[str, str]:
        try:
            found = self._properties(key)
        except NotFound:
            return {}  # a directory
        told = {
            "storage_class": found.blob_tier,
            "content_type": found.content_settings.content_type,
            "etag": (found.etag or "").strip('"'),
            "version": found.version_id,
        }
        return {name: str(value) for name, value in told.items() if value}

    def _get(self, key: str, span: Span | None) -> tuple[Stream, Callable[[], None]]:
        return self._bodies(key).open(span, partial(self._checksum_of, key))

    def fill(self, key: str, size: int, write: Fill, *, progress: Progress) -> bool:
        if size <= WHOLE:
            return False
        found = self._properties(key)
        if found.size != size or _md5(found) is not None:
            # It has a checksum: who reads in order compares.
            return False
        self._bodies(key).fill(size, found.etag, write, progress, None)
        return True

    def _bodies(self, key: str) -> Bodies:
        client = self._client
        errors = partial(client.errors, key)
        return Bodies(client.native(), key, self._key(key), client.pace, errors)

    def _checksum_of(self, key: str, body: Body) -> tuple[Checksum | None, Confirm | None]:
        # Of small files it would be a second request.
        found = self._properties(key) if body.size > WHOLE else None
        return (_md5(found) if found and found.etag == body.etag else None), None

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        if not key:
            raise IsADirectory("It is the root of the tier", path=key)
        return self._writer(key, exclusive, size, modified, {})

    def resume(
        self,
        key: str,
        token: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer | None:
        known = blocks_of(self._client, key, self._key(key))
        return self._writer(key, exclusive, size, modified, known) if known else None

    def _writer(
        self,
        key: str,
        exclusive: bool,
        size: int | None,
        modified: datetime | None,
        known: Mapping[int, str],
    ) -> AzureWriter:
        return AzureWriter(
            self._client,
            key,
            self._key(key),
            exclusive=exclusive,
            size=size,
            metadata={} if modified is None else {"mtime": f"{modified.timestamp():.6f}"},
            is_taken=self._directories.has,
            known=known,
        )

    def unfinished(self, key: str = "") -> Iterator[UnfinishedUpload]:
        with self._client.errors(key):
            container = self._client.container()
            found = container.list_blobs(
                name_starts_with=self._base(key), include=["uncommittedblobs"]
            )
            for item in found:
                path = self._outside(item.name)
                # One that was committed has blocks, or is as empty as it looks.
                if not item.size and path and not container.get_blob_client(item.name).exists():
                    yield UnfinishedUpload(path, _UNCOMMITTED, _utc(item.last_modified))

    def discard(self, upload: UnfinishedUpload) -> None:
        # A list of blocks takes all others away, and one of none is a file that is deleted.
        with suppress(AlreadyExists, NotFound), self._client.errors(upload.path):
            blob = self._client.blob(self._key(upload.path))
            written: Any = blob.commit_block_list([], match_condition=MatchConditions.IfMissing)
            blob.delete_blob(etag=written["etag"], match_condition=MatchConditions.IfNotModified)

    def _heeds_conditions(self) -> bool:
        return True

    def can_copy_from(self, source: Store) -> bool:
        return isinstance(source, AzureStore) and source._client.identity == self._client.identity

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self._client.filesystem(), join(self.bucket, self.prefix)

    def url(self, key: str, *, expires: int = 3600) -> str:
        self._file_stat(key)
        return self._client.sign(key, self._key(key), expires)

    def close(self) -> None:
        self._client.close()

    def _key(self, key: str) -> str:
        if "\\" in key:
            raise InvalidPath(
                "Azure takes a backslash in a name for a slash",
                path=key,
                hint="Choose a name without one.",
            )
        return super()._key(key)

    def _properties(self, key: str) -> BlobProperties:
        with self._client.errors(key):
            return self._client.blob(self._key(key)).get_blob_properties()

    def _head(self, key: str) -> Entry:
        item = _found(self._properties(key))
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
        with self._client.errors(key):
            container = self._client.container()
            arguments: dict[str, Any] = {"name_starts_with": prefix, "results_per_page": limit}
            if after:
                arguments["start_from"] = after
            listing = (
                container.list_blobs(**arguments)
                if flat
                else container.walk_blobs(delimiter="/", **arguments)
            )
            pages: Any = listing.by_page(cursor)
            found = [_found(item) for item in next(pages, ())]
            return found, pages.continuation_token or None

    def _put_if_absent(self, key: str) -> None:
        with self._client.errors(key):
            self._client.blob(self._key(key)).upload_blob(b"", overwrite=False)

    def _put_marker(self, key: str) -> None:
        with self._client.errors(key):
            self._client.blob(self._base(key)).upload_blob(b"", overwrite=True)

    def _delete_object(self, key: str) -> None:
        self._delete_blob(self._key(key))

    def _delete_blob(self, object_key: str) -> None:
        with self._client.errors(self._outside(object_key)):
            self._client.blob(object_key).delete_blob(delete_snapshots="include")

    def _delete_objects(self, object_keys: Sequence[str]) -> None:
        delete_each(self._delete_blob, object_keys)

    def _copy(
        self,
        source: Mapping[str, str],
        key: str,
        size: int,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> None:
        only: dict[str, Any] = {"match_condition": MatchConditions.IfMissing} if exclusive else {}
        with self._client.errors(key):
            container = self._client.container()
            origin = container.get_blob_client(source["Key"]).url
            if source["Bucket"] != self.bucket:
                origin = origin.replace(f"/{self.bucket}/", f"/{source['Bucket']}/", 1)
            blob = container.get_blob_client(self._key(key))
            status: Any = blob.start_copy_from_url(origin, **only)["copy_status"]
            while status == "pending":
                time.sleep(_LOOK)
                status = blob.get_blob_properties().copy.status
        if status != "success":
            raise Unreachable(f"The copy inside of the service ended as '{status}'", path=key)
        if progress:
            progress(size)


def _found(item: Any) -> Found:
    """One line of a listing; what has no size is a directory."""
    if getattr(item, "size", None) is None:
        return Found(str(item.name))
    md5 = _md5(item)
    return Found(
        str(item.name), int(item.size), _utc(item.last_modified), md5.text if md5 else None
    )


def _md5(item: BlobProperties) -> Checksum | None:
    return Checksum.known("md5", bytes(item.content_settings.content_md5 or b""))


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(timezone.utc)
