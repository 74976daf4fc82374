"""Counting one tier: how much, whose, and what is largest and oldest, in bounded memory."""

from __future__ import annotations

import heapq
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from jupyter_storage.errors import StorageError, os_errors
from jupyter_storage.paths import is_temporary
from jupyter_storage.records import Entry, UsageReport
from jupyter_storage.redact import redact
from jupyter_storage.transfers.places import Place

__all__ = ["LISTED", "Survey"]

LISTED = 100  # largest and oldest files
_Found = tuple[Entry, int | None]  # a file, and whose it is


class Survey:
    """One count, which others may look at while it goes on.

    Parameters
    ----------
    root : Place
        The tier.
    """

    def __init__(self, root: Place) -> None:
        self._root = root
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._report = UsageReport(
            root.label.removesuffix(":"), "counting", taken=datetime.now(timezone.utc)
        )
        self._largest: list[tuple[float, str, Entry]] = []
        self._oldest: list[tuple[float, str, Entry]] = []

    def run(self, trash_bytes: int) -> UsageReport:
        """Count to the end, or until somebody cancels.

        Parameters
        ----------
        trash_bytes : int
            What the trash holds, which the count does not see.
        """
        own = os.getuid() if self._root.store.local_path("") is not None else None
        files = size = own_files = own_bytes = 0
        state, error = "done", None
        try:
            with self._root.naming():
                for entry, owner in self._files():
                    if self._cancel.is_set():
                        state = "cancelled"
                        break
                    files, size = files + 1, size + (entry.size or 0)
                    if owner is not None and owner == own:
                        own_files, own_bytes = own_files + 1, own_bytes + (entry.size or 0)
                    self._keep(entry)
                    if files % 1000 == 0:
                        self._tell(files, size, own_files, own_bytes, own)
        except StorageError as problem:
            state, error = "failed", redact(f"{problem}. {problem.hint}".strip())
        self._tell(files, size, own_files, own_bytes, own)
        with self._lock:
            self._report = replace(
                self._report,
                state=state,  # type: ignore[arg-type]
                error=error,
                trash_bytes=trash_bytes,
            )
        return self.report()

    def cancel(self) -> None:
        """Ask it to stop; what was counted stays."""
        self._cancel.set()

    def report(self) -> UsageReport:
        """Say how far it is."""
        with self._lock:
            return replace(
                self._report,
                largest=tuple(self._labelled(each) for each in sorted(self._largest, reverse=True)),
                oldest=tuple(self._labelled(each) for each in sorted(self._oldest, reverse=True)),
            )

    def _tell(self, files: int, size: int, own_files: int, own_bytes: int, own: int | None) -> None:
        with self._lock:
            self._report = replace(
                self._report,
                files=files,
                bytes=size,
                own_files=None if own is None else own_files,
                own_bytes=None if own is None else own_bytes,
            )

    def _keep(self, entry: Entry) -> None:
        with self._lock:
            _push(self._largest, (entry.size or 0, entry.path, entry))
            if entry.modified is not None:
                _push(self._oldest, (-entry.modified.timestamp(), entry.path, entry))

    def _labelled(self, found: tuple[float, str, Entry]) -> Entry:
        return replace(found[2], path=self._root.label + found[1])

    def _files(self) -> Iterator[_Found]:
        local = self._root.store.local_path("")
        if local is not None:
            yield from _files_below(local)
            return
        for entry in self._root.store.walk():
            if not entry.is_directory:
                yield entry, None


def _push(heap: list[tuple[float, str, Entry]], item: tuple[float, str, Entry]) -> None:
    # Paths differ, so entries are never compared.
    if len(heap) < LISTED:
        heapq.heappush(heap, item)
    elif item > heap[0]:
        heapq.heapreplace(heap, item)


def _files_below(root: Path) -> Iterator[_Found]:
    """Yield the files of a directory with their owners; what cannot be read is passed over."""
    pending = [""]
    while pending:
        above = pending.pop()
        try:
            with os_errors(above), os.scandir(root / above) as scan:
                children = list(scan)
        except StorageError:
            if not above and root.exists():
                raise
            continue
        for child in children:
            if is_temporary(child.name):
                continue
            try:
                status = child.stat(follow_symlinks=False)
            except OSError:
                continue
            key = f"{above}/{child.name}" if above else child.name
            if stat.S_ISDIR(status.st_mode):
                pending.append(key)
            elif stat.S_ISREG(status.st_mode):
                modified = datetime.fromtimestamp(status.st_mtime, timezone.utc)
                yield Entry(key, child.name, "file", status.st_size, modified), status.st_uid
