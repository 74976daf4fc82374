"""What is known of a bucket's directories, so that not every file that is written asks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from jupyter_storage.paths import basename, parent

__all__ = ["Directories"]

LIFE = 10.0  # seconds for which a listing answers
KEPT = 64  # listings


class Directories:
    """Says whether a directory has a name, with one listing for all names next to it.

    No service refuses a file whose name is a directory's, so this is asked before each file is
    written: about the same few directories, many times in a second.

    Parameters
    ----------
    names_in : callable
        Lists the names of the directories in one; None if there are too many.
    is_directory : callable
        Asks the service about one.
    """

    def __init__(
        self,
        names_in: Callable[[str], set[str] | None],
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
        above = parent(key)
        names = self._listing(above)
        # It may have been deleted since.
        taken = (names is None or basename(key) in names) and self._is_directory(key)
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

    def _listing(self, directory: str) -> set[str] | None:
        with self._lock:
            listing = self._listings.get(directory)
            first = listing is None or time.monotonic() > listing.due
            if listing is None or first:
                # Many files of one directory are written at once: one asks, the others wait.
                listing = self._listings[directory] = _Listing(time.monotonic() + LIFE)
                self._listings.move_to_end(directory)
                if len(self._listings) > KEPT:
                    self._listings.popitem(last=False)
        if first:
            try:
                listing.names.set_result(self._names_in(directory))
            except BaseException as error:
                with self._lock:
                    self._listings.pop(directory, None)
                listing.names.set_exception(error)
        names = listing.names.result()
        return None if names is None else names | listing.added


class _Listing:
    """Names of the directories in one, or a promise of them, and what was added since."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.names: Future[set[str] | None] = Future()
        self.added: set[str] = set()
