"""What writes one file into a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType

from jupyter_storage.records import Entry

__all__ = ["CHUNK", "Fill", "Progress", "Writer"]

CHUNK = 4 * 2**20  # bytes in one piece of a stream

Progress = Callable[[int], None]
"""Called with the number of bytes that were done since the last call."""

Fill = Callable[[int, bytes], None]
"""Takes an offset and the bytes that belong there, in any order and from any thread."""


class Writer(ABC):
    """A file being written. Nothing is visible until :meth:`commit`.

    As a context manager it aborts unless it was committed.
    """

    @abstractmethod
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end."""

    @abstractmethod
    def commit(self) -> Entry:
        """Publish the file whole.

        Returns
        -------
        Entry
            What is now there; size, and the checksum where the store gives one, were compared
            with what was written. ``modified`` is None where the store did not say: ask with
            :meth:`Store.stat`, if it matters.

        Raises
        ------
        AlreadyExists
            If the writer is exclusive and somebody else was first.
        ChecksumMismatch
            If the store holds something else than was written.
        """

    @abstractmethod
    def abort(self) -> None:
        """Leave no trace. Does nothing after :meth:`commit` or a second time."""

    @property
    def token(self) -> str | None:
        """What :meth:`Store.resume` goes on with; None where nothing is with the store yet."""
        return None

    def suspend(self) -> None:
        """End, and leave what was sent for :meth:`Store.resume`, where the store can."""
        self.abort()

    @property
    def filler(self) -> Fill | None:
        """What takes pieces in any order in place of :meth:`write`; None where order counts."""
        return None

    def stop(self) -> None:
        """Let what blocks in another thread's call fail soon; :meth:`abort` is still to be called.

        Where a call cannot block for long, nothing happens.
        """
        return

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()
