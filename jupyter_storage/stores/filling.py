"""A large file, fetched in ranges that are written where they belong as they arrive.

Nothing is collected and nothing waits its turn, so a small piece goes from the network to the
disk while the processor's cache still has it: half the work of reading in order.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from jupyter_storage.errors import Conflict, StorageError, Unreachable
from jupyter_storage.stores.checksums import Checksum, combined
from jupyter_storage.stores.objects import Span
from jupyter_storage.stores.pace import Pace, jittered
from jupyter_storage.stores.ranges import Fetched
from jupyter_storage.stores.store import Fill, Progress

__all__ = ["Filling"]

RANGE = 16 * 2**20  # bytes of one
AT_ONCE = 4
TRIES = 5  # of one range, without a byte that arrived
PAUSE = 0.2  # seconds before the second; doubles with each further one
_AHEAD = 32  # pieces that are written and not told yet
_LOOK = 0.25  # seconds after which it is looked whether somebody cancelled


class Filling:
    """Fetches a file into a place that takes pieces in any order.

    Parameters
    ----------
    key : str
        The file, for errors.
    size : int
    etag : str or None
        Of the version that is wanted.
    fetch : callable
        Begins to fetch a range; raises our errors, as do its pieces.
    write : callable
        Called in several threads.
    pace : Pace
    checksum : Checksum or None
        Of the whole; one that combines.
    """

    def __init__(
        self,
        key: str,
        size: int,
        etag: str | None,
        fetch: Callable[[Span], Fetched],
        write: Fill,
        *,
        pace: Pace,
        checksum: Checksum | None,
    ) -> None:
        self._key, self._size, self._etag = key, size, etag
        self._fetch, self._write, self._pace = fetch, write, pace
        self._spans: queue.SimpleQueue[Span] = queue.SimpleQueue()
        for start in range(0, size, RANGE):
            self._spans.put(Span(start, min(start + RANGE, size)))
        self._checksum = checksum
        self._crcs: dict[int, tuple[bytes, int]] = {}  # of each range, with its length
        # Who slows the progress down, slows down what fetches.
        self._told: queue.Queue[int | BaseException] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()

    def run(self, progress: Progress) -> None:
        """Fetch all.

        Parameters
        ----------
        progress : callable
            Hears of bytes, in this thread; also of none, often: an exception of its ends it.
        """
        threads = [
            threading.Thread(target=self._work, name="jupyter-storage-fill", daemon=True)
            for _ in range(min(AT_ONCE, -(-self._size // RANGE)))
        ]
        for thread in threads:
            thread.start()
        try:
            left = self._size
            while left:
                progress(0)
                try:
                    told = self._told.get(timeout=_LOOK)
                except queue.Empty:
                    continue
                if isinstance(told, BaseException):
                    raise told
                progress(told)
                left -= told
            if self._checksum is not None:
                self._checksum.compare(combined(self._checksum.algorithm, self._crcs), self._key)
        finally:
            self._stopped.set()
            # A thread that hangs in a request notices when that fails: nobody waits for it.
            for thread in threads:
                thread.join(_LOOK)

    def _work(self) -> None:
        try:
            while not self._stopped.is_set():
                self._fill(self._spans.get_nowait())
        except queue.Empty:
            return
        except BaseException as error:
            self._tell(error)

    def _fill(self, span: Span) -> None:
        offset, end = span.start, span.end or 0
        left, pause = TRIES, PAUSE
        crc = None if self._checksum is None else self._checksum.begin()
        while offset < end and not self._stopped.is_set():
            begun = offset
            try:
                for piece in self._pieces(Span(offset, end)):
                    self._write(offset, piece)
                    offset += len(piece)
                    if crc is not None:
                        crc.update(piece)
                        self._crcs[span.start] = (crc.digest(), offset - span.start)
                    self._tell(len(piece))
            except StorageError as error:
                if offset > begun:
                    left, pause = TRIES, PAUSE
                left -= 1
                if not error.retryable or not left or not self._pace.may_retry():
                    raise
                self._stopped.wait(jittered(pause))
                pause *= 2

    def _tell(self, what: int | BaseException) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._told.put(what, timeout=_LOOK)
                return

    def _pieces(self, span: Span) -> Iterator[bytes]:
        body = self._fetch(span)
        try:
            if body.etag != self._etag:
                raise Conflict("It changed while it was read", path=self._key)
            left = (span.end or 0) - span.start
            while left and not self._stopped.is_set():
                piece = body.read()[:left]
                if not piece:
                    raise Unreachable("The stream ended early", path=self._key)
                left -= len(piece)
                yield piece
        finally:
            body.close()
