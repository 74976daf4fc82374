"""MOUNT_CACHED in the words of FUSE: any write works here, and is uploaded after the close."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from mfusepy import FuseOSError

from jupyter_storage.errors import NotFound
from jupyter_storage.mounts.cache import Cache, CachedFile
from jupyter_storage.mounts.operations import StoreOperations, key_of, told
from jupyter_storage.paths import parent
from jupyter_storage.stores.store import Store

__all__ = ["CachedOperations"]


class CachedOperations(StoreOperations):
    """As :class:`StoreOperations`, with files written to a directory of this machine first.

    Parameters
    ----------
    store : Store
    directory : Path
        For what is not uploaded yet.
    """

    def __init__(self, store: Store, directory: Path) -> None:
        super().__init__(store)
        self._cache = Cache(directory, store, self._forget)
        # Number of an open file → its descriptor, and the file where it is open for writing.
        self._local: dict[int, tuple[int, CachedFile | None]] = {}

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        local = self._local.get(fh) if fh is not None else None
        if local is not None:
            return self._status(os.fstat(local[0]))
        file = self._cache.get(key_of(path))
        if file is not None:
            try:
                return self._status(file.path.stat())
            except FileNotFoundError:
                # Uploaded at this moment.
                self._forget(file.key)
        return super().getattr(path, fh)

    def readdir(self, path: str, fh: int) -> list[str]:
        key = key_of(path)
        names = dict.fromkeys(super().readdir(path, fh))
        for file in self._cache.below(key):
            if parent(file.key) == key:
                names[file.key.rpartition("/")[2]] = None
        return list(names)

    def open(self, path: str, flags: int) -> int:
        key = key_of(path)
        with told(key):
            file = self._cache.get(key)
            if flags & os.O_ACCMODE == os.O_RDONLY:
                if file is not None:
                    try:
                        return self._keep(os.open(file.path, os.O_RDONLY), None)
                    except FileNotFoundError:
                        # Uploaded at this moment.
                        self._forget(key)
                return super().open(path, flags)
            if file is None:
                self._attributes.look_now(key)
            return self._write(key, empty=bool(flags & os.O_TRUNC), appending=flags & os.O_APPEND)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        key = key_of(path)
        with told(key):
            return self._write(key, empty=True)

    def read(self, target: memoryview, offset: int, fh: int) -> int:
        local = self._local.get(fh)
        if local is None:
            return super().read(target, offset, fh)
        return os.preadv(local[0], [target], offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        descriptor, file = self._local[fh]
        if file is None:
            raise FuseOSError(errno.EBADF)
        self._cache.change(file)
        view = memoryview(data)
        while view:
            done = os.pwrite(descriptor, view, offset)
            view, offset = view[done:], offset + done
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        number = fh if fh in self._local else self.open(path, os.O_RDWR)
        try:
            descriptor, file = self._local[number]
            if file is None:
                raise FuseOSError(errno.EBADF)
            self._cache.change(file)
            os.ftruncate(descriptor, length)
        finally:
            if number != fh:
                self.release(path, number)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        local = self._local.pop(fh, None)
        if local is None:
            return super().release(path, fh)
        descriptor, file = local
        os.close(descriptor)
        if file is not None:
            self._cache.close(file)
            self._forget(file.key)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        local = self._local.get(fh)
        if local is not None:
            os.fsync(local[0])
        return 0

    def unlink(self, path: str) -> int:
        def work(key: str) -> None:
            was_here = self._cache.forget(key)
            try:
                with self._cache.alone(key):
                    self._store.delete(key)
            except NotFound:
                if not was_here:
                    raise

        return self._change(path, work)

    def rmdir(self, path: str) -> int:
        if self._cache.below(key_of(path)):
            raise FuseOSError(errno.ENOTEMPTY)
        return super().rmdir(path)

    def rename(self, old: str, new: str) -> int:
        key, target = key_of(old), key_of(new)
        file = self._cache.get(key)
        if file is None:
            if not self._cache.wait(key):
                raise FuseOSError(errno.EBUSY)
            self._cache.forget(target)
            with self._cache.alone(target):
                return super().rename(old, new)

        def work(key: str) -> None:
            self._cache.rename(file, target)
            self._forget(target)
            try:
                with self._cache.alone(key):
                    self._store.delete(key)
            except NotFound:
                return

        return self._change(old, work)

    def destroy(self, path: str) -> None:
        self._cache.stop()
        super().destroy(path)

    def _write(self, key: str, *, empty: bool, appending: int = 0) -> int:
        file = self._cache.open(key, empty=empty)
        self._forget(key)
        # The kernel may take the file to be as long as it was a moment ago.
        return self._keep(os.open(file.path, os.O_RDWR | appending), file)

    def _keep(self, descriptor: int, file: CachedFile | None) -> int:
        with self._lock:
            number = next(self._numbers)
            self._local[number] = (descriptor, file)
            return number

    def _status(self, status: os.stat_result) -> dict[str, Any]:
        return {
            "st_mode": stat.S_IFREG | 0o644,
            "st_nlink": 1,
            "st_size": status.st_size,
            "st_blocks": status.st_blocks,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_atime": status.st_mtime_ns,
            "st_mtime": status.st_mtime_ns,
            "st_ctime": status.st_mtime_ns,
        }
