"""Bodies in and out of S3 through obstore, at a tenth of the work of botocore.

It does what it is best at: bodies, in compiled code that lets go of the interpreter's lock.
Whatever else there is to ask stays with botocore, which also resolves who one is and where the
service is, so that both lanes agree on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore

from jupyter_storage.stores.cloud_errors import http_code
from jupyter_storage.stores.object_store import Span
from jupyter_storage.stores.s3_identity import S3Identity
from jupyter_storage.stores.store import CHUNK

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

__all__ = ["Body", "NativeS3", "open_native"]

# With any other option, a request may need what only botocore knows.
_KNOWN = frozenset(
    {
        "access_key_env",
        "anonymous",
        "endpoint_url",
        "profile",
        "region",
        "secret_key_env",
        "session_token_env",
    }
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TIMES: ClientConfig = {"connect_timeout": "2s", "read_timeout": "30s", "timeout": "1day"}
_RETRY: RetryConfig = {"max_retries": 1, "retry_timeout": timedelta(seconds=30)}


class Body:
    """What comes of a file.

    Attributes
    ----------
    size : int
        Bytes that are to come.
    etag : str or None
    """

    def __init__(self, result: Any, piece: int) -> None:
        start, end = result.range
        self.size = int(end) - int(start)
        self.etag: str | None = result.meta["e_tag"]
        self._pieces: Iterator[Any] = iter(result.stream(min_chunk_size=piece))
        self._rest = memoryview(b"")

    def read(self) -> bytes:
        """Give the next piece, empty at the end."""
        if not self._rest:
            whole = next(self._pieces, b"")
            if len(whole) <= CHUNK:
                return bytes(whole)
            self._rest = memoryview(whole)
        piece = bytes(self._rest[:CHUNK])
        self._rest = self._rest[CHUNK:]
        return piece

    def close(self) -> None:
        """Give up the rest."""
        self._pieces, self._rest = iter(()), memoryview(b"")


class NativeS3:
    """Puts and gets. Errors are obstore's, with the service's answer in their text."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, object_key: str, span: Span | None, *, piece: int = CHUNK) -> Body:
        """Begin to fetch an object, or a range of it, in pieces of at least so many bytes."""
        options: GetOptions = {}
        if span is not None:
            start, end = span
            options["range"] = {"offset": start} if end is None else (start, end)
        return Body(obstore.get(self._store, object_key, options=options), piece)

    def put(
        self, object_key: str, data: bytes, metadata: Mapping[str, str], *, exclusive: bool
    ) -> str:
        """Write an object in one request, and give its ETag."""
        answer = obstore.put(
            self._store,
            object_key,
            data,
            attributes=dict(metadata),
            mode="create" if exclusive else "overwrite",
            use_multipart=False,
        )
        return str(answer["e_tag"] or "")

    def head(self, object_key: str) -> tuple[int, str | None]:
        """Ask for an object's size and ETag; FileNotFoundError says that there is none."""
        found = obstore.head(self._store, object_key)
        return found["size"], found["e_tag"]

    def answers(self, object_key: str) -> bool:
        """Whether the service answers this lane as it should."""
        try:
            self.head(object_key)
        except Exception as error:
            # Denied or missing is an answer; a redirection, or none at all, is not.
            return http_code(error) in {"403", "404"} or isinstance(error, FileNotFoundError)
        return True


def open_native(
    client: Any, who: S3Identity, bucket: str, options: Mapping[str, Any]
) -> NativeS3 | None:
    """Make the lane for a bucket; None where only botocore can do it.

    Parameters
    ----------
    client : botocore's
        Knows endpoint and region.
    who : S3Identity
    bucket : str
    options : mapping
        Of the bucket, as configured.
    """
    if not _KNOWN.issuperset(options):
        return None
    if not _BUCKET.fullmatch(bucket) or bucket.endswith("--x-s3"):
        return None
    meta = client.meta
    plain = meta.endpoint_url.startswith("http:")
    if os.environ.get("AWS_CA_BUNDLE") and not plain:
        return None  # only botocore trusts what it names
    identity: dict[str, Any] = (
        {"skip_signature": True} if who.anonymous else {"credential_provider": who.credentials}
    )
    store = obstore.store.S3Store(
        bucket,
        endpoint=meta.endpoint_url,
        region=meta.region_name or "us-east-1",
        virtual_hosted_style_request=False,
        client_options={**_TIMES, "allow_http": plain},
        retry_config=_RETRY,
        **identity,
    )
    return NativeS3(store)
