"""Reading an open file: what a program reads in order is fetched before it asks.

Ranges are fetched in several threads at once, and the kernel is given their pieces as they came:
none is joined, cut or copied on the way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from jupyter_storage.errors import Conflict, StorageError, Unreachable
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["Fetcher", "Reader"]

FIRST = 2**20  # bytes of the first range; a program may want no more than a header
RANGE = 8 * 2**20  # bytes of a range at most
AHEAD = 32 * 2**20  # bytes that are fetched at most before a program asks; it grows up to that
MEMORY = 256 * 2**20  # bytes that all open files together fetch ahead
KEPT = 4 * 2**20  # bytes that were read and are kept: the kernel asks a little out of order
GAP = 4 * 2**20  # bytes that are rather read over than asked for anew
RANDOM = 256 * 2**10  # bytes that are fetched at least where reading jumps about
RUNS = 4  # places of one file that are read in order at the same time
ASKED = 64  # ranges at once that somebody waits for
EARLY = 8  # ranges at once that nobody asked for yet


class Fetcher:
    """Fetches ranges for all open files of a mount.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._asked = ThreadPoolExecutor(ASKED, "storage-read")
        self._early = ThreadPoolExecutor(EARLY, "storage-read-ahead")
        self._lock = threading.Lock()
        self._taken = 0

    def reserve(self, size: int) -> bool:
        """Take memory for a range that nobody asked for yet; False if there is none left."""
        with self._lock:
            if self._taken + size > MEMORY:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        """Give memory back."""
        with self._lock:
            self._taken -= size

    def start(self, work: Callable[[], None], *, early: bool) -> Future[None]:
        """Do something in a thread: what nobody asked for yet keeps nothing else waiting."""
        return (self._early if early else self._asked).submit(work)

    def close(self) -> None:
        """End."""
        for pool in (self._asked, self._early):
            pool.shutdown(wait=False, cancel_futures=True)


