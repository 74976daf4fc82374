"""Amazon S3, and every service that speaks its protocol, as a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import IsADirectory, NotFound, StorageError, Unsupported
from jupyter_storage.paths import basename, join
from jupyter_storage.records import Entry, UnfinishedUpload
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.cloud_errors import from_code, root_code
from jupyter_storage.stores.object_store import ObjectStore
from jupyter_storage.stores.objects import Found, Span
from jupyter_storage.stores.ranges import WHOLE
from jupyter_storage.stores.s3_checksums import checksums_of, md5_of
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_copy import copy_in_parts
from jupyter_storage.stores.s3_listing import listed
from jupyter_storage.stores.s3_multipart import Upload, find_upload, find_uploads, throw_away
from jupyter_storage.stores.s3_writer import S3Writer, mtime_metadata
from jupyter_storage.stores.store import Fill, Progress, Store, Writer
from jupyter_storage.stores.streams import Stream

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from jupyter_storage.stores.bodies import Bodies, Confirm
    from jupyter_storage.stores.native import Body, Native

__all__ = ["S3Store"]

COPY_LIMIT = 5 * 2**30  # bytes that one CopyObject takes
COPY_PART = 512 * 2**20  # bytes of one part of a larger copy

_DETAILS = {
    "storage_class": "StorageClass",
    "content_type": "ContentType",
    "etag": "ETag",
    "version": "VersionId",
    "encryption": "ServerSideEncryption",
}


class S3Store(ObjectStore):
    """A prefix in an S3 bucket as a store.

    Parameters
    ----------
    bucket : str
    prefix : str
        Key of the root, without slashes around it.
    options : mapping, optional
        ``profile``, ``endpoint_url``, ``region``, ``anonymous``, ``access_key_env``,
        ``secret_key_env``, ``session_token_env``; anything else goes to ``s3fs.S3FileSystem``.

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__("s3", bucket, prefix)
        self._client = S3Client(bucket, options)

    def details(self, key: str) -> Mapping[str, str]:
        try:
            answer = self._client.call("head_object", key, Key=self._key(key))
        except NotFound:
            return {}  # a directory
        told = {name: answer.get(member) for name, member in _DETAILS.items()}
        # S3 leaves its standard class out.
        told["storage_class"] = told["storage_class"] or "STANDARD"
        return {name: str(value).strip('"') for name, value in told.items() if value}

    def _get(self, key: str, span: Span | None) -> tuple[Stream, Callable[[], None]]:
        native = self._client.native(key, self._key(key))
        if native is not None:
            return self._bodies(native, key).open(span, partial(self._checksum_of, key))
        arguments = {"Range": span.header()} if span else {}
        answer = self._client.call("get_object", key, Key=self._key(key), **arguments)
        body = answer["Body"]

        def read() -> bytes:
            with self._client.errors(key):
                return self._client.read(body)

        stream = Stream(
            read,
            key,
            expected=answer.get("ContentLength"),
            version=answer.get("ETag"),
            checksum=None if span else md5_of(answer, self.bucket),
        )
        return stream, body.close

    def _bodies(self, native: Native, key: str) -> Bodies:
        from jupyter_storage.stores.bodies import Bodies

        client = self._client
        return Bodies(native, key, self._key(key), client.pace, partial(client.errors, key))

    def _checksum_of(self, key: str, body: Body) -> tuple[Checksum | None, Confirm | None]:
        md5 = md5_of({"ETag": body.etag}, self.bucket)
        if md5 is not None:
            # The ETag of an encrypted object may look like one.
            return md5, lambda: Checksum.parse(self._head(key).checksum)
        if body.size <= WHOLE:
            return None, None
        # What costs next to nothing to compare, of this very version.
        answer = self._ask(key, ChecksumMode="ENABLED")
        known = checksums_of(answer, self.bucket)
        fits = known and known[0].combines and answer.get("ETag") == body.etag
        return (known[0] if fits else None), None

    def fill(self, key: str, size: int, write: Fill, *, progress: Progress) -> bool:
        native = self._client.native(key, self._key(key))
        if native is None or size <= WHOLE:
            return False
        answer = self._ask(key, ChecksumMode="ENABLED")
        known = checksums_of(answer, self.bucket)
        checksum = known[0] if known and known[0].combines else None
        if answer["ContentLength"] != size or (checksum is None and known and not known[0].part):
            # It has a checksum that cannot be put together: who reads in order compares.
            return False

        self._bodies(native, key).fill(size, answer.get("ETag"), write, progress, checksum)
        return True

    def checksums(self, key: str) -> Sequence[Checksum]:
        def first_part() -> int | None:
            answer = self._ask(key, PartNumber=1)
            # Who does not know of parts describes the whole.
            return int(answer["ContentLength"]) if answer.get("PartsCount") else None

        with self._looked(key):
            return checksums_of(self._ask(key, ChecksumMode="ENABLED"), self.bucket, first_part)

    def resume(
        self,
        key: str,
        token: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer | None:
        upload = find_upload(self._client, key, self._key(key), token)
        if upload is None:
            return None
        return self._writer(key, exclusive, size, modified, upload)

    def unfinished(self, key: str = "") -> Iterator[UnfinishedUpload]:
        for object_key, upload, started in find_uploads(self._client, key, self._base(key)):
            yield UnfinishedUpload(self._outside(object_key), upload, _utc(started))

    def discard(self, upload: UnfinishedUpload) -> None:
        throw_away(self._client, upload.path, self._key(upload.path), upload.id)

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
        return self._writer(key, exclusive, size, modified, None)

    def _writer(
        self,
        key: str,
        exclusive: bool,
        size: int | None,
        modified: datetime | None,
        upload: Upload | None,
    ) -> S3Writer:
        return S3Writer(
            self._client,
            key,
            self._key(key),
            exclusive=exclusive,
            size=size,
            metadata=mtime_metadata(modified),
            look=self._head,
            is_taken=self._directories.has,
            heeds_conditions=self.creates_exclusively,
            checksums=self.checksums,
            upload=upload,
        )

    def _heeds_conditions(self) -> bool:
        return self._client.is_amazon or super()._heeds_conditions()

    def can_copy_from(self, source: Store) -> bool:
        return isinstance(source, S3Store) and source._client.identity == self._client.identity

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self._client.filesystem(), join(self.bucket, self.prefix)

    def url(self, key: str, *, expires: int = 3600) -> str:
        self._file_stat(key)
        return self._client.presign(key, "get_object", expires, Key=self._key(key))

    def close(self) -> None:
        self._client.close()

    def _ask(self, key: str, **more: Any) -> dict[str, Any]:
        try:
            return self._client.call("head_object", key, Key=self._key(key), **more)
        except StorageError as error:
            if root_code(error) in {"400", "403"}:
                # An answer to HEAD has no body, which is where S3 says why: credentials that are
                # expired or unknown look like any other refusal. Ask in a way that tells.
                self._client.call("list_objects_v2", key, Prefix=self._key(key), MaxKeys=1)
            raise

    def _head(self, key: str) -> Entry:
        answer = self._ask(key)
        md5 = md5_of(answer, self.bucket)
        return Entry(
            key,
            basename(key),
            "file",
            answer["ContentLength"],
            _utc(answer.get("LastModified")),
            md5.text if md5 else None,
        )

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
        arguments: dict[str, Any] = {} if flat else {"Delimiter": "/"}
        if after:
            arguments["StartAfter"] = after
        if cursor:
            arguments["ContinuationToken"] = cursor
        return listed(
            self._client.call("list_objects_v2", key, Prefix=prefix, MaxKeys=limit, **arguments)
        )

    def _put_if_absent(self, key: str) -> None:
        self._client.call("put_object", key, Key=self._key(key), Body=b"", IfNoneMatch="*")

    def _put_marker(self, key: str) -> None:
        self._client.call("put_object", key, Key=self._base(key), Body=b"")

    def _delete_object(self, key: str) -> None:
        self._client.call("delete_object", key, Key=self._key(key))

    def _delete_objects(self, object_keys: Sequence[str]) -> None:
        objects = [{"Key": object_key} for object_key in object_keys]
        try:
            answer = self._client.call(
                "delete_objects", "", Delete={"Objects": objects, "Quiet": True}
            )
        except Unsupported:
            for object_key in object_keys:
                self._client.call("delete_object", self._outside(object_key), Key=object_key)
            return
        errors = answer.get("Errors", ())
        if errors:
            first = errors[0]
            error = from_code(
                str(first.get("Code", "")),
                str(first.get("Message", "")),
                key=self._outside(str(first.get("Key", ""))),
            )
            if len(errors) > 1:
                error.message += f"; {len(errors):,} files could not be deleted"
            raise error

    def _copy(
        self,
        source: Mapping[str, str],
        key: str,
        size: int,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> None:
        target = self._key(key)
        if size > COPY_LIMIT:
            copy_in_parts(
                self._client,
                source,
                key,
                target,
                size=size,
                part=COPY_PART,
                exclusive=exclusive,
                progress=progress,
            )
            return
        only = {"IfNoneMatch": "*"} if exclusive else {}
        self._client.call("copy_object", key, Key=target, CopySource=dict(source), **only)
        if progress:
            progress(size)


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(timezone.utc)
