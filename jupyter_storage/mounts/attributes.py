"""What is at a path of a mount: as fresh as a listing a moment ago."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from jupyter_storage.errors import NotFound
from jupyter_storage.paths import basename, clean_key, parent
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["Attributes"]

FRESH = 2.0  # seconds that a listing counts for looks, but never for opening
LOOK = 0.01  # seconds, for each of its files, that a listing counts for the first look at it
TWICE = 0.5  # seconds that such a look counts for the next one
LONGEST = 120.0  # seconds of that at most
MOST = 64  # listings that are remembered
MOST_ENTRIES = 1000
_NONE = Entry("", "", "directory")


class _Listing:
    """Looking at all of a large directory takes longer than a listing is fresh."""

    def __init__(self, names: dict[str, Entry], started: float) -> None:
        self._names = dict(names)
        now = time.monotonic()
        self._fresh = now + max(FRESH, now - started)
        self._until = max(self._fresh, now + min(LOOK * len(names), LONGEST))

    def look(self, name: str, now: float) -> Entry | None:
        if now < self._fresh:
            return self._names.get(name)
        # Who looks again wants to know what is there now.
        return self._names.pop(name, None) if now < self._until else None


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
        self._listings: OrderedDict[str, _Listing] = OrderedDict()
        self._entries: OrderedDict[str, tuple[float, Entry]] = OrderedDict()

    def look(self, key: str) -> Entry:
        """Describe what is there now, or was a moment ago."""
        if not key:
            return Entry("", "", "directory")
        now = time.monotonic()
        with self._lock:
            until, entry = self._entries.get(key, (0.0, _NONE))
            if now < until:
                return entry
            listing = self._listings.get(parent(key))
            if listing is not None and (known := listing.look(basename(key), now)) is not None:
                # The kernel looks twice for one look of a program.
                self._remember(key, known, now + TWICE)
                return known
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
        with self._lock:
            # Programs open a file and then look at it.
            self._remember(key, entry, time.monotonic() + FRESH)
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
        with self._lock:
            self._listings[key] = _Listing(names, started)
            self._listings.move_to_end(key)
            while len(self._listings) > MOST:
                self._listings.popitem(last=False)
        return names

    def _remember(self, key: str, entry: Entry, until: float) -> None:
        self._entries[key] = (until, entry)
        self._entries.move_to_end(key)
        while len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        """Something changed here through us."""
        with self._lock:
            self._listings.pop(parent(key), None)
            self._listings.pop(key, None)
            below = f"{key}/"
            for known in [each for each in self._entries if each == key or each.startswith(below)]:
                del self._entries[known]
