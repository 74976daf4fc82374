"""Which version of a file the kernel has in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta, timezone

from jupyter_storage.records import Entry

__all__ = ["KeptVersions"]

MOST = 10_000  # files
# A change within the same tick of the service's clock looks like no change. It is no clock of ours.
SETTLED = timedelta(minutes=2)


class KeptVersions:
    """Remembers what was opened last under each name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: OrderedDict[str, Entry] = OrderedDict()

    def is_same(self, entry: Entry) -> bool:
        """Whether a file is the same as when it was opened last; this is an opening, too."""
        with self._lock:
            before = self._versions.pop(entry.path, None)
            self._versions[entry.path] = entry
            while len(self._versions) > MOST:
                self._versions.popitem(last=False)
        return before == entry and _can_tell(entry)

    def forget(self, key: str) -> None:
        """A file was opened to be changed."""
        with self._lock:
            self._versions.pop(key, None)


def _can_tell(entry: Entry) -> bool:
    if entry.checksum is not None:
        return True
    modified = entry.modified
    return modified is not None and datetime.now(timezone.utc) - modified > SETTLED
