"""Requests to S3 with exact keys, through s3fs's connection."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from fsspec.asyn import sync
from s3fs import S3FileSystem

from jupyter_storage.errors import CredentialsMissing, InvalidRequest
from jupyter_storage.stores.cloud_errors import from_cloud_error
from jupyter_storage.stores.s3_native import NativeS3, open_native
from jupyter_storage.stores.store import CHUNK

__all__ = ["S3Client"]

AMAZON = "Amazon S3"

# A tier's health check has five seconds, and botocore tries twice.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "max_pool_connections": 64,
    # Newer checksums are unknown to many S3 services; ours are sent as Content-MD5.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
_NATIVE_PAUSE = 60.0  # seconds until a lane that did not work is tried again
_SECRETS = {
    "access_key_env": "key",
    "secret_key_env": "secret",
    "session_token_env": "token",
}


class S3Client:
    """One connection pool, and requests that raise our errors.

    Parameters
    ----------
    bucket : str
    options : mapping
        See ``JupyterStorage.store_options``.

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    """

    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        self.bucket = bucket
        arguments = _arguments(bucket, options)
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self.endpoint = str(arguments.get("endpoint_url") or endpoint or AMAZON)
        # Others ignore If-None-Match, some of them for uploads of several parts only.
        self.is_amazon = _is_amazon(self.endpoint)
        # Who talks to the same service as the same person can copy inside of it.
        self.identity = (self.endpoint, repr(sorted(options.items())))
        self._for_people = arguments
        own = dict(arguments)
        own["config_kwargs"] = {**_CONFIG, **own.get("config_kwargs", {})}
        if not bucket.endswith("--x-s3"):  # directory buckets sign in a way of their own
            # Else botocore signs links as newer buckets no longer accept.
            own["config_kwargs"].setdefault("signature_version", "s3v4")
        self._fs = _filesystem(own)
        # Wrappers of ours retry; s3fs's own retries would only add to the wait.
        self._fs.retries = 1
        self._prepared = False
        self._options = dict(options)
        self._native: NativeS3 | None = None
        self._native_due = 0.0
        self._native_lock = threading.Lock()

    def call(self, method: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Parameters
        ----------
        method : str
            Of botocore's S3 client, for example ``head_object``.
        key : str
            As a person knows it, for errors.
        **arguments
            Of the method; ``Bucket`` is this one unless told.
        """
        with self.errors(key):
            return dict(sync(self._fs.loop, self._call, method, arguments))

    def start(self, method: str, **arguments: Any) -> Future[dict[str, Any]]:
        """Send one request and wait later; errors are the library's."""
        return self._submit(self._call(method, arguments))

    def read(self, body: Any, size: int = CHUNK) -> bytes:
        """Read from an answer's body until ``size`` bytes are there or it ends."""
        return bytes(sync(self._fs.loop, _read, body, size))

    def release(self, body: Any) -> None:
        """Give up an answer's body, read to its end or not."""
        self._fs.loop.call_soon_threadsafe(body.close)

    def native(self, key: str, object_key: str) -> NativeS3 | None:
        """Give the faster lane for whole files; None where it cannot be used.

        Parameters
        ----------
        key, object_key : str
            A file that is about to be used; the first is asked about, to see whether this works.
        """
        with self._native_lock:
            if self._native is None and time.monotonic() >= self._native_due:
                with self.errors(key):
                    lane = open_native(self._fs, self.bucket, self._options)
                if lane is not None and lane.answers(object_key):
                    self._native = lane
                else:
                    self._native_due = time.monotonic() + _NATIVE_PAUSE
            return self._native

    def presign(self, key: str, method: str, expires: int, **arguments: Any) -> str:
        """Make a URL that carries its own permission for ``expires`` seconds."""

        async def make() -> str:
            client = await self._client()
            return str(
                await client.generate_presigned_url(
                    method, Params={"Bucket": self.bucket, **arguments}, ExpiresIn=expires
                )
            )

        with self.errors(key):
            return str(sync(self._fs.loop, make))

    @contextmanager
    def errors(self, key: str) -> Iterator[None]:
        """Turn the libraries' errors into ours."""
        try:
            yield
        except Exception as error:
            translated = from_cloud_error(
                error, key=key, bucket=self.bucket, endpoint=self.endpoint
            )
            if translated is error:
                raise
            raise translated from error

    def filesystem(self) -> S3FileSystem:
        """Make a file system for a person's own code."""
        return _filesystem(self._for_people)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._fs._s3 is not None:
            sync(self._fs.loop, self._fs._s3creator.__aexit__, None, None, None)

    async def _client(self) -> Any:
        client = await self._fs.set_session()
        if not self._prepared:
            # Older services (Ceph's gateway among them) want an MD5 here, which botocore no
            # longer sends.
            client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
            self._prepared = True
        return client

    async def _call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        await self._client()
        return dict(await self._fs._call_s3(method, **{"Bucket": self.bucket, **arguments}))

    def _submit(self, work: Coroutine[Any, Any, dict[str, Any]]) -> Future[dict[str, Any]]:
        return asyncio.run_coroutine_threadsafe(work, self._fs.loop)


def _arguments(bucket: str, options: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(options)
    for option, argument in _SECRETS.items():
        name = arguments.pop(option, None)
        if name is None:
            continue
        value = os.environ.get(str(name))
        if not value:
            raise CredentialsMissing(
                f"The environment variable {name} is not set",
                path=f"s3://{bucket}",
                hint=f"Set it, or change '{option}' in the options of 's3://{bucket}'.",
            )
        arguments[argument] = value
    if arguments.pop("anonymous", False):
        arguments["anon"] = True
    region = arguments.pop("region", None) or os.environ.get("AWS_REGION")
    if region:
        client = dict(arguments.get("client_kwargs", {}))
        arguments["client_kwargs"] = {"region_name": region, **client}
    return arguments


def _is_amazon(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return endpoint == AMAZON or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _filesystem(arguments: Mapping[str, Any]) -> S3FileSystem:
    try:
        return S3FileSystem(**{"use_listings_cache": False, **arguments}, skip_instance_cache=True)
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidRequest(
            f"The options of this bucket are wrong: {error}",
            hint="See 'store_options' in the documentation of the configuration.",
        ) from error


async def _read(body: Any, size: int) -> bytes:
    pieces = []
    while size:
        piece = await body.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
