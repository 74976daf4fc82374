"""A large file, fetched in ranges: several at once, given in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from jupyter_storage.errors import Conflict, Unreachable
from jupyter_storage.stores.objects import Span

__all__ = ["WHOLE", "Fetched", "Ranges"]

RANGE = 8 * 2**20  # bytes of one
WHOLE = 2 * RANGE  # what is not larger is fetched in one go
AT_ONCE = 4  # ranges in memory, on their way or waiting for those before them
_PATIENCE = 1.0  # seconds that a closing waits for what is on its way


class Fetched(Protocol):
    """What comes of one request."""

    size: int
    etag: str | None

    def read(self) -> bytes:
        """Give the next piece, empty at the end."""

    def close(self) -> None:
        """Give up the rest."""


class Ranges:
    """Fetches ranges in threads, never more than :data:`AT_ONCE` ahead of who reads.

    Parameters
    ----------
    key : str
        The file, for errors.
    first : Fetched
        The answer that told how large the file is; its beginning is the first range.
    start : int
        Where in the file it begins.
    fetch : callable
        Begins to fetch a range.
    errors : callable
        Gives a context that turns a library's errors into ours.
    """

    def __init__(
        self,
        key: str,
        first: Fetched,
        start: int,
        fetch: Callable[[Span], Fetched],
        errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.size, self.etag = first.size, first.etag
        self._key, self._first, self._start = key, first, start
        self._fetch, self._errors = fetch, errors
        self._count = -(-first.size // RANGE)
        self._begun = self._given = 0
        self._done: dict[int, list[bytes]] = {}
        self._failed: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._pieces = self._in_order()
        self._threads = [
            threading.Thread(target=self._work, name="jupyter-storage-range", daemon=True)
            for _ in range(min(AT_ONCE, self._count))
        ]
        for thread in self._threads:
            thread.start()

    def read(self) -> bytes:
        """Give the next piece, empty at the end."""
        return next(self._pieces, b"")

    def close(self) -> None:
        """Give up the rest."""
        with self._changed:
            self._closed = True
            self._done.clear()
            self._changed.notify_all()
        # A thread that hangs in a request notices when that fails: nobody waits for it.
        for thread in self._threads:
            thread.join(_PATIENCE / AT_ONCE)

    def _in_order(self) -> Iterator[bytes]:
        for number in range(self._count):
            with self._changed:
                while number not in self._done and self._failed is None and not self._closed:
                    self._changed.wait()
                if self._closed:
                    raise Unreachable("The reading was given up", path=self._key)
                if number not in self._done:
                    assert self._failed is not None  # noqa: S101  else it would be done
                    raise self._failed
                pieces = self._done.pop(number)
            while pieces:
                yield pieces.pop(0)
            with self._changed:
                self._given += 1
                self._changed.notify_all()

    def _work(self) -> None:
        while (number := self._next()) is not None:
            try:
                with self._errors():
                    pieces = self._get(number)
            except BaseException as error:
                with self._changed:
                    # What comes before the failure is still given.
                    self._failed = self._failed or error
                    self._changed.notify_all()
                return
            with self._changed:
                if not self._closed:
                    self._done[number] = pieces
                self._changed.notify_all()

    def _next(self) -> int | None:
        """Give the number of a range to fetch, when there is room for it."""
        with self._changed:
            while not self._closed and self._failed is None and self._begun < self._count:
                if self._begun < self._given + AT_ONCE:
                    self._begun += 1
                    return self._begun - 1
                self._changed.wait()
            return None

    def _get(self, number: int) -> list[bytes]:
        begin = number * RANGE
        wanted = min(RANGE, self.size - begin)
        body = self._first
        if number:
            body = self._fetch(Span(self._start + begin, self._start + begin + wanted))
            if body.etag != self.etag:
                raise Conflict("It changed while it was read", path=self._key)
        pieces: list[bytes] = []
        left = wanted
        try:
            while left and not self._closed:
                piece = body.read()
                if not piece:
                    raise Unreachable(
                        f"The stream ended after {wanted - left:,} of {wanted:,} bytes",
                        path=self._key,
                    )
                pieces.append(piece[:left])
                left -= len(pieces[-1])
        finally:
            body.close()
        return pieces
