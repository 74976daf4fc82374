"""Requests to S3 with exact keys: directly where that is plain, else through botocore."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.stores.cloud_errors import said_in_our_words
from jupyter_storage.stores.pace import Pace
from jupyter_storage.stores.s3_direct import Direct, Unsettled
from jupyter_storage.stores.s3_identity import AMAZON, S3Identity, is_amazon
from jupyter_storage.stores.s3_listing import read_fast
from jupyter_storage.stores.store import CHUNK
from jupyter_storage.stores.wire import Wire

if TYPE_CHECKING:
    from s3fs import S3FileSystem

    from jupyter_storage.stores.native import Native

__all__ = ["S3Client"]

_NATIVE_PAUSE = 60.0  # seconds until a lane that did not work is tried again


class S3Client:
    """One connection pool, and requests that raise our errors.

    Parameters
    ----------
    bucket : str
    options : mapping
        See ``JupyterStorage.store_options``.

    Attributes
    ----------
    pace : Pace
        How many bodies are under way at once; all that send or fetch some ask it.
    may_take_crc : bool
        Whether the service may keep CRCs of what goes up in parts; False once it did not.

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    """

    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        self.bucket = bucket
        self._who = S3Identity(bucket, options)
        self.endpoint = self._who.endpoint or AMAZON
        # Others ignore If-None-Match, some of them for uploads of several parts only.
        self.is_amazon = is_amazon(self.endpoint)
        # Who talks to the same service as the same person can copy inside of it.
        self.identity = (self.endpoint, repr(sorted(options.items())))
        self.pace = Pace()
        self.may_take_crc = True
        self._lock = threading.RLock()
        self._connected: Any = None
        self._native: Native | None = None
        self._native_due = 0.0
        self._native_lock = threading.Lock()
        self._wire: Wire | None = None
        self._asking: Direct | None = None
        self._misunderstood = False

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
            direct, refused = self._direct(), False
            if direct is not None and "Bucket" not in arguments:
                try:
                    return direct.call(method, key, arguments)
                except Unsettled as unsettled:
                    refused = unsettled.refused
            client = self._client()
            more = self._who.additions(client, method)
            answer = getattr(client, method)(**{"Bucket": self.bucket, **more, **arguments})
            if refused:
                self._misunderstood = True  # botocore knows how to ask
            return dict(answer)

    def read(self, body: Any, size: int = CHUNK) -> bytes:
        """Read from an answer's body until ``size`` bytes are there or it ends."""
        return bytes(body.read(size))

    def native(self, key: str, object_key: str) -> Native | None:
        """Give the faster lane for bodies; None where it cannot be used.

        Parameters
        ----------
        key, object_key : str
            A file that is about to be used; the first is asked about, to see whether this works.
        """
        with self._native_lock:
            if self._native is None and time.monotonic() >= self._native_due:
                # Who only lists need not wait for the library.
                from jupyter_storage.stores.s3_native import open_native

                with self.errors(key):
                    lane = open_native(self._who, self.bucket, *self._place())
                if lane is not None and lane.answers(object_key):
                    self._native = lane
                else:
                    self._native_due = time.monotonic() + _NATIVE_PAUSE
            return self._native

    def wire(self, key: str, object_key: str) -> Wire | None:
        """Give connections that parts are sent over; None where only botocore's will do."""
        if self.native(key, object_key) is None:
            return None
        wire = self._connections()
        return wire if wire.is_direct else None

    def address(self, key: str, expires: int, **arguments: Any) -> str:
        """Make a URL to which a part of an upload is put."""
        direct = self._direct()
        if direct is not None:
            return direct.address(arguments, expires)
        return self.presign(key, "upload_part", expires, **arguments)

    def presign(self, key: str, method: str, expires: int, **arguments: Any) -> str:
        """Make a URL that carries its own permission for ``expires`` seconds."""
        with self.errors(key):
            return str(
                self._client().generate_presigned_url(
                    method, Params={"Bucket": self.bucket, **arguments}, ExpiresIn=expires
                )
            )

    def errors(self, key: str) -> AbstractContextManager[None]:
        """Turn the libraries' errors into ours."""
        return said_in_our_words(key, self.bucket, self.endpoint)

    def filesystem(self) -> S3FileSystem:
        """Make a file system for a person's own code."""
        return self._who.filesystem()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._connected = self._connected, None
            wire, self._wire, self._asking = self._wire, None, None
        if client is not None:
            client.close()
        if wire is not None:
            wire.close()

    def _direct(self) -> Direct | None:
        """Give what asks without botocore; None where that cannot be."""
        with self._lock:
            if self._misunderstood:
                return None
            if self._asking is None:
                who = self._who.plain()
                if who is None or not self._connections().is_direct:
                    self._misunderstood = True
                    return None
                self._asking = Direct(who, self.bucket, self._connections())
            return self._asking

    def _connections(self) -> Wire:
        with self._lock:
            if self._wire is None:
                self._wire = Wire(self._place()[0], os.environ.get("AWS_CA_BUNDLE"))
            return self._wire

    def _place(self) -> tuple[str, str]:
        """Endpoint and region."""
        who = self._who.plain()
        if who is not None:
            return who.endpoint, who.region
        meta = self._client().meta
        return meta.endpoint_url, meta.region_name or "us-east-1"

    def _client(self) -> Any:
        with self._lock:
            if self._connected is None:
                try:
                    client = self._who.connect()
                except (TypeError, KeyError) as error:
                    raise InvalidRequest(
                        f"The options of this bucket are wrong: {error}",
                        hint="See 'store_options' in the documentation of the configuration.",
                    ) from error
                # Older services (Ceph's gateway among them) want an MD5 here, which botocore no
                # longer sends.
                client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
                client.meta.events.register("before-parse.s3.ListObjectsV2", read_fast)
                self._connected = client
            return self._connected


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
