"""A store as a file system, in the words of FUSE."""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from mfusepy import FuseOSError, Operations, fuse_get_context

from jupyter_storage import errors
from jupyter_storage.errors import StorageError, Unsupported
from jupyter_storage.mounts.attributes import Attributes
from jupyter_storage.mounts.reading import Fetcher, Reader
from jupyter_storage.mounts.versions import KeptVersions
from jupyter_storage.mounts.writing import SequentialFile
from jupyter_storage.records import Entry
from jupyter_storage.redact import redact
from jupyter_storage.stores.store import Store

__all__ = ["StoreOperations", "key_of", "told"]

_log = logging.getLogger(__name__)

_NUMBERS: dict[type[StorageError], int] = {
    errors.NotFound: errno.ENOENT,
    errors.AlreadyExists: errno.EEXIST,
    errors.AccessDenied: errno.EACCES,
    errors.CredentialsMissing: errno.EACCES,
    errors.Protected: errno.EPERM,
    errors.InvalidPath: errno.EINVAL,
    errors.IsADirectory: errno.EISDIR,
    errors.NotADirectory: errno.ENOTDIR,
    errors.NoSpace: errno.ENOSPC,
    errors.Unsupported: errno.EOPNOTSUPP,
}


class StoreOperations(Operations):  # type: ignore[misc]
    """What the kernel asks of a mount.

    Nothing is cached beyond a moment: opening a file looks at the object, and closing one publishes
    it, so that whoever opens after a close sees all of it.

    Parameters
    ----------
    store : Store
    read_only : bool
    """

    use_ns = True

    def __init__(self, store: Store, *, read_only: bool = False) -> None:
        self._store, self._read_only = store, read_only
        self._attributes = Attributes(store)
        self._fetcher = Fetcher(store)
        self._kept = KeptVersions()
        self._files: dict[int, Reader | SequentialFile] = {}
        self._readers: dict[int, Reader] = {}  # of files that are open for both
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._began = time.time_ns()

    # Looking

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        key = key_of(path)
        with told(key):
            file = self._files.get(fh) if fh is not None else None
            if isinstance(file, Reader):
                return self._described(file.entry)
            written = self._written(key)
            if written is not None:
                return self._described(Entry(key, "", "file", written.position))
            return self._described(self._attributes.look(key))

    def readdir(self, path: str, fh: int) -> list[str]:
        key = key_of(path)
        with told(key):
            names = dict.fromkeys(self._attributes.list(key))
        with self._lock:
            open_files = list(self._files.values())
        for file in open_files:
            above, _, name = file.key.rpartition("/") if isinstance(file, SequentialFile) else _NONE
            if above == key and name:
                names[name] = None
        return [".", "..", *names]

    def statfs(self, path: str) -> dict[str, int]:
        # A bucket has no size; programs that look for room find some.
        return {
            "f_bsize": 4096,
            "f_frsize": 4096,
            "f_blocks": 2**38,
            "f_bfree": 2**38,
            "f_bavail": 2**38,
            "f_namemax": 255,
        }

    # Files

    def open_cached(self, path: str, flags: int) -> tuple[int, bool]:
        """Open, and say whether what the kernel kept of the file is of this version."""
        number = self.open(path, flags)
        file = self._files.get(number)
        if not isinstance(file, Reader):
            return number, False
        return number, self._kept.is_same(file.entry)

    def open(self, path: str, flags: int) -> int:
        key = key_of(path)
        with told(key):
            access = flags & os.O_ACCMODE
            entry = self._attributes.look_now(key)
            if access == os.O_RDONLY:
                return self._opened(Reader(self._fetcher, entry))
            self._refuse_writes(key)
            self._kept.forget(key)
            if flags & os.O_APPEND and entry.size and not flags & os.O_TRUNC:
                raise Unsupported(
                    "A mounted bucket takes whole files: nothing can be appended",
                    path=key,
                    hint="Write a new file, or mount with 'mode: MOUNT_CACHED'.",
                )
            empty = bool(flags & os.O_TRUNC) or not entry.size
            file = SequentialFile(self._store, key, _process(), empty=empty)
            if not flags & os.O_TRUNC and empty:
                # It is empty already: it is replaced only if something is written.
                file.keep()
            number = self._opened(file)
            if access == os.O_RDWR and not flags & os.O_TRUNC:
                self._readers[number] = Reader(self._fetcher, entry)
            return number

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        key = key_of(path)
        with told(key):
            self._refuse_writes(key)
            self._forget(key)
            file = SequentialFile(self._store, key, _process(), empty=True, new=True)
            return self._opened(file)

    def read(self, target: memoryview, offset: int, fh: int) -> int:
        """Fill as much of the kernel's memory as there is to read, and say how much."""
        file = self._readers.get(fh) or self._files[fh]
        with told(file.key):
            if isinstance(file, SequentialFile):
                raise Unsupported("What is being written cannot be read yet", path=file.key)
            done = 0
            for piece in file.pieces(offset, len(target)):
                target[done : done + len(piece)] = piece
                done += len(piece)
            return done

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with told(key_of(path)):
            return self._writing(fh).write(offset, data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        key = key_of(path)
        with told(key):
            self._refuse_writes(key)
            file = self._files.get(fh) if fh is not None else self._written(key)
            if isinstance(file, SequentialFile):
                file.truncate(length)
            elif length == 0:
                self._store.write(key, b"")
            elif length != self._attributes.look_now(key).size:
                raise Unsupported("A mounted bucket takes whole files", path=key)
            self._forget(key)
        return 0

    def flush(self, path: str, fh: int) -> int:
        file = self._files.get(fh)
        if isinstance(file, SequentialFile):
            with told(file.key):
                file.flush(_process())
            self._forget(file.key)
        return 0

    def release(self, path: str, fh: int) -> int:
        with self._lock:
            file = self._files.get(fh)
        try:
            if isinstance(file, SequentialFile):
                with told(file.key):
                    file.close()
                self._forget(file.key)
            elif file is not None:
                file.close()
        finally:
            with self._lock:
                self._files.pop(fh, None)
                reader = self._readers.pop(fh, None)
            if reader is not None:
                reader.close()
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        # An object is there when it is whole, which is when it is closed.
        return 0

    # Changing

    def unlink(self, path: str) -> int:
        def work(key: str) -> None:
            written = self._written(key)
            if written is not None:
                written.abort()
                return
            self._store.delete(key)

        return self._change(path, work)

    def mkdir(self, path: str, mode: int) -> int:
        return self._change(path, self._store.make_directory)

    def rmdir(self, path: str) -> int:
        def work(key: str) -> None:
            if self._attributes.list(key):
                raise FuseOSError(errno.ENOTEMPTY)
            self._store.delete_directory(key)

        return self._change(path, work)

    def rename(self, old: str, new: str) -> int:
        target = key_of(new)

        def work(key: str) -> None:
            written = self._written(key)
            if written is not None:
                written.close()
            self._store.rename(key, target, exclusive=False)
            self._forget(target)

        return self._change(old, work)

    def symlink(self, target: str, source: str) -> int:
        raise FuseOSError(errno.EOPNOTSUPP)

    def link(self, target: str, source: str) -> int:
        raise FuseOSError(errno.EOPNOTSUPP)

    # Buckets keep neither, and copies that set them are to work all the same.

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0

    def destroy(self, path: str) -> None:
        self._fetcher.close()
        self._store.close()

    # Work

    def _change(self, path: str, work: Callable[[str], None]) -> int:
        key = key_of(path)
        with told(key):
            self._refuse_writes(key)
            try:
                work(key)
            finally:
                self._forget(key)
        return 0

    def _forget(self, key: str) -> None:
        """Something changed here through us, or is about to."""
        self._attributes.forget(key)
        self._kept.forget(key)

    def _opened(self, file: Reader | SequentialFile) -> int:
        with self._lock:
            number = next(self._numbers)
            self._files[number] = file
            return number

    def _writing(self, fh: int) -> SequentialFile:
        file = self._files[fh]
        if isinstance(file, Reader):
            raise FuseOSError(errno.EBADF)
        return file

    def _written(self, key: str) -> SequentialFile | None:
        """The file of that name that is being written and not published yet."""
        with self._lock:
            files = list(self._files.values())
        for file in files:
            if isinstance(file, SequentialFile) and file.key == key and file.is_new:
                return file
        return None

    def _refuse_writes(self, key: str) -> None:
        if self._read_only:
            raise FuseOSError(errno.EROFS)

    def _described(self, entry: Entry) -> dict[str, Any]:
        kind = stat.S_IFDIR | 0o755 if entry.is_directory else stat.S_IFREG | 0o644
        modified = self._began
        if entry.modified is not None:
            modified = int(entry.modified.timestamp() * 1_000_000) * 1000
        return {
            "st_mode": kind & ~0o222 if self._read_only else kind,
            "st_nlink": 2 if entry.is_directory else 1,
            "st_size": entry.size or 0,
            "st_blocks": -(-(entry.size or 0) // 512),
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_atime": modified,
            "st_mtime": modified,
            "st_ctime": modified,
        }


_NONE = ("", "", "")


def key_of(path: str) -> str:
    """A path of the mount as a key of the store."""
    return path.strip("/")


def _process() -> int:
    return int(fuse_get_context()[2])


@contextmanager
def told(key: str) -> Iterator[None]:
    """Turn our errors into numbers, and write down what the number does not say."""
    try:
        yield
    except errors.NotFound as error:
        raise FuseOSError(errno.ENOENT) from error
    except StorageError as error:
        number = _NUMBERS.get(type(error), errno.EIO)
        _log.warning("%s: %s %s", key, redact(error.message), redact(error.hint))
        raise FuseOSError(number) from error
