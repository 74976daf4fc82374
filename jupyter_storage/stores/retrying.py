"""A wrapper that tries again what may succeed a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from jupyter_storage.errors import ChecksumMismatch, Conflict, NotFound, StorageError
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.pace import jittered
from jupyter_storage.stores.store import Progress, Store

__all__ = ["RetryingStore"]

T = TypeVar("T")


class RetryingStore(ForwardingStore):
    """Repeats idempotent verbs whose error may pass, and reads on where a stream broke.

    Writers are not repeated: whoever writes has the bytes to begin anew. ``check`` and ``usage``
    are not either: they are asked for an answer now.

    Parameters
    ----------
    store : Store
    tries : int
        How often a verb is tried in all.
    pause : float
        Seconds before the second try; doubles with each further one, and is jittered.
    budget : float
        Seconds in all after which no further try is begun.
    """

    def __init__(
        self, store: Store, *, tries: int = 5, pause: float = 0.2, budget: float = 30.0
    ) -> None:
        super().__init__(store)
        self._tries, self._pause, self._budget = tries, pause, budget

    def stat(self, key: str) -> Entry:
        return self._tried(lambda: self.inner.stat(key))

    def details(self, key: str) -> Mapping[str, str]:
        return self._tried(lambda: self.inner.details(key))

    def checksums(self, key: str) -> Sequence[Checksum]:
        return self._tried(lambda: self.inner.checksums(key))

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        return self._tried(lambda: self.inner.list(key, cursor=cursor, limit=limit))

    def walk(self, key: str = "") -> Iterator[Entry]:
        # A walk comes in the same order each time: what was yielded before is passed over.
        patience = _Patience(self._tries, self._pause, self._budget)
        done: Entry | None = None
        while True:
            skipping = done is not None
            try:
                for entry in self.inner.walk(key):
                    if done is not None and skipping:
                        skipping = (entry.path, entry.type) != (done.path, done.type)
                        continue
                    done = entry
                    yield entry
                    patience.moved = True
            except StorageError as error:
                patience.wait_or_raise(error)
            else:
                if skipping:
                    raise Conflict(
                        "The directory changed while it was listed", path=key, hint="Try again."
                    )
                return

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        patience = _Patience(self._tries, self._pause, self._budget)
        resuming = _Resuming(self.inner, key, offset, length, patience)
        try:
            resuming.begin()
            yield resuming
        finally:
            resuming.close()

    def make_directory(self, key: str) -> None:
        self._tried(lambda: self.inner.make_directory(key))

    def delete(self, key: str) -> None:
        first = True

        def once() -> None:
            nonlocal first
            try:
                self.inner.delete(key)
            except NotFound:
                # A try whose answer was lost may have deleted it.
                if first:
                    raise
            finally:
                first = False

        self._tried(once)

    def delete_files(self, keys: Sequence[str]) -> None:
        self._tried(lambda: self.inner.delete_files(keys))

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        files = 0

        def count(more: int) -> None:
            nonlocal files
            files += more
            if progress:
                progress(more)

        def once() -> None:
            try:
                self.inner.delete_directory(key, progress=count)
            except NotFound:
                if not files:
                    raise

        self._tried(once)
        return files

    def url(self, key: str, *, expires: int = 3600) -> str:
        return self._tried(lambda: self.inner.url(key, expires=expires))

    def _tried(self, work: Callable[[], T]) -> T:
        patience = _Patience(self._tries, self._pause, self._budget)
        while True:
            try:
                return work()
            except StorageError as error:
                patience.wait_or_raise(error)


class _Patience:
    """How often and how long one verb is tried again.

    Attributes
    ----------
    moved : bool
        Whether something went well since the last error: then it begins anew.
    """

    def __init__(self, tries: int, pause: float, budget: float) -> None:
        self._tries, self._pause, self._budget = tries, pause, budget
        self.reset()

    def reset(self) -> None:
        """Begin anew, after something went well."""
        self._left, self._next = self._tries - 1, self._pause
        self._until = time.monotonic() + self._budget
        self.moved = False

    def wait_or_raise(self, error: StorageError) -> None:
        """Wait before the next try, or raise the error if there is none."""
        if self.moved:
            self.reset()
        pause = jittered(self._next)
        if not error.retryable or not self._left or time.monotonic() + pause > self._until:
            raise error
        self._left -= 1
        self._next *= 2
        time.sleep(pause)


class _Resuming:
    """Pieces of a file, read on from the offset that was reached when a stream breaks."""

    def __init__(
        self, store: Store, key: str, offset: int, length: int | None, patience: _Patience
    ) -> None:
        self._store, self._key = store, key
        self._offset, self._left = offset, length
        self._patience = patience
        self._opened = ExitStack()
        self._pieces: Iterator[bytes] = iter(())
        self._version: str | None = None

    @property
    def version(self) -> str | None:
        """What the service calls this version of the content."""
        return self._version

    def begin(self) -> None:
        while True:
            try:
                self._open()
            except StorageError as error:
                self._patience.wait_or_raise(error)
            else:
                return

    def close(self) -> None:
        self._opened.close()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            try:
                piece = next(self._pieces)
            except ChecksumMismatch:
                # Some of what was given already is wrong: to read on would not mend it.
                raise
            except StorageError as error:
                self._patience.wait_or_raise(error)
                self.close()
                self.begin()
                continue
            self._offset += len(piece)
            if self._left is not None:
                self._left -= len(piece)
            self._patience.reset()
            return piece

    def _open(self) -> None:
        self._pieces = self._opened.enter_context(
            self._store.open(self._key, offset=self._offset, length=self._left)
        )
        version = getattr(self._pieces, "version", None)
        if self._version not in {None, version}:
            # The halves of two versions make no file.
            raise Conflict("It changed while it was read", path=self._key)
        self._version = version
