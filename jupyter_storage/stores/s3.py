"""Amazon S3, and every service that speaks its protocol, as a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotFound,
    StorageError,
    Unsupported,
)
from jupyter_storage.paths import basename, is_below, join
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.cloud_errors import from_code, root_code
from jupyter_storage.stores.object_keys import visible_name
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_writer import S3Writer, copy_in_parts, md5_of, mtime_metadata
from jupyter_storage.stores.store import Progress, Store, Writer
from jupyter_storage.stores.streams import Stream

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["S3Store"]

COPY_LIMIT = 5 * 2**30  # bytes that one CopyObject takes
COPY_PART = 512 * 2**20  # bytes of one part of a larger copy
PAGE = 1000  # keys that one listing or one deletion takes
RENAMES = 8  # copies at once while a directory is renamed


class S3Store(Store):
    """A prefix in an S3 bucket as a store.

    Nothing outside of the prefix is ever asked for, so credentials that reach nothing else do.

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
        super().__init__(join(f"s3://{bucket}", prefix))
        self.bucket, self.prefix = bucket, prefix
        self._anonymous = bool(options.get("anonymous"))
        self._client = S3Client(bucket, options)

    # Looking

    def stat(self, key: str) -> Entry:
        if key:
            with suppress(NotFound):
                return self._head(key)
        if not key or self._is_directory(key):
            if not key:
                self.check()
            return Entry(key, basename(key), "directory")
        raise NotFound("No such file or directory", path=key)

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        base = self._base(key)
        arguments: dict[str, Any] = {"ContinuationToken": cursor} if cursor else {}
        answer = self._client.call(
            "list_objects_v2",
            key,
            Prefix=base,
            Delimiter="/",
            MaxKeys=max(1, min(limit, PAGE)),
            **arguments,
        )
        found = [(item["Key"], item) for item in answer.get("Contents", ())]
        found += [(item["Prefix"], None) for item in answer.get("CommonPrefixes", ())]
        if not found and not cursor and key:
            self._refuse_listing(key)
        entries = []
        for object_key, item in sorted(found, key=lambda pair: pair[0]):
            name = visible_name(object_key[len(base) :].removesuffix("/"))
            if name is None:
                continue
            child = join(key, name)
            entries.append(Entry(child, name, "directory") if item is None else _file(child, item))
        more = answer.get("IsTruncated") and answer.get("NextContinuationToken")
        return Page(tuple(entries), more or None)

    def walk(self, key: str = "") -> Iterator[Entry]:
        base = self._base(key)
        empty = True
        for item in self._objects(key):
            empty = False
            relative = item["Key"][len(base) :]
            parts = relative.removesuffix("/").split("/")
            if any(visible_name(part) is None for part in parts):
                continue
            child = join(key, "/".join(parts))
            if relative.endswith("/"):
                yield Entry(child, parts[-1], "directory")
            else:
                yield _file(child, item)
        if empty and key:
            self._refuse_listing(key)

    def local_path(self, key: str) -> Path | None:
        return None

    # Bytes

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        if length is not None and length <= 0:
            self._file_stat(key)
            yield iter(())
            return
        arguments = {}
        if offset or length is not None:
            last = "" if length is None else offset + length - 1
            arguments["Range"] = f"bytes={offset}-{last}"
        try:
            answer = self._client.call("get_object", key, Key=self._key(key), **arguments)
        except StorageError as error:
            if root_code(error) in {"416", "InvalidRange"}:
                yield iter(())
                return
            if isinstance(error, NotFound):
                self._file_stat(key)
            raise
        body = answer["Body"]

        def read() -> bytes:
            with self._client.errors(key):
                return self._client.read(body)

        try:
            yield Stream(
                read,
                key,
                expected=answer.get("ContentLength"),
                version=answer.get("ETag"),
                md5=None if arguments else md5_of(answer, self.bucket),
            )
        finally:
            self._client.release(body)

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
        return S3Writer(
            self._client,
            key,
            self._key(key),
            exclusive=exclusive,
            size=size,
            metadata=mtime_metadata(modified),
            look=self._head,
        )

    # Changing

    def make_directory(self, key: str) -> None:
        if not key:
            return
        with suppress(NotFound):
            self._head(key)
            raise AlreadyExists("A file has that name", path=key)
        self._client.call("put_object", key, Key=self._base(key), Body=b"")

    def delete(self, key: str) -> None:
        # S3 says nothing when there was nothing to delete.
        self._file_stat(key)
        self._client.call("delete_object", key, Key=self._key(key))

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        files = 0
        batch: list[str] = []
        empty = True

        def flush() -> None:
            nonlocal files
            self._delete_batch(batch)
            done = sum(not object_key.endswith("/") for object_key in batch)
            batch.clear()
            files += done
            if progress:
                progress(done)

        for item in self._objects(key):
            empty = False
            batch.append(item["Key"])
            if len(batch) == PAGE:
                flush()
        if batch:
            flush()
        if empty and key:
            self._refuse_listing(key)
        return files

    def can_copy_from(self, source: Store) -> bool:
        return isinstance(source, S3Store) and source._client.identity == self._client.identity

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        if not isinstance(source, S3Store):
            raise Unsupported("This store copies inside of itself only", path=key)
        before = source._file_stat(source_key)
        size = before.size or 0
        if not key or self._is_directory(key):
            raise IsADirectory("A directory has that name", path=key)
        if exclusive:
            self._refuse_existing(key)
        origin = {"Bucket": source.bucket, "Key": source._key(source_key)}
        self._copy(origin, key, size, exclusive=exclusive, progress=progress)
        entry = self._head(key)
        if entry.size != size:
            raise Conflict(
                f"It changed while it was copied: {size:,} bytes before, {entry.size:,} now",
                path=key,
                hint="Copy it again.",
            )
        return entry

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        if is_below(to, key):
            raise InvalidRequest("It cannot move into itself", path=key)
        entry = self.stat(key)
        if self._is_directory(to):
            raise AlreadyExists("A directory has that name", path=to)
        if not entry.is_directory:
            self.copy_from(self, key, to, exclusive=exclusive)
            self._client.call("delete_object", key, Key=self._key(key))
            return
        self._refuse_existing(to)
        base = self._base(key)
        items = [(item["Key"], item["Size"]) for item in self._objects(key)]

        def copy(item: tuple[str, int]) -> None:
            target = join(to, item[0][len(base) :]) if item[0] != base else f"{to}/"
            self._copy({"Bucket": self.bucket, "Key": item[0]}, target, item[1])

        try:
            with ThreadPoolExecutor(RENAMES) as pool:
                for _ in pool.map(copy, items):
                    continue
        except BaseException:
            # The source is whole; what was copied was not there before.
            with suppress(StorageError):
                self.delete_directory(to)
            raise
        for start in range(0, len(items), PAGE):
            self._delete_batch([name for name, _ in items[start : start + PAGE]])

    # The rest

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        return self._client.filesystem(), join(self.bucket, self.prefix)

    def url(self, key: str, *, expires: int = 3600) -> str:
        self._file_stat(key)
        return self._client.presign(key, "get_object", expires, Key=self._key(key))

    def check(self) -> None:
        self._client.call("list_objects_v2", "", Prefix=self._base(""), MaxKeys=1)

    def close(self) -> None:
        self._client.close()

    # Keys and requests

    def _key(self, key: str) -> str:
        return join(self.prefix, key)

    def _base(self, key: str) -> str:
        """Prefix of all that is in a directory, and of nothing else."""
        full = self._key(key)
        return f"{full}/" if full else ""

    def _head(self, key: str) -> Entry:
        answer = self._client.call("head_object", key, Key=self._key(key))
        md5 = md5_of(answer, self.bucket)
        return Entry(
            key,
            basename(key),
            "file",
            answer["ContentLength"],
            _utc(answer.get("LastModified")),
            f"md5:{md5}" if md5 else None,
        )

    def _file_stat(self, key: str) -> Entry:
        """Describe a file, or raise IsADirectory."""
        entry = self.stat(key)
        if entry.is_directory:
            raise IsADirectory("It is a directory", path=key)
        return entry

    def _is_directory(self, key: str) -> bool:
        answer = self._client.call("list_objects_v2", key, Prefix=self._base(key), MaxKeys=1)
        return bool(answer.get("Contents"))

    def _refuse_existing(self, key: str) -> None:
        with suppress(NotFound):
            self._head(key)
            raise AlreadyExists("It exists already", path=key)

    def _refuse_listing(self, key: str) -> None:
        """Say why there is nothing in a directory."""
        with suppress(NotFound):
            self._head(key)
            raise NotADirectory("It is a file", path=key)
        raise NotFound("No such directory", path=key)

    def _objects(self, key: str) -> Iterator[dict[str, Any]]:
        """Everything in a directory, markers and oddly named objects too."""
        cursor: dict[str, Any] = {}
        while True:
            answer = self._client.call(
                "list_objects_v2", key, Prefix=self._base(key), MaxKeys=PAGE, **cursor
            )
            yield from answer.get("Contents", ())
            if not answer.get("IsTruncated"):
                return
            cursor = {"ContinuationToken": answer["NextContinuationToken"]}

    def _delete_batch(self, object_keys: Sequence[str]) -> None:
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

    def _outside(self, object_key: str) -> str:
        """A key as callers know it."""
        return object_key[len(self._base("")) :]

    def _copy(
        self,
        source: Mapping[str, str],
        key: str,
        size: int,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> None:
        # A marker's key keeps its slash.
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


def _file(key: str, item: Mapping[str, Any]) -> Entry:
    # Without a checksum: only the object itself tells whether its ETag is one.
    return Entry(key, basename(key), "file", item["Size"], _utc(item.get("LastModified")))


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(timezone.utc)