class Reader:
    """One version of one file, read from several threads.

    Parameters
    ----------
    fetcher : Fetcher
    entry : Entry
        The version.
    """

    def __init__(self, fetcher: Fetcher, entry: Entry) -> None:
        self.entry, self.key = entry, entry.path
        self._fetcher = fetcher
        self._size = entry.size or 0
        self._changed = threading.Condition()
        self._runs: deque[_Run] = deque()  # the one that was used last comes last
        self._version = _Version(fetcher.store, entry)
        self._closed = False

    def read(self, offset: int, size: int) -> bytes:
        """Give a range; fewer bytes only at the end.

        Raises
        ------
        Conflict
            If the file is another one by now.
        """
        return b"".join(self.pieces(offset, size))

    def pieces(self, offset: int, size: int) -> list[memoryview]:
        """As :meth:`read`, without a copy: views that make up the range together."""
        end = min(offset + size, self._size)
        found: list[memoryview] = []
        with self._changed:
            while offset < end:
                run = self._run_at(offset, end)
                self._fetch_ahead(run, offset, end)
                while offset < end and (piece := self._wait_for(run, offset)) is not None:
                    piece = piece[: end - offset]
                    found.append(piece)
                    offset += len(piece)
            if found:
                run.forget(self._fetcher, end - KEPT)
                self._changed.notify_all()
        return found

    def close(self) -> None:
        """Give up what is on its way."""
        with self._changed:
            self._closed = True
            for run in self._runs:
                run.drop(self._fetcher)
            self._runs.clear()
            self._changed.notify_all()

    def _run_at(self, offset: int, end: int) -> _Run:
        """Find the place in the file that is read in order here, or begin one."""
        for run in reversed(self._runs):
            if run.begin <= offset <= run.end + GAP:
                self._runs.remove(run)
                self._runs.append(run)
                return run
        while len(self._runs) >= RUNS:
            self._runs.popleft().drop(self._fetcher)
            self._changed.notify_all()
        run = _Run(offset)
        # Whoever begins at the beginning is likely to go on.
        run.add(self._range(offset, max(end - offset, RANDOM if offset else FIRST)))
        self._runs.append(run)
        return run

    def _fetch_ahead(self, run: _Run, offset: int, end: int) -> None:
        """Let so much be on its way as reading in order so far promises."""
        while run.end < end:
            run.add(self._range(run.end, max(end - run.end, FIRST)))
        if end > run.read:
            run.read = end
            run.ahead = min(4 * (end - run.start), AHEAD)
        if offset == run.start:
            # Nobody knows yet whether it goes on.
            return
        length = min(max(run.ahead // 4, FIRST), RANGE)
        # In whole ranges: many small ones would be many requests.
        while run.end < self._size and run.end + length <= run.read + run.ahead:
            length = min(length, self._size - run.end)
            if not self._fetcher.reserve(length):
                return
            run.add(self._range(run.end, length, early=True))

    def _range(self, start: int, length: int, *, early: bool = False) -> _Range:
        made = _Range(start, min(start + length, self._size), early)
        made.future = self._fetcher.start(lambda: self._fetch(made), early=early)
        return made

    def _wait_for(self, run: _Run, offset: int) -> memoryview | None:
        """Give what is there from an offset on; None if others made the run forget it."""
        wanted = run.at(offset)
        while wanted is not None and not wanted.dropped and wanted.filled <= offset:
            if wanted.error is not None:
                # The next one who reads here tries again.
                if run in self._runs:
                    self._runs.remove(run)
                run.drop(self._fetcher)
                raise wanted.error
            self._changed.wait()
            if self._closed:
                raise Unreachable("The reading was given up", path=self.key)
        return None if wanted is None or wanted.dropped else wanted.view(offset)

    def _fetch(self, wanted: _Range) -> None:
        """Fill a range, in a thread."""
        try:
            length = wanted.end - wanted.start
            with self._fetcher.store.open(self.key, offset=wanted.start, length=length) as pieces:
                self._version.check(getattr(pieces, "version", None))
                for piece in pieces:
                    with self._changed:
                        if wanted.dropped:
                            return
                        wanted.add(piece)
                        self._changed.notify_all()
            if wanted.filled < wanted.end:
                raise _changed(self.entry)
        except StorageError as error:
            self._fail(wanted, error)
        except Exception as error:
            self._fail(wanted, Unreachable(f"Reading failed: {type(error).__name__}: {error}"))

    def _fail(self, wanted: _Range, error: StorageError) -> None:
        with self._changed:
            wanted.error = error
            self._changed.notify_all()


class _Piece(NamedTuple):
    start: int
    data: bytes


class _Range:
    """A range that is on its way, or here."""

    def __init__(self, start: int, end: int, early: bool) -> None:
        self.start, self.end = start, end
        self.filled = start
        self.early = early  # before anybody asked for it
        self.dropped = False
        self.error: StorageError | None = None
        self.future: Future[None] | None = None
        self._pieces: list[_Piece] = []

    def add(self, data: bytes) -> None:
        self._pieces.append(_Piece(self.filled, data))
        self.filled += len(data)

    def view(self, offset: int) -> memoryview:
        """What is here from an offset on."""
        for start, data in self._pieces:
            if offset < start + len(data):
                return memoryview(data)[offset - start :]
        raise IndexError(offset)

    def drop(self, fetcher: Fetcher) -> None:
        if not self.dropped and self.early:
            fetcher.give_back(self.end - self.start)
        self.dropped = True
        self._pieces.clear()
        if self.future is not None:
            self.future.cancel()


class _Run:
    """A place in a file that is read in order: ranges that follow one another."""

    def __init__(self, start: int) -> None:
        self.start = self.begin = self.end = self.read = start
        self.ahead = 0
        self._ranges: deque[_Range] = deque()

    def add(self, further: _Range) -> None:
        self._ranges.append(further)
        self.end = further.end

    def at(self, offset: int) -> _Range | None:
        return next((each for each in self._ranges if each.start <= offset < each.end), None)

    def forget(self, fetcher: Fetcher, before: int) -> None:
        """Give up ranges that end before an offset."""
        while self._ranges and self._ranges[0].end <= before:
            self._ranges.popleft().drop(fetcher)
        self.begin = self._ranges[0].start if self._ranges else self.end

    def drop(self, fetcher: Fetcher) -> None:
        """Give up all."""
        self.forget(fetcher, self.end)


class _Version:
    """Sees that all ranges are of the version that was opened."""

    def __init__(self, store: Store, entry: Entry) -> None:
        self._store, self._entry = store, entry
        self._lock = threading.Lock()
        self._known: str | None = None
        self._ranges = 0
        self._confirmed = False

    def check(self, version: str | None) -> None:
        """Compare what a range is of.

        Parameters
        ----------
        version : str or None
            As the service calls it; None where it does not.

        Raises
        ------
        Conflict
        """
        with self._lock:
            self._ranges += 1
            if self._ranges == 1:
                # It has nothing to fit to, and nobody is to wait for one more request.
                self._known = version
                return
            if version != self._known:
                raise _changed(self._entry)
            if self._confirmed:
                return
            # What is there after a range was begun, was there or came since.
            now, before = self._store.stat(self._entry.path), self._entry
            if (now.size, now.modified) != (before.size, before.modified):
                raise _changed(before)
            self._confirmed = version is not None


def _changed(entry: Entry) -> Conflict:
    return Conflict(
        "It changed while it was read", path=entry.path, hint="Open it again for the new version."
    )
