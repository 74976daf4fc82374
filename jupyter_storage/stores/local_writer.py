"""Files on their way into a directory on this machine."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from io import RawIOBase
from pathlib import Path

from jupyter_storage.errors import ChecksumMismatch, os_errors
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import CHUNK, Fill, Progress, Writer
from jupyter_storage.stores.unnamed import (
    give_name,
    hidden_beside,
    names_can_wait,
    open_unnamed,
)

__all__ = ["LocalWriter", "write_new"]


class LocalWriter(Writer):
    """Writes a file that has no name, and gives it one when it is whole.

    Where the file system cannot do that (network disks, other systems than Linux), it has a hidden
    name beside the target meanwhile, which stays if the process is killed.

    Parameters
    ----------
    look : callable
        Describes a file of the store.
    key : str
        As callers know it.
    path : Path
        Where it will be.
    exclusive : bool
    modified : datetime or None
        Modification time to give it.
    """

    def __init__(
        self,
        look: Callable[[str], Entry],
        key: str,
        path: Path,
        *,
        exclusive: bool,
        modified: datetime | None,
    ) -> None:
        self._look, self._key, self._path = look, key, path
        self._exclusive, self._modified = exclusive, modified
        self._hidden: Path | None = None
        if names_can_wait(path.parent):
            descriptor = open_unnamed(path.parent)
        else:
            self._hidden = hidden_beside(path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self._hidden, flags, 0o666)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._written = 0
        self._counting = threading.Lock()
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        with os_errors(self._key):
            view = memoryview(data)
            while view:
                written = self._file.write(view)
                self._written += written
                view = view[written:]

    @property
    def filler(self) -> Fill:
        return self._write_at

    def _write_at(self, offset: int, data: bytes) -> None:
        with os_errors(self._key):
            view = memoryview(data)
            while view:
                written = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[written:], offset + written
        with self._counting:
            self._written += len(data)

    def fill_from(self, reader: RawIOBase, progress: Progress | None) -> None:
        """Let the kernel copy, sharing blocks where the file system can."""
        with os_errors(self._key):
            source, target = reader.fileno(), self._file.fileno()
            while True:
                try:
                    copied = os.copy_file_range(source, target, CHUNK * 4)
                except OSError:
                    if self._written:
                        raise
                    break
                if not copied:
                    break
                self._written += copied
                if progress:
                    progress(copied)
            # Either at the end, or the kernel cannot: some file systems answer 0 for files
            # whose size is not known beforehand (/proc), others refuse.
            while piece := os.read(source, CHUNK):
                self.write(piece)
                if progress:
                    progress(len(piece))

    def keep(self, status: os.stat_result) -> None:
        """Take over permissions and the exact modification time."""
        with os_errors(self._key):
            os.fchmod(self._file.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(self._file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            self._modified = None

    def commit(self) -> Entry:
        with os_errors(self._key):
            if self._modified is not None:
                seconds = self._modified.timestamp()
                os.utime(self._file.fileno(), (seconds, seconds))
            size = os.fstat(self._file.fileno()).st_size
            if size != self._written:
                raise ChecksumMismatch(
                    f"{self._written:,} bytes were written and {size:,} arrived", path=self._key
                )
            self._publish()
            self._open = False
            self._file.close()
            return self._look(self._key)

    def abort(self) -> None:
        if self._open:
            self._open = False
            self._file.close()
            if self._hidden is not None:
                with suppress(OSError):
                    self._hidden.unlink()

    def _publish(self) -> None:
        if self._hidden is None:
            if self._exclusive or not os.path.lexists(self._path):
                try:
                    give_name(self._file.fileno(), self._path)
                    return
                except FileExistsError:
                    if self._exclusive:
                        raise
            # A link never replaces anything, and a rename does.
            self._hidden = hidden_beside(self._path)
            give_name(self._file.fileno(), self._hidden)
        else:
            # Network disks may say only here that they are full.
            self._file.close()
            if self._exclusive:
                _link_exclusively(self._hidden, self._path)
                return
        self._hidden.replace(self._path)


def write_new(
    path: Path, data: bytes | memoryview, modified: datetime | None
) -> os.stat_result | None:
    """Write a small file under a name that is free, with as few calls as that takes.

    Returns
    -------
    os.stat_result or None
        Of the file; None where nothing was done: the name is taken, the directory is missing, or
        the file system cannot do it; a writer finds out which.
    """
    directory = os.path.dirname(path)  # noqa: PTH120  half the time of path.parent
    try:
        if os.path.lexists(path) or not names_can_wait(directory):
            return None
        descriptor = open_unnamed(directory)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if os.write(descriptor, data) != len(data):
            return None
        if modified is not None:
            seconds = modified.timestamp()
            os.utime(descriptor, (seconds, seconds))
        give_name(descriptor, path)
        return os.fstat(descriptor)
    except FileExistsError:
        return None
    finally:
        os.close(descriptor)


def _link_exclusively(hidden: Path, path: Path) -> None:
    try:
        os.link(hidden, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network disks): claim the name, then replace the claim.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        hidden.replace(path)
    else:
        hidden.unlink()
