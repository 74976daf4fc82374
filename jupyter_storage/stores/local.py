"""A directory on this machine (or on a mounted network disk) as a store."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotFound,
    StorageError,
    os_errors,
)
from jupyter_storage.paths import contained, is_below, join
from jupyter_storage.records import Entry, Page, Usage
from jupyter_storage.stores.local_listing import (
    LargeDirectories,
    children,
    describe,
    describe_unseen,
    name_of,
    nearest,
)
from jupyter_storage.stores.local_reader import open_file, pieces, read_whole
from jupyter_storage.stores.local_writer import LocalWriter, write_new
from jupyter_storage.stores.mount_table import refuse_mounts
from jupyter_storage.stores.store import CHUNK, Progress, Store, Writer
from jupyter_storage.stores.unnamed import hidden_beside

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["LocalStore"]


class LocalStore(Store):
    """A directory as a store.

    Parameters
    ----------
    root : Path
        Made when first written to.
    """

    keeps_links = True
    keeps_directories = True

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        super().__init__("file://" + quote(str(self.root)))
        self._large = LargeDirectories()

    # Looking

    def stat(self, key: str) -> Entry:
        with os_errors(key):
            path = self._path(key)
            if not key and not path.exists():
                # A root that nobody has written to yet is an empty directory.
                return Entry("", "", "directory")
            return self._entry(key, path, path.lstat())

    def details(self, key: str) -> Mapping[str, str]:
        with os_errors(key):
            status = self._path(key).lstat()
        return {
            "owner": name_of(pwd.getpwuid, status.st_uid),
            "group": name_of(grp.getgrgid, status.st_gid),
            "permissions": stat.filemode(status.st_mode),
        }

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        with os_errors(key):
            path = self._followed(key)
            if not key and not path.exists():
                return Page(())
            if path.exists() and not path.is_dir():
                raise NotADirectory("It is a file", path=key)
            names = self._large.names(path)
            start = bisect_right(names, cursor) if cursor else 0
            chosen = names[start : start + limit]
            entries, directory = [], str(path)
            for name in chosen:
                child = f"{directory}/{name}"  # a Path costs as much as the look
                try:
                    entries.append(self._entry(join(key, name), child, os.lstat(child)))
                except FileNotFoundError:
                    continue  # somebody deleted it since the listing
                except OSError:
                    entries.append(describe_unseen(join(key, name), directory))
            more = start + limit < len(names)
            return Page(tuple(entries), chosen[-1] if more else None)

    def walk(
        self, key: str = "", *, on_error: Callable[[StorageError], None] | None = None
    ) -> Iterator[Entry]:
        """As :meth:`Store.walk`; with ``on_error``, a directory that cannot be listed is told.

        Without it, the first such directory ends the walk with its error.
        """
        with os_errors(key):
            path = self._followed(key)
            if not key and not path.exists():
                return
            if not path.is_dir():
                path.lstat()
                raise NotADirectory("It is a file", path=key)
        pending = [iter(children(key, str(path), on_error))]
        while pending:
            entry = next(pending[-1], None)
            if entry is None:
                pending.pop()
                continue
            yield entry
            if entry.is_directory:
                below = f"{path}{entry.path[len(key) :] if key else '/' + entry.path}"
                pending.append(iter(children(entry.path, below, on_error)))

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    # Bytes

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        with os_errors(key):
            descriptor, size = self._opened(key)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                if offset:
                    file.seek(offset)
                yield pieces(file, length, size - offset)

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        with os_errors(key):
            descriptor, size = self._opened(key)
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            return read_whole(descriptor, length, size - offset)

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        with os_errors(key):
            path = self._followed(key)
            if path.is_dir():
                raise IsADirectory("A directory has that name", path=key)
            if exclusive and path.exists():
                raise AlreadyExists("It exists already", path=key)
            _make_directories(path.parent, self.root)
            if size is not None and size > CHUNK:  # for less, the write itself says so in time
                _check_space(path.parent, size, key)
            return LocalWriter(self.stat, key, path, exclusive=exclusive, modified=modified)

    def write(
        self,
        key: str,
        data: bytes | memoryview,
        *,
        exclusive: bool = False,
        modified: datetime | None = None,
    ) -> Entry:
        with os_errors(key):
            status = write_new(self._path(key), data, modified) if key else None
        if status is not None:
            return describe(key, "file", status)
        return super().write(key, data, exclusive=exclusive, modified=modified)

    def write_link(self, key: str, target: str, *, exclusive: bool = False) -> Entry:
        """Make a symbolic link, replacing what is there unless ``exclusive``."""
        with os_errors(key):
            path = self._path(key)
            if path.is_dir() and not path.is_symlink():
                raise IsADirectory("A directory has that name", path=key)
            _make_directories(path.parent, self.root)
            if exclusive:
                path.symlink_to(target)
            else:
                temporary = hidden_beside(path)
                temporary.symlink_to(target)
                temporary.replace(path)
            return self.stat(key)

    # Changing

    def make_directory(self, key: str) -> None:
        with os_errors(key):
            path = self._followed(key)
            if path.exists() and not path.is_dir():
                raise AlreadyExists("A file has that name", path=key)
            _make_directories(path, self.root)

    def delete(self, key: str) -> None:
        with os_errors(key):
            path = self._path(key)
            if path.is_dir() and not path.is_symlink():
                raise IsADirectory("It is a directory", path=key)
            path.unlink()

    def delete_empty(self, key: str) -> None:
        with os_errors(key):
            try:
                self._path(key).rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        with os_errors(key):
            path = self._path(key)
            if path.is_symlink() or not path.is_dir():
                path.lstat()
                raise NotADirectory("It is not a directory", path=key)
            refuse_mounts(path, key)
            files = 0
            for directory, _, _ in os.walk(path, topdown=False):
                with os.scandir(directory) as scan:
                    # os.walk counts links to directories among directories: look at each child.
                    for child in list(scan):
                        if child.is_dir(follow_symlinks=False):
                            Path(child.path).rmdir()
                        else:
                            Path(child.path).unlink()
                            files += 1
                            if progress:
                                progress(1)
            if key:
                path.rmdir()
            return files

    def can_copy_from(self, source: Store) -> bool:
        return isinstance(source, LocalStore)

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        assert isinstance(source, LocalStore)  # noqa: S101  can_copy_from says so
        with os_errors(source_key):
            path = source._followed(source_key)
            if path.is_dir():
                raise IsADirectory("It is a directory", path=source_key)
            if path.exists() and not path.is_file():
                raise InvalidRequest("It is a device or a pipe, not a file", path=source_key)
            reader = path.open("rb", buffering=0)
        with reader:
            status = os.fstat(reader.fileno())
            modified = datetime.fromtimestamp(status.st_mtime, timezone.utc)
            writer = self.create(key, exclusive=exclusive, size=status.st_size, modified=modified)
            assert isinstance(writer, LocalWriter)  # noqa: S101
            with writer:
                writer.fill_from(reader, progress)
                writer.keep(status)
                return writer.commit()

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        if is_below(to, key):
            raise InvalidRequest("A directory cannot move into itself", path=key)
        with os_errors(key):
            source = self._path(key)
            source.lstat()
        with os_errors(to):
            target = self._path(to)
            if target.is_dir() and not target.is_symlink():
                raise AlreadyExists("A directory has that name", path=to)
            _make_directories(target.parent, self.root)
            if source.is_dir() and not source.is_symlink():
                # rename(2) refuses a directory onto a file by itself; say it in our words.
                if os.path.lexists(target):
                    raise AlreadyExists("It exists already", path=to)
                with os_errors(key):
                    refuse_mounts(source, key)
                source.rename(target)
            elif not exclusive:
                source.replace(target)
            else:
                # link(2) is the one rename that never replaces.
                try:
                    os.link(source, target, follow_symlinks=False)
                except FileExistsError:
                    raise
                except OSError:
                    if os.path.lexists(target):
                        raise AlreadyExists("It exists already", path=to) from None
                    source.rename(target)
                else:
                    source.unlink()

    # The rest

    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(auto_mkdir=True), str(self.root)

    def usage(self) -> Usage:
        with os_errors(""):
            disk = shutil.disk_usage(nearest(self.root))
            return Usage(disk.used, disk.free, disk.total)

    def check(self) -> None:
        with os_errors(str(self.root)):
            there = nearest(self.root)
            if not there.is_dir():
                raise NotADirectory(
                    "It is a file, not a directory",
                    path=str(self.root),
                    hint="Move the file away, or give the tier another directory.",
                )
            if self.root.exists():
                with os.scandir(self.root) as scan:
                    next(scan, None)
            elif not os.access(there, os.W_OK | os.X_OK):
                raise NotFound(
                    "The directory does not exist and cannot be made",
                    path=str(self.root),
                    hint="Mount or make it, or set JUPYTER_STORAGE_ROOT to a directory of yours.",
                )

    def _path(self, key: str) -> Path:
        return contained(self.root, key)

    def _opened(self, key: str) -> tuple[int, int]:
        """Open a file for reading: its descriptor, and its size."""
        try:
            # Most are no links, and are opened by one call, without a look at them before.
            return open_file(self._path(key), key, follow=False)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return open_file(self._followed(key), key)

    def _followed(self, key: str) -> Path:
        """As ``_path``, but a link at the end is followed, and may not lead out."""
        path = self._path(key)
        if path.is_symlink():
            path = contained(self.root, _relative(path.resolve(), self.root, key))
        return path

    def _entry(self, key: str, path: str | Path, status: os.stat_result) -> Entry:
        link = None
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(path)
            target = Path(os.path.realpath(path))  # unlike resolve(), it bears loops
            if not (target.exists() and (target == self.root or self.root in target.parents)):
                return describe(key, "symlink", status, link)
            status = target.stat()
        kind: Literal["directory", "file"] = "directory" if stat.S_ISDIR(status.st_mode) else "file"
        return describe(key, kind, status, link)


def _relative(path: Path, root: Path, key: str) -> str:
    if path != root and root not in path.parents:
        raise NotFound(
            "The symbolic link leads out of the tier, or nowhere",
            path=key,
            hint="Use the path that the link points to.",
        )
    return "" if path == root else path.relative_to(root).as_posix()


def _check_space(directory: Path, size: int, key: str) -> None:
    disk = shutil.disk_usage(directory)
    # File systems of the kernel, and some network disks, do not know their size.
    if disk.total and size > disk.free:
        raise NoSpace(f"It needs {size:,} bytes and the disk has {disk.free:,} left", path=key)


def _make_directories(path: Path, root: Path) -> None:
    """Make a directory; where a file is in the way, name the file."""
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectory(
            "Part of the path is a file, not a directory",
            path=path.relative_to(root).as_posix() if root in path.parents else str(path),
        ) from error
