"""What is known of a bucket's directories, so that not every file that is written asks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from jupyter_storage.paths import basename, parent

__all__ = ["Directories", "Names"]

LIFE = 10.0  # seconds for which a listing answers
KEPT = 64  # listings


class Names(NamedTuple):
    """Names of the directories in one, as far as one page of its listing goes.

    Attributes
    ----------
    names : set of str
    last : str or None
        Where the page ends, a directory's name with a slash; None if nothing comes after it.
    """

    names: set[str]
    last: str | None


class Directories:
    """Says whether a directory has a name, with one listing for all names next to it.

    No service refuses a file whose name is a directory's, so this is asked before each file is
    written: about the same few directories, many times in a second. Of a directory that is larger
    than a page, one is asked for that begins at the name: files are mostly written in their order.

    Parameters
    ----------
    names_in : callable
        Lists the names of directories in one, from a name on.
    is_directory : callable
        Asks the service about one.
    """

    def __init__(
        self,
        names_in: Callable[[str, str], Names],
        is_directory: Callable[[str], bool],
    ) -> None:
        self._names_in, self._is_directory = names_in, is_directory
        self._lock = threading.Lock()
        self._listings: OrderedDict[str, _Listing] = OrderedDict()

    def has(self, key: str) -> bool:
        """Whether a directory has this name; a file is about to be written under it.

        Raises
        ------
        StorageError
            If the service cannot be asked.
        """
        above, name = parent(key), basename(key)
        listing = self._listing(above, name)
        # It may have been deleted since.
        taken = listing.may_have(name) and self._is_directory(key)
        if not taken:
            self.add(above)
        return taken

    def add(self, directory: str) -> None:
        """Remember that a directory, and those above it, exist."""
        with self._lock:
            while directory:
                listing = self._listings.get(parent(directory))
                if listing is not None:
                    listing.added.add(basename(directory))
                directory = parent(directory)

    def _listing(self, directory: str, name: str) -> _Listing:
        """Give a page that a directory of this name would be on, or one that begins at it."""
        while True:
            with self._lock:
                listing = self._listings.get(directory)
                known = listing is not None and time.monotonic() <= listing.due
                first = listing is None or not known or not listing.reaches(name)
                if listing is None or first:
                    # Many files of one directory are written at once: one asks, the others wait.
                    start = name if listing is not None and listing.is_long else ""
                    listing = self._listings[directory] = _Listing(start, time.monotonic() + LIFE)
                    self._listings.move_to_end(directory)
                    if len(self._listings) > KEPT:
                        self._listings.popitem(last=False)
            if first:
                self._ask(directory, listing)
            listing.found.result()
            if listing.reaches(name) or listing.start == name:
                return listing

    def _ask(self, directory: str, listing: _Listing) -> None:
        try:
            listing.found.set_result(self._names_in(directory, listing.start))
        except BaseException as error:
            with self._lock:
                self._listings.pop(directory, None)
            listing.found.set_exception(error)


class _Listing:
    """A page, or a promise of it, and what was added since."""

    def __init__(self, start: str, due: float) -> None:
        self.start, self.due = start, due
        self.found: Future[Names] = Future()
        self.added: set[str] = set()

    @property
    def is_long(self) -> bool:
        """Whether there was more than this page, before it or after it."""
        return bool(self.start) or (self.found.done() and self.found.result().last is not None)

    def reaches(self, name: str) -> bool:
        """Whether a directory of this name would be on the page."""
        if name < self.start:
            return False
        last = self.found.result().last if self.found.done() else None
        return last is None or f"{name}/" <= last

    def may_have(self, name: str) -> bool:
        """Whether a directory of this name was there, or nobody knows."""
        return name in self.found.result().names or name in self.added or not self.reaches(name)
