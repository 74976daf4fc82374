"""Bodies in and out of object storage through obstore, in compiled code.

It does what it is best at: bodies, at a tenth of the work of the clouds' own libraries, and without
the interpreter's lock. Whatever else there is to ask stays with those libraries, which also resolve
who one is and where the service is, so that both lanes agree on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore

from jupyter_storage.stores.cloud_errors import http_code
from jupyter_storage.stores.objects import Span
from jupyter_storage.stores.store import CHUNK

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

__all__ = ["RETRY", "TIMES", "Body", "Native"]

TIMES: ClientConfig = {"connect_timeout": "2s", "read_timeout": "30s", "timeout": "1day"}
RETRY: RetryConfig = {"max_retries": 1, "retry_timeout": timedelta(seconds=30)}


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


class Native:
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
