"""Object storage as Ray sees it: pyarrow's file system interface over a store.

pyarrow's own S3 file system asks about the whole bucket, which credentials for one prefix may not,
and takes its secrets along when it is pickled, which Ray does: to workers, and into the files of
an experiment. This one goes through the stores of tiers, and is pickled as a URI and the options
of its bucket, which name credentials and hold none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from pyarrow import NativeFile, PythonFile
from pyarrow.fs import (
    FileInfo,
    FileSelector,
    FileSystemHandler,
    FileType,
    PyFileSystem,
)

from jupyter_storage.errors import AlreadyExists, IsADirectory, NotADirectory, NotFound
from jupyter_storage.paths import clean_key, join, parent, split_uri
from jupyter_storage.records import Entry
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.store import Store

__all__ = ["StoreHandler", "filesystem"]

# Where a worker's own environment may lack them.
_FROZEN = {
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}


def filesystem(uri: str, options: Mapping[str, Any]) -> tuple[PyFileSystem, str]:
    """Make a file system for Ray.

    Parameters
    ----------
    uri : str
        Of a file or directory on object storage.
    options : mapping
        See ``JupyterStorage.store_options``.

    Returns
    -------
    tuple
        The file system, and the path in it: ``bucket/prefix``.
    """
    scheme, bucket, key = split_uri(uri)
    options = dict(options)
    if scheme == "s3":
        for option, names in _FROZEN.items():
            value = next((os.environ[name] for name in names if os.environ.get(name)), None)
            if value:
                options.setdefault(option, value)
    return PyFileSystem(StoreHandler(f"{scheme}://{bucket}", options)), join(bucket, key)


class StoreHandler(FileSystemHandler):  # type: ignore[misc]
    """What pyarrow asks of a file system, answered by a store.

    Parameters
    ----------
    root : str
        A bucket: ``s3://name``. Paths begin with its name.
    options : mapping
        For the store; no secret, only the names of some.
    """

    def __init__(self, root: str, options: Mapping[str, Any]) -> None:
        self._root, self._options = root, dict(options)
        self._bucket = split_uri(root)[1]
        self._opened: Store | None = None

    def __reduce__(self) -> tuple[type[StoreHandler], tuple[str, dict[str, Any]]]:
        return type(self), (self._root, self._options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoreHandler):
            return NotImplemented
        return (self._root, self._options) == (other._root, other._options)

    def __hash__(self) -> int:
        return hash(self._root)

    def get_type_name(self) -> str:
        return f"jupyter-storage+{split_uri(self._root)[0]}"

    def normalize_path(self, path: str) -> str:
        return path

    # Looking

    def get_file_info(self, paths: list[str]) -> list[FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        try:
            with self._naming(selector.base_dir):
                return list(self._below(self._key(selector.base_dir), selector.recursive))
        except FileNotFoundError:
            if selector.allow_not_found:
                return []
            raise

    # Changing

    def create_dir(self, path: str, recursive: bool) -> None:
        with self._naming(path):
            self._store().make_directory(self._key(path))

    def delete_dir(self, path: str) -> None:
        with self._naming(path):
            self._store().delete_directory(self._key(path))

    def delete_dir_contents(self, path: str, missing_dir_ok: bool) -> None:
        key = self._key(path)
        if not key:
            raise ValueError("A whole bucket is not emptied")
        try:
            with self._naming(path):
                self._store().delete_directory(key)
        except FileNotFoundError:
            if not missing_dir_ok:
                raise
        with self._naming(path):
            self._store().make_directory(key)

    def delete_root_dir_contents(self) -> None:
        raise ValueError("A whole bucket is not emptied")

    def delete_file(self, path: str) -> None:
        with self._naming(path):
            self._store().delete(self._key(path))

    def move(self, src: str, dest: str) -> None:
        with self._naming(src):
            self._store().rename(self._key(src), self._key(dest), exclusive=False)

    def copy_file(self, src: str, dest: str) -> None:
        with self._naming(src):
            self._store().copy_from(self._store(), self._key(src), self._key(dest))

    # Bytes

    def open_input_stream(self, path: str) -> NativeFile:
        with self._naming(path):
            return PythonFile(_Reading(self._store(), self._key(path)), mode="r")

    def open_input_file(self, path: str) -> NativeFile:
        with self._naming(path):
            store, key = self._store(), self._key(path)
            store.stat(key)
            opened, root = store.filesystem()
            return PythonFile(opened.open(join(root.rstrip("/"), key), "rb"), mode="r")

    def open_output_stream(self, path: str, metadata: Mapping[str, str]) -> NativeFile:
        with self._naming(path):
            return PythonFile(_Writing(self._store(), self._key(path)), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[str, str]) -> NativeFile:
        raise NotImplementedError("Object storage cannot add to a file")

    def _store(self) -> Store:
        if self._opened is None:
            self._opened = RetryingStore(open_store(self._root, self._options))
        return self._opened

    def _key(self, path: str) -> str:
        bucket, _, key = path.strip("/").partition("/")
        if bucket != self._bucket:
            raise ValueError(f"'{path}' is not in '{self._root}'")
        return clean_key(key)

    def _path(self, key: str) -> str:
        return join(self._bucket, key)

    def _info(self, path: str) -> FileInfo:
        try:
            with self._naming(path):
                return self._described(self._store().stat(self._key(path)))
        except FileNotFoundError:
            return FileInfo(path, FileType.NotFound)

    def _below(self, key: str, recursive: bool) -> Iterator[FileInfo]:
        store = self._store()
        if not recursive:
            cursor: str | None = None
            while True:
                page = store.list(key, cursor=cursor)
                yield from map(self._described, page.entries)
                cursor = page.cursor
                if cursor is None:
                    return
        seen = {key}
        for entry in store.walk(key):
            # Who copies makes the directories that are listed, and no others.
            for directory in reversed(list(_between(parent(entry.path), seen))):
                yield FileInfo(self._path(directory), FileType.Directory)
            if entry.is_directory:
                if entry.path in seen:
                    continue
                seen.add(entry.path)
            yield self._described(entry)

    def _described(self, entry: Entry) -> FileInfo:
        path = self._path(entry.path)
        if entry.is_directory:
            return FileInfo(path, FileType.Directory)
        return FileInfo(path, FileType.File, size=entry.size, mtime=entry.modified)

    @contextmanager
    def _naming(self, path: str) -> Iterator[None]:
        """Raise what callers of a file system expect; anything else speaks for itself."""
        try:
            yield
        except NotFound as error:
            raise FileNotFoundError(2, error.message, path) from error
        except AlreadyExists as error:
            raise FileExistsError(17, error.message, path) from error
        except IsADirectory as error:
            raise IsADirectoryError(21, error.message, path) from error
        except NotADirectory as error:
            raise NotADirectoryError(20, error.message, path) from error


def _between(directory: str, seen: set[str]) -> Iterator[str]:
    while directory not in seen:
        seen.add(directory)
        yield directory
        directory = parent(directory)


class _Reading:
    """A stream of a store's as a file."""

    def __init__(self, store: Store, key: str) -> None:
        self._stack = ExitStack()
        self._pieces = self._stack.enter_context(store.open(key))
        self._rest = memoryview(b"")
        self.closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            rest, self._rest = self._rest, memoryview(b"")
            return b"".join([rest, *self._pieces])
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def close(self) -> None:
        self.closed = True
        self._stack.close()


class _Writing:
    """A writer of a store's as a file that appears when it is closed.

    It is none of Python's own files: those close themselves when they are forgotten, as after a
    copy that failed, and half a checkpoint would appear.
    """

    closed = True

    def __init__(self, store: Store, key: str) -> None:
        self._writer = store.create(key)
        self.closed = False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        self._writer.write(view)
        return view.nbytes

    def flush(self) -> None:
        return

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._writer.commit()

    def __del__(self) -> None:
        if not self.closed:
            self._writer.abort()
