"""Writing an open file of MOUNT: in order, and published when it is closed."""

from __future__ import annotations

import threading
from pathlib import Path

from jupyter_storage.errors import StorageError, Unsupported
from jupyter_storage.stores.store import Store, Writer

__all__ = ["SequentialFile"]


class SequentialFile:
    """A file that is written from its beginning to its end.

    Anything else fails, and leaves the object as it was: object storage replaces objects as wholes.

    Parameters
    ----------
    store : Store
    key : str
    process : int
        Who opened it.
    empty : bool
        Whether it is new, or its old content is given up; else a write is refused.
    new : bool
        Whether there was nothing of that name.
    """

    def __init__(
        self, store: Store, key: str, process: int, *, empty: bool, new: bool = False
    ) -> None:
        self.key = key
        self.position = 0
        self._store = store
        self._process = _thread_group(process)
        self._empty = empty
        self._unannounced = new
        self._wanted = empty  # whether it is published although nothing was written
        self._writer: Writer | None = None
        self._error: StorageError | None = None
        self._committed = False
        self._lock = threading.Lock()

    @property
    def is_new(self) -> bool:
        """Whether what is written is all that there will be."""
        return self._wanted and not self._committed and self._error is None

    def keep(self) -> None:
        """Publish nothing unless something is written."""
        self._wanted = False

    def write(self, offset: int, data: bytes) -> int:
        """Add bytes at the end.

        Raises
        ------
        Unsupported
            Anywhere else, and after the file was closed.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._committed or not self._empty or offset != self.position:
                self._refuse(offset)
            try:
                if self._writer is None:
                    self._writer = self._store.create(self.key)
                self._writer.write(data)
            except StorageError as error:
                self._fail(error)
                raise
            self.position += len(data)
            self._wanted = True
            return len(data)

    def truncate(self, length: int) -> None:
        """Give up the old content, or nothing.

        Raises
        ------
        Unsupported
            For any other length than none and what is written.
        """
        with self._lock:
            if length == 0 and self.position == 0 and not self._committed:
                self._empty = self._wanted = True
            elif not self._empty or length != self.position:
                self._refuse(length)

    def flush(self, process: int) -> None:
        """Publish, if whoever opened it closes it.

        A shell hands an open file to programs that it starts, and each of them closes it: the file
        is whole only when the shell itself does.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if _thread_group(process) != self._process:
                return
            if self.position:
                self._commit()
            elif self._unannounced:
                # Maybe that was all; a shell also closes a copy before anything is written. What
                # had content keeps it until there is more.
                self._store.write(self.key, b"")
                self._unannounced = False

    def close(self) -> None:
        """Publish what was not yet, after the last one closed it."""
        with self._lock:
            if self._wanted and self._error is None:
                self._commit()

    def abort(self) -> None:
        """Leave no trace: it was deleted meanwhile."""
        with self._lock:
            self._fail(Unsupported("It was deleted while it was written", path=self.key))

    def _commit(self) -> None:
        if self._committed:
            return
        try:
            if self._writer is None:
                self._writer = self._store.create(self.key, size=0)
            self._writer.commit()
        except StorageError as error:
            self._fail(error)
            raise
        self._committed = True

    def _refuse(self, offset: int) -> None:
        where = f"at {offset:,}, after {self.position:,} bytes"
        error = Unsupported(
            f"A mounted bucket takes files in one go, from the beginning: this was {where}",
            path=self.key,
            hint="Write a new file, or mount with 'mode: MOUNT_CACHED'.",
        )
        self._fail(error)
        raise error

    def _fail(self, error: StorageError) -> None:
        self._error = error
        self._wanted = False
        if self._writer is not None and not self._committed:
            self._writer.abort()


def _thread_group(process: int) -> int:
    """The process that a thread belongs to: the kernel names the thread."""
    try:
        text = Path(f"/proc/{process}/status").read_text("utf-8", "replace")
    except OSError:
        return process
    for line in text.splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    return process
