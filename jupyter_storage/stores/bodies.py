"""Files read through the native lane: small ones in one go, large ones in ranges."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.filling import Filling
from jupyter_storage.stores.native import Body, Native
from jupyter_storage.stores.objects import Span
from jupyter_storage.stores.pace import Pace
from jupyter_storage.stores.ranges import WHOLE, Fetched, Ranges
from jupyter_storage.stores.store import Fill, Progress
from jupyter_storage.stores.streams import Stream

__all__ = ["Bodies", "Confirm"]

PIECE = 256 * 1024  # bytes of a piece that goes to its place at once

Confirm = Callable[[], Checksum | None]
"""Gives a checksum where the one that was told may be something else."""


class Bodies:
    """One file's bytes.

    Parameters
    ----------
    native : Native
    key, object_key : str
        As callers know it, and as the bucket does.
    pace : Pace
    errors : callable
        Gives a context that turns the library's errors into ours.
    """

    def __init__(
        self,
        native: Native,
        key: str,
        object_key: str,
        pace: Pace,
        errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._native, self._key, self._object_key = native, key, object_key
        self._pace, self._errors = pace, errors

    def open(
        self,
        span: Span | None,
        checksum_of: Callable[[Body], tuple[Checksum | None, Confirm | None]],
    ) -> tuple[Stream, Callable[[], None]]:
        """Begin to fetch the file, or a range of it, to be given in order.

        Parameters
        ----------
        span : Span or None
        checksum_of : callable
            Says what is known of the content, and what confirms that; asked for whole files.
        """

        def fetch(span: Span | None) -> Body:
            with self._pace.turn(), self._errors():
                return self._native.get(self._object_key, span)

        first = fetch(span)
        body: Fetched = first
        checksum, confirm = (None, None) if span else checksum_of(first)
        if first.size > WHOLE:
            body = Ranges(self._key, first, span.start if span else 0, fetch, self._errors)

        def read() -> bytes:
            with self._errors():
                return body.read()

        stream = Stream(
            read,
            self._key,
            expected=body.size,
            version=body.etag,
            checksum=checksum,
            confirm=confirm,
        )
        return stream, body.close

    def fill(
        self,
        size: int,
        etag: str | None,
        write: Fill,
        progress: Progress,
        checksum: Checksum | None,
    ) -> None:
        """Fetch the file in pieces of any order; see :class:`Filling`."""

        def fetch(span: Span) -> Fetched:
            with self._pace.turn(), self._errors():
                body = self._native.get(self._object_key, span, piece=PIECE)
            return _Careful(body, self._errors)

        Filling(self._key, size, etag, fetch, write, pace=self._pace, checksum=checksum).run(
            progress
        )


class _Careful:
    """What comes of a request, with our errors."""

    def __init__(self, body: Fetched, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self.size, self.etag, self.close = body.size, body.etag, body.close
        self._body, self._errors = body, errors

    def read(self) -> bytes:
        with self._errors():
            return self._body.read()
