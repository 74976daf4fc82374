"""Reading an open file: what a program reads in order is fetched before it asks."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator

from jupyter_storage.errors import Conflict, StorageError, Unreachable
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["Reader"]

FIRST = 2**20  # bytes of the first range; a program may want no more than a header
LARGEST = 256 * 2**20  # bytes of one range, which grows as long as reading goes on in order
AHEAD = 4  # pieces (of at most 4 MiB) that wait to be read
KEPT = 8 * 2**20  # bytes that were read and are kept: the kernel asks a little out of order
GAP = 4 * 2**20  # bytes that are rather read over than asked for anew
RANDOM = 256 * 2**10  # bytes that are fetched at least where reading jumps about


class Reader:
    """One version of one file, read from several threads.

    Parameters
    ----------
    store : Store
    entry : Entry
        The version.
    """

    def __init__(self, store: Store, entry: Entry) -> None:
        self.entry = entry
        self._store = store
        self._size = entry.size or 0
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._ahead: _Ahead | None = None
        self._span = FIRST
        self._next = 0  # where reading in order goes on

    def read(self, offset: int, size: int) -> bytes:
        """Give a range; fewer bytes only at the end.

        Raises
        ------
        Conflict
            If the file is another one by now.
        """
        end = min(offset + size, self._size)
        if offset >= end:
            return b""
        with self._lock:
            while (data := self._from_kept(offset, end)) is None:
                self._fetch(offset, end)
            return data

    def close(self) -> None:
        """Give up what is on its way."""
        with self._lock:
            self._stop()
            self._kept.clear()

    def _from_kept(self, offset: int, end: int) -> bytes | None:
        parts = []
        for start, piece in self._kept:
            if start <= offset < start + len(piece):
                part = piece[offset - start : end - start]
                parts.append(part)
                offset += len(part)
                if offset == end:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        return None

    def _fetch(self, offset: int, end: int) -> None:
        """Get more of what is wanted."""
        begin = self._kept[0][0] if self._kept else self._next
        known = begin <= offset <= self._next
        ahead = self._ahead
        if ahead is not None and begin <= offset <= ahead.position + GAP and ahead.position < end:
            self._take(ahead)
            return
        self._stop()
        if known and self._next < end:
            # In order: what is kept goes as far as where it goes on.
            start = self._next
            length = min(max(self._span, end - start), self._size - start)
            self._span = min(self._span * 4, LARGEST)
            self._ahead = _Ahead(self._store, self.entry, start, length)
            self._take(self._ahead)
            return
        self._span = FIRST
        length = min(max(RANDOM, end - offset), self._size - offset)
        data = self._store.read(self.entry.path, offset=offset, length=length)
        if len(data) < length:
            raise _changed(self.entry)
        self._keep(offset, data)
        self._next = offset + length

    def _take(self, ahead: _Ahead) -> None:
        position = ahead.position
        piece = ahead.next()
        if piece is None:
            self._stop()
            self._next = position
            return
        self._keep(position, piece)
        self._next = position + len(piece)

    def _keep(self, start: int, piece: bytes) -> None:
        if self._kept and self._kept[-1][0] + len(self._kept[-1][1]) != start:
            # Pieces are in order, so that a range over two of them is found.
            self._kept.clear()
            self._kept_bytes = 0
        self._kept.append((start, piece))
        self._kept_bytes += len(piece)
        while len(self._kept) > 1 and self._kept_bytes - len(self._kept[0][1]) > KEPT:
            self._kept_bytes -= len(self._kept.popleft()[1])

    def _stop(self) -> None:
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None


class _Ahead:
    """A range that is being fetched in a thread of its own."""

    def __init__(self, store: Store, entry: Entry, offset: int, length: int) -> None:
        self.position = offset
        self._store, self._entry = store, entry
        self._offset, self._length = offset, length
        self._pieces: queue.Queue[bytes | StorageError | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="storage-read-ahead", daemon=True).start()

    def next(self) -> bytes | None:
        """Wait for the next piece; None at the end of the range."""
        piece = self._pieces.get()
        if isinstance(piece, StorageError):
            raise piece
        if piece is not None:
            self.position += len(piece)
        return piece

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped.set()
        while True:
            try:
                self._pieces.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        try:
            for piece in self._fetched():
                if not self._put(piece):
                    return
            self._put(None)
        except StorageError as error:
            self._put(error)
        except Exception as error:
            self._put(Unreachable(f"Reading failed: {type(error).__name__}: {error}"))

    def _fetched(self) -> Iterator[bytes]:
        entry = self._entry
        done = 0
        with self._store.open(entry.path, offset=self._offset, length=self._length) as pieces:
            if self._offset:
                # A later range may be of another version: what it is now, it was or became since.
                now = self._store.stat(entry.path)
                if (now.size, now.modified) != (entry.size, entry.modified):
                    raise _changed(entry)
            for piece in pieces:
                done += len(piece)
                yield bytes(piece)
        if done < self._length:
            raise _changed(entry)

    def _put(self, piece: bytes | StorageError | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._pieces.put(piece, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False


def _changed(entry: Entry) -> Conflict:
    return Conflict(
        "It changed while it was read", path=entry.path, hint="Open it again for the new version."
    )
