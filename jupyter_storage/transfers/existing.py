"""What is at the targets already, asked for with few requests."""

from __future__ import annotations

from collections import OrderedDict

from jupyter_storage.errors import NotADirectory, NotFound
from jupyter_storage.paths import basename, is_below, parent
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store

__all__ = ["Existing"]

_LISTED = 10_000  # entries of one directory that are kept at most
_DIRECTORIES = 16  # directories that are kept


class Existing:
    """Answers for one key after another what a store holds there.

    A request a key is slow where each takes milliseconds. Transfers go through a directory after
    the other, so one listing answers for all of a directory's files; very large directories are
    asked key by key, so that memory stays bounded. Directories on this machine too, where they are
    there: a look costs microseconds.

    Parameters
    ----------
    store : Store
    base : str
        Where the transfer lands. If it does not exist, nothing below it does.
    """

    def __init__(self, store: Store, base: str) -> None:
        self._store, self._base = store, base
        self._local = store.local_path("") is not None
        self._listings: OrderedDict[str, dict[str, Entry] | None] = OrderedDict()
        self._base_entry = self._stat(base)
        self._nothing = self._base_entry is None

    def __call__(self, key: str) -> Entry | None:
        """Give what is there now, or was there at the beginning; None for nothing."""
        if key == self._base:
            return self._base_entry
        if self._nothing and is_below(key, self._base):
            return None
        directory = parent(key)
        listing = self._listing(directory)
        return self._stat(key) if listing is None else listing.get(basename(key))

    def _listing(self, directory: str) -> dict[str, Entry] | None:
        if directory in self._listings:
            self._listings.move_to_end(directory)
            return self._listings[directory]
        listing: dict[str, Entry] | None = {}
        cursor = None
        if self._local and self._stat(directory) is not None:
            listing = None
        while listing is not None:
            try:
                page = self._store.list(directory, cursor=cursor)
            except (NotFound, NotADirectory):
                break
            # A name can be a file's and a directory's at once: the directory is in the way.
            for entry in page.entries:
                if entry.name not in listing or entry.is_directory:
                    listing[entry.name] = entry
            cursor = page.cursor
            if cursor is None:
                break
            if len(listing) > _LISTED:
                listing = None
        self._listings[directory] = listing
        if len(self._listings) > _DIRECTORIES:
            self._listings.popitem(last=False)
        return listing

    def _stat(self, key: str) -> Entry | None:
        try:
            return self._store.stat(key)
        except (NotFound, NotADirectory):
            return None
