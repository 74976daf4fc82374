"""Requests to Google Cloud Storage's JSON API, through gcsfs's connection and credentials.

https://cloud.google.com/storage/docs/json_api/v1 has the requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from fsspec.asyn import get_loop, sync
from gcsfs.core import GCSFileSystem
from yarl import URL

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.stores.cloud_errors import said_in_our_words
from jupyter_storage.stores.store import CHUNK

__all__ = ["Answer", "GCSClient", "ServiceError", "object_path"]

T = TypeVar("T")

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=4, sock_read=60)


class ServiceError(Exception):
    """The service answered with an error status, or says that there is no such bucket."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.response = {"Error": {"Code": str(code), "Message": message}}


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        return dict(json.loads(self.body)) if self.body.strip() else {}


class GCSClient:
    """One connection pool, and requests that raise our errors.

    Parameters
    ----------
    bucket : str
    options : mapping
        See ``JupyterStorage.store_options``.
    """

    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        self.bucket = bucket
        arguments = dict(options)
        emulator = os.environ.get("STORAGE_EMULATOR_HOST") or ""
        anonymous = bool(arguments.pop("anonymous", False))
        credentials = arguments.pop("credentials_file", None)
        if credentials:
            arguments["token"] = str(Path(str(credentials)).expanduser())
        if anonymous or (emulator and "token" not in arguments):
            arguments["token"] = "anon"  # noqa: S105  it says that there is none
        self.anonymous = arguments.get("token") == "anon"
        self._arguments = arguments
        endpoint = str(arguments.get("endpoint_url") or emulator)
        self.endpoint = endpoint or "Google Cloud Storage"
        self.identity = (endpoint, repr(sorted(options.items())))
        self._lock = threading.Lock()
        self._fs: GCSFileSystem | None = None

    def call(
        self,
        method: str,
        path: str,
        key: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Send one request and wait for its answer.

        Parameters
        ----------
        method : str
        path : str
            Below the service's address, or a whole URL.
        key : str
            As a person knows it, for errors.
        params, headers, data : optional
        """
        with self.errors(key):
            request = _Request(method, path, params or {}, headers or {}, data)
            return self._wait(self._call(self._connected(), request))

    def start(
        self, method: str, path: str, *, headers: Mapping[str, str], data: bytes
    ) -> Future[Answer]:
        """Send one request and wait later; errors are the library's."""
        return asyncio.run_coroutine_threadsafe(
            self._call(self._connected(), _Request(method, path, {}, headers, data)), get_loop()
        )

    def stream(self, path: str, key: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Ask for bytes; whoever asks releases the answer."""
        fs = self._connected()

        async def ask() -> aiohttp.ClientResponse:
            request = _Request("GET", path, {"alt": "media"}, headers)
            response = await self._send(fs, request)
            if response.status >= 400:
                try:
                    raise _error(response.status, await response.read(), path)
                finally:
                    response.release()
            return response

        with self.errors(key):
            return self._wait(ask())

    def read(self, response: aiohttp.ClientResponse, size: int = CHUNK) -> bytes:
        """Read from an answer's body until ``size`` bytes are there or it ends."""

        async def read() -> bytes:
            pieces = []
            left = size
            while left:
                piece = await response.content.read(left)
                if not piece:
                    break
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)

        return self._wait(read())

    def release(self, response: aiohttp.ClientResponse) -> None:
        """Give up an answer's body, read to its end or not."""
        get_loop().call_soon_threadsafe(response.close)

    def sign(self, key: str, object_key: str, expires: int) -> str:
        """Make a URL that carries its own permission for ``expires`` seconds."""
        with self.errors(key):
            return str(self._connected().sign(f"{self.bucket}/{object_key}", expires))

    def errors(self, key: str) -> AbstractContextManager[None]:
        """Turn the libraries' errors into ours."""
        return said_in_our_words(key, self.bucket, self.endpoint)

    def filesystem(self) -> GCSFileSystem:
        """Make a file system for a person's own code."""
        with self.errors(""):
            return _filesystem({"use_listings_cache": False, **self._arguments})

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            fs, self._fs = self._fs, None
        if fs is not None and fs.session is not None:
            sync(get_loop(), fs.session.close)

    def _connected(self) -> GCSFileSystem:
        with self._lock:
            if self._fs is None:
                # Bytes as they are stored: an object may be marked as compressed.
                session = {"auto_decompress": False, **self._arguments.get("session_kwargs", {})}
                self._fs = _filesystem({**self._arguments, "session_kwargs": session})
            return self._fs

    async def _call(self, fs: GCSFileSystem, request: _Request) -> Answer:
        response = await self._send(fs, request)
        try:
            body = await response.read()
        finally:
            response.release()
        if response.status >= 400:
            raise _error(response.status, body, request.path)
        return Answer(response.status, response.headers, body)

    async def _send(self, fs: GCSFileSystem, request: _Request) -> aiohttp.ClientResponse:
        session = await fs._set_session()
        compressed = "gzip" if request.params.get("alt") == "media" else "identity"
        # The token may have to be fetched anew, which blocks.
        headers = await asyncio.to_thread(
            fs._get_headers, {"Accept-Encoding": compressed, **request.headers}
        )
        path = request.path
        response: aiohttp.ClientResponse = await session.request(
            request.method,
            # Keys are encoded already: yarl would undo what a path need not have encoded.
            URL(path if path.startswith("http") else f"{fs._location}/{path}", encoded=True),
            params=fs._get_params(dict(request.params)),
            headers=headers,
            # From bytes, aiohttp would send in one go and hold up all other requests.
            data=None if request.data is None else BytesIO(request.data),
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        return response

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, get_loop()).result()


def object_path(bucket: str, object_key: str) -> str:
    """Path of one object's metadata."""
    return f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(object_key, safe='')}"


def _filesystem(arguments: Mapping[str, Any]) -> GCSFileSystem:
    try:
        return GCSFileSystem(**arguments, skip_instance_cache=True)
    except TypeError as error:
        raise InvalidRequest(
            f"The options of this bucket are wrong: {error}",
            hint="See 'store_options' in the documentation of the configuration.",
        ) from error


def _error(status: int, body: bytes, path: str) -> ServiceError:
    text = body.decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        text = error if isinstance(error, str) else str(error.get("message", ""))
    except (ValueError, KeyError, TypeError):
        text = "" if text.lstrip().startswith("<") else text
    # Listings are found where the bucket is.
    missing = status == 404 and (path.endswith("/o") or "bucket does not exist" in text)
    return ServiceError("NoSuchBucket" if missing else status, text[:500])
