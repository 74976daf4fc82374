"""What is known of a bucket's directories, so that not every file that is written asks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

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
        self._listings: OrderedDict[str, tuple[float, set[str] | None]] = OrderedDict()

    def has(self, key: str) -> bool:
        """Whether a directory has this name; a file is about to be written under it.

        Raises
        ------
        StorageError
            If the service cannot be asked.
        """
        above = parent(key)
        with self._lock:
            due, names = self._listings.get(above, (0.0, None))
        if time.monotonic() > due:
            names = self._names_in(above)
            with self._lock:
                self._listings[above] = (time.monotonic() + LIFE, names)
                self._listings.move_to_end(above)
                if len(self._listings) > KEPT:
                    self._listings.popitem(last=False)
        # It may have been deleted since.
        taken = (names is None or basename(key) in names) and self._is_directory(key)
        if not taken:
            self.add(above)
        return taken

    def add(self, directory: str) -> None:
        """Remember that a directory, and those above it, exist."""
        with self._lock:
            while directory:
                _, names = self._listings.get(parent(directory), (0.0, None))
                if names is not None:
                    names.add(basename(directory))
                directory = parent(directory)
