"""Files on their way in parts, several at once."""

from __future__ import annotations

import hashlib
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from jupyter_storage.errors import StorageError
from jupyter_storage.stores.checksums import Checksum, combined
from jupyter_storage.stores.pace import Pace, jittered
from jupyter_storage.stores.store import Writer
from jupyter_storage.stores.wire import Stop

__all__ = ["ALONE", "CRC", "MEGABYTE", "Part", "PartSender", "PartWriter", "part_size"]

MEGABYTE = 2**20
PART = 8 * MEGABYTE  # bytes of a part, unless the file is too large for so many
ALONE = 16 * MEGABYTE  # a file up to this size goes in one request

IN_FLIGHT = 32 * MEGABYTE  # bytes under way, unless one part is larger
TRIES = 5  # of one part
PAUSE = 0.2  # seconds before the second; doubles with each further one
CRC = "crc32c"  # what is sent of each part where the service takes it


class Part:
    """Some of a file's bytes on their way."""

    future: Future[None]

    def __init__(self, number: int, pieces: list[memoryview], size: int) -> None:
        self.number, self.pieces, self.size = number, pieces, size
        self.md5 = b""
        self.crc = b""
        self.etag = ""

    def sign(self, *, crc: bool) -> None:
        """Compute the MD5, and the CRC if it is wanted."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces:
            digest.update(piece)
        self.md5 = digest.digest()
        if crc:
            other = Checksum(CRC, b"").begin()
            for piece in self.pieces:
                other.update(piece)
            self.crc = other.digest()


class PartSender:
    """Sends the parts of an upload in threads, and each again if its error may pass.

    Parameters
    ----------
    put : callable
        Sends one, until ``stop`` ends it, and gives its ETag if it has one.
    known : mapping
        Of what was sent before and is not sent again: MD5s by the numbers of parts.
    pace : Pace
    stop : Stop
    takes_crc : bool
        Whether the CRC of each part is wanted.
    """

    def __init__(
        self,
        put: Callable[[Part], str],
        known: Mapping[int, str],
        *,
        pace: Pace,
        stop: Stop,
        takes_crc: bool = False,
    ) -> None:
        self._put, self._known, self._pace, self._takes_crc = put, known, pace, takes_crc
        self._flying: deque[Part] = deque()
        self._sent: list[Part] = []
        self._senders: ThreadPoolExecutor | None = None
        self._stop, self._stopped = stop, threading.Event()

    @property
    def count(self) -> int:
        """Parts that were handed over."""
        return len(self._sent) + len(self._flying)

    def send(self, pieces: list[memoryview], size: int) -> None:
        """Take a part; waits while too much is under way."""
        if self._senders is None:
            self._senders = ThreadPoolExecutor(max(2, IN_FLIGHT // size), "jupyter-storage-part")
        part = Part(self.count + 1, pieces, size)
        part.future = self._senders.submit(self._deliver, part)
        self._flying.append(part)
        while sum(part.size for part in self._flying) > IN_FLIGHT and len(self._flying) > 1:
            self._settle()

    def finish(self) -> Sequence[Part]:
        """Wait until all have arrived, and give them."""
        while self._flying:
            self._settle()
        return self._sent

    def crc(self) -> bytes | None:
        """CRC of all that was sent; None where the service does not want it."""
        if not self._takes_crc:
            return None
        start, ranges = 0, {}
        for part in self._sent:
            ranges[start] = (part.crc, part.size)
            start += part.size
        return combined(CRC, ranges)

    def stop(self) -> None:
        """Let what is under way fail soon."""
        self._stopped.set()
        self._stop.stop()

    def give_up(self) -> None:
        """Stop, and wait: a part that arrives after an abort would stay, and cost, unseen."""
        self.stop()
        wait([part.future for part in self._flying])
        self.dismiss()
        self._flying.clear()

    def dismiss(self) -> None:
        """End the threads."""
        if self._senders is not None:
            self._senders.shutdown()

    def _settle(self) -> None:
        self._flying[0].future.result()
        self._sent.append(self._flying.popleft())

    def _deliver(self, part: Part) -> None:
        """Send a part, and again if the error may pass; in a thread of its own."""
        part.sign(crc=self._takes_crc)
        if self._known.get(part.number) == part.md5.hex():
            part.etag = f'"{part.md5.hex()}"'
            part.pieces.clear()
            return
        pause = PAUSE
        for left in reversed(range(TRIES)):
            try:
                with self._pace.turn():
                    part.etag = self._put(part)
                break
            except StorageError as error:
                if not error.retryable or not left or not self._pace.may_retry():
                    raise
                if self._stopped.wait(jittered(pause)):
                    raise
                pause *= 2
        part.pieces.clear()


class PartWriter(Writer):
    """Collects bytes until there are enough for a part.

    Parameters
    ----------
    key : str
        As callers know the file.
    size : int or None
        Bytes that will come, if known.
    most : int
        Parts that a file may have.
    """

    def __init__(self, key: str, size: int | None, most: int) -> None:
        self._key, self._size, self._most = key, size, most
        self._pieces: list[memoryview] = []
        self._collected = 0
        self._written = 0
        self._parts: PartSender | None = None
        self._stop = Stop()
        self._open = True

    @abstractmethod
    def _begin(self) -> PartSender:
        """Begin an upload in parts."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # What cannot change is kept as it is, not copied.
        view = memoryview(data)
        view = view if view.readonly else memoryview(bytes(view))
        self._written += len(view)
        while view:
            limit = self._limit()
            piece = view[: limit - self._collected]
            self._pieces.append(piece)
            self._collected += len(piece)
            view = view[len(piece) :]
            # A full part waits for one more byte: the last part goes with the commit.
            if view and self._collected == limit:
                self._flush()

    def stop(self) -> None:
        self._stop.stop()
        if self._parts is not None:
            self._parts.stop()

    def _limit(self) -> int:
        if self._size is not None:
            return ALONE if self._size <= ALONE else part_size(self._size, self._most)
        if self._parts is None:
            return ALONE
        # Nobody knows how much comes: what follows doubles with every tenth of the parts.
        return PART << (self._parts.count * 10 // self._most)

    def _flush(self) -> PartSender:
        if self._parts is None:
            self._parts = self._begin()
        pieces, size = self._pieces, self._collected
        self._pieces, self._collected = [], 0
        if size:
            self._parts.send(pieces, size)
        return self._parts

    def _body(self) -> bytes:
        """All that was collected, for one request."""
        return bytes(self._pieces[0]) if len(self._pieces) == 1 else b"".join(self._pieces)

    def _give_up(self) -> None:
        self._open = False
        self._pieces.clear()
        if self._parts is not None:
            self._parts.give_up()


def part_size(size: int, most: int) -> int:
    """Bytes of a part, in whole megabytes, so that there are not too many."""
    least = -(-size // most)
    return max(PART, -(-least // MEGABYTE) * MEGABYTE)
