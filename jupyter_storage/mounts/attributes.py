"""What is at a path of a mount: as fresh as a listing a moment ago."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from jupyter_storage.errors import NotFound
from jupyter_storage.paths import basename, clean_key, join, parent
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["Attributes"]

FRESH = 2.0  # seconds that a listing counts for looks, but never for opening
MOST = 64  # listings that are remembered


class Attributes:
    """Looks at entries, and remembers the last listings for the looks that follow them.

    ``ls -l`` lists a directory and then looks at each file: it would be a request a file.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._listings: OrderedDict[str, tuple[float, dict[str, Entry]]] = OrderedDict()
        self._directories: dict[str, float] = {}

    def look(self, key: str) -> Entry:
        """Describe what is there now, or was a moment ago."""
        if not key:
            return Entry("", "", "directory")
        now = time.monotonic()
        with self._lock:
            until, names = self._listings.get(parent(key), (0.0, {}))
            if now < until and basename(key) in names:
                return names[basename(key)]
            if now < self._directories.get(key, 0.0):
                return Entry(key, basename(key), "directory")
        return self.look_now(key)

    def look_now(self, key: str) -> Entry:
        """Describe what is there now.

        Raises
        ------
        NotFound
        """
        if clean_key(key) != key:
            raise NotFound("No such file or directory", path=key)
        entry = self._store.stat(key)
        if entry.is_directory:
            with self._lock:
                if len(self._directories) > 10_000:
                    self._directories.clear()
                self._directories[key] = time.monotonic() + FRESH
        return entry

    def list(self, key: str) -> dict[str, Entry]:
        """List a directory, by names."""
        started = time.monotonic()
        names: dict[str, Entry] = {}
        cursor = None
        while True:
            page = self._store.list(key, cursor=cursor)
            for entry in page.entries:
                # A name can be a file's and a directory's at once: a path leads to the directory.
                if entry.name not in names or entry.is_directory:
                    names[entry.name] = entry
            cursor = page.cursor
            if cursor is None:
                break
        # Looking at all of a large directory takes about as long as listing it.
        until = time.monotonic() + max(FRESH, time.monotonic() - started)
        with self._lock:
            self._listings[key] = (until, names)
            self._listings.move_to_end(key)
            while len(self._listings) > MOST:
                self._listings.popitem(last=False)
        return names

    def forget(self, key: str) -> None:
        """Something changed here through us."""
        with self._lock:
            self._listings.pop(parent(key), None)
            for known in [each for each in self._listings if each == key]:
                del self._listings[known]
            self._directories.pop(key, None)
            for known in [each for each in self._directories if each.startswith(join(key, "/"))]:
                del self._directories[known]
