"""A store in memory that behaves as object storage does, with faults on request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from jupyter_storage.errors import AlreadyExists, IsADirectory, NotFound, Unreachable
from jupyter_storage.paths import basename, is_below
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.store import Store, Writer

PIECE = 64 * 1024


class MemoryStore(Store):
    """Objects in a dictionary; directories are prefixes, empty ones are markers (``a/``).

    ``fault(verb, key, offset)`` is called before every verb and every piece; it may raise.
    """

    def __init__(self, name: str = "memory") -> None:
        super().__init__(f"mem://{name}")
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.lock = threading.RLock()
        self.fault: Callable[[str, str, int], None] = lambda verb, key, offset: None
        self.calls: list[tuple[str, str]] = []
        self.open_writers = 0

    def _call(self, verb: str, key: str, offset: int = 0) -> None:
        self.calls.append((verb, key))
        self.fault(verb, key, offset)

    def _entry(self, key: str) -> Entry:
        data, modified = self.objects[key]
        checksum = f"md5:{hashlib.md5(data).hexdigest()}"
        return Entry(key, basename(key), "file", len(data), modified, checksum)

    def _is_directory(self, key: str) -> bool:
        return not key or any(name.startswith(key + "/") for name in self.objects)

    def stat(self, key):
        self._call("stat", key)
        with self.lock:
            if key in self.objects:
                return self._entry(key)
            if self._is_directory(key):
                return Entry(key, basename(key), "directory")
        raise NotFound("No such file or directory", path=key)

    def list(self, key="", *, cursor=None, limit=1000):
        self._call("list", key)
        prefix = f"{key}/" if key else ""
        with self.lock:
            if not self._is_directory(key):
                raise NotFound("No such file or directory", path=key)
            found: dict[str, Entry] = {}
            for name in self.objects:
                if name.startswith(prefix) and name != prefix:
                    first, slash, _ = name[len(prefix) :].partition("/")
                    child = prefix + first
                    found[child + slash] = (
                        Entry(child, first, "directory") if slash else self._entry(child)
                    )
        names = sorted(name for name in found if cursor is None or name > cursor)
        chosen = names[:limit]
        return Page(
            tuple(found[name] for name in chosen), chosen[-1] if len(names) > limit else None
        )

    def walk(self, key=""):
        self._call("walk", key)
        with self.lock:
            if not self._is_directory(key):
                raise NotFound("No such file or directory", path=key)
            names = sorted(self.objects)
        for name in names:
            if name.strip("/") != key and is_below(name.strip("/"), key):
                self._call("entry", name)
                if name.endswith("/"):
                    yield Entry(name[:-1], basename(name[:-1]), "directory")
                elif name in self.objects:
                    yield self._entry(name)

    def local_path(self, key):
        return None

    @contextmanager
    def open(self, key, *, offset=0, length=None) -> Iterator[Iterator[bytes]]:
        self._call("open", key)
        with self.lock:
            if key not in self.objects:
                raise NotFound("No such file", path=key)
            data = self.objects[key][0][offset:]
        data = data if length is None else data[:length]

        def pieces():
            for start in range(0, len(data), PIECE):
                self._call("read", key, start)
                yield data[start : start + PIECE]

        yield pieces()

    def create(self, key, *, exclusive=False, size=None, modified=None):
        self._call("create", key)
        with self.lock:
            if exclusive and key in self.objects:
                raise AlreadyExists("It exists already", path=key)
        return _MemoryWriter(self, key, exclusive, modified)

    def make_directory(self, key):
        self._call("make_directory", key)
        with self.lock:
            self.objects[key + "/"] = (b"", datetime.now(timezone.utc))

    def delete(self, key):
        self._call("delete", key)
        with self.lock:
            if key not in self.objects:
                kind = IsADirectory if self._is_directory(key) else NotFound
                raise kind("Not a file", path=key)
            del self.objects[key]

    def delete_directory(self, key, *, progress=None):
        self._call("delete_directory", key)
        files = 0
        with self.lock:
            for name in [name for name in self.objects if is_below(name.rstrip("/"), key)]:
                if name != key:
                    self._call("delete", name)
                    del self.objects[name]
                    files += 1
                    if progress:
                        progress(1)
        return files

    def rename(self, key, to, *, exclusive=True):
        self._call("rename", key)
        with self.lock:
            if exclusive and to in self.objects:
                raise AlreadyExists("It exists already", path=to)
            self.objects[to] = self.objects.pop(key)

    def filesystem(self):
        raise NotImplementedError

    def check(self):
        return None


class _MemoryWriter(Writer):
    def __init__(self, store, key, exclusive, modified) -> None:
        self.store, self.key, self.exclusive, self.modified = store, key, exclusive, modified
        self.data = bytearray()
        self.open = True
        store.open_writers += 1

    def write(self, data) -> None:
        self.store._call("write", self.key, len(self.data))
        self.data += data

    def commit(self) -> Entry:
        self.store._call("commit", self.key)
        with self.store.lock:
            if self.exclusive and self.key in self.store.objects:
                raise AlreadyExists("It exists already", path=self.key)
            modified = self.modified or datetime.now(timezone.utc)
            self.store.objects[self.key] = (bytes(self.data), modified)
            self._end()
            return self.store._entry(self.key)

    def abort(self) -> None:
        self._end()

    def _end(self) -> None:
        if self.open:
            self.open = False
            self.store.open_writers -= 1


def passing(verb: str, times: int = 1, *, key: str | None = None, offset: int = 0):
    """A fault that passes: the first ``times`` calls of a verb fail as a cut connection does."""
    left = [times]

    def fault(called: str, name: str, at: int) -> None:
        if called == verb and key in {None, name} and at >= offset and left[0]:
            left[0] -= 1
            raise Unreachable("The connection was cut", path=name)

    return fault
