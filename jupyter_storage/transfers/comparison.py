"""What differs between two directories, told while both are listed."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.paths import is_below, join
from jupyter_storage.records import Entry, Failure
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.mount_table import mounted_in
from jupyter_storage.transfers.buffers import ahead, batches
from jupyter_storage.transfers.pairs import Pair, pairs
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import SKIPPED, Action, Step, is_newer
from jupyter_storage.transfers.streams import check_cancelled

if TYPE_CHECKING:
    from jupyter_storage.transfers.filters import Filter

__all__ = ["Comparison", "Surplus"]

_BATCHES = 4  # of entries that are listed ahead of their comparison


@dataclass(frozen=True, slots=True)
class Surplus:
    """Something at the target that the source does not have."""

    entry: Entry


class Comparison:
    """Goes through two directories once, side by side.

    Parameters
    ----------
    source, target : Place
        Directories; the target need not exist.
    chosen : Filter or None
        What it is about; anything else is left alone on both sides.
    checksum : bool
        Whether the times of files of one size say nothing, and their content has to.
    kept : sequence of str
        Names below the target that are none of a person's business.
    cancel : threading.Event

    Attributes
    ----------
    source, target : Place
    unchanged : int
        Files that are the same on both sides, so far.
    sources, targets : int
        Files on each side, so far.
    complete : bool
        Whether all of the source could be listed, so far.
    keeps_times : bool
        Whether a file at the target has the time of its source.
    """

    def __init__(
        self,
        source: Place,
        target: Place,
        *,
        chosen: Filter | None,
        checksum: bool,
        kept: Sequence[str] = (),
        cancel: threading.Event,
    ) -> None:
        self.source, self.target = source, target
        self._chosen, self._checksum, self._kept = chosen, checksum, kept
        self._cancel = cancel
        # A directory keeps the time that a file is given, so that another time is another file.
        # A bucket says when the file came: later than the source was modified, if it is the same.
        self.keeps_times = target.store.local_path("") is not None
        # What somebody has mounted at the target is no copy of anything in the source.
        self._mounted = _mounted_below(target)
        self._unlisted: list[StorageError] = []
        self.unchanged = self.sources = self.targets = 0
        self.complete = True

    def __iter__(self) -> Iterator[Step | Surplus | Failure]:
        source, target = self.source, self.target
        missing: Pair | None = None  # a directory of the source, of which nothing was seen yet
        try:
            with source.naming(), closing(self._here()) as here, closing(self._there()) as there:
                for pair in pairs(here, there, source.key, target.key):
                    yield from self._missed()
                    if not self._is_meant(pair):
                        continue
                    if missing is not None and pair.source is not None:
                        if not is_below(pair.name, missing.name):
                            yield self._step(missing, "directory")
                        missing = None
                    if _is_new_directory(pair):
                        missing = pair
                    else:
                        yield from self._decided(pair)
        except StorageError as error:
            check_cancelled(self._cancel)
            self.complete = False
            yield failure(error, source.path)
        if missing is not None:
            yield self._step(missing, "directory")
        yield from self._missed()

    def _decided(self, pair: Pair) -> Iterator[Step | Surplus | Failure]:
        source, target = pair.source, pair.target
        if source is None and any(is_below(pair.name, name) for name in self._mounted):
            return
        if target is not None and not target.is_directory:
            self.targets += 1
        if source is None:
            assert target is not None  # noqa: S101  a pair has one side at least
            yield Surplus(target)
            return
        if source.is_directory:
            return
        self.sources += 1
        if source.type == "symlink" and not self.target.store.keeps_links:
            yield Failure(
                self.source.label + source.path,
                SKIPPED,
                f"A symbolic link (to '{source.link}') cannot be kept in object storage",
                "Copy what it points to by its own path, if you need it there.",
            )
        elif target is None:
            yield self._step(pair, "link" if source.type == "symlink" else "copy")
        elif source.type == target.type == "symlink":
            if source.link != target.link:
                yield self._step(pair, "link")
            else:
                self.unchanged += 1
        elif source.type != target.type:
            yield self._step(pair, "link" if source.type == "symlink" else "copy")
        elif source.size != target.size:
            yield self._step(pair, "copy")
        elif self._checksum:
            yield self._step(pair, "compare")
        elif is_newer(source, target) or (self.keeps_times and is_newer(target, source)):
            yield self._step(pair, "copy")
        else:
            self.unchanged += 1

    def _step(self, pair: Pair, action: Action) -> Step:
        assert pair.source is not None  # noqa: S101  steps are made of sources
        key = join(self.target.key, pair.name)
        return Step(pair.source.path, key, pair.source, action, pair.target)

    def _is_meant(self, pair: Pair) -> bool:
        if any(is_below(pair.name, name) for name in self._kept):
            return False
        entry = pair.source or pair.target
        assert entry is not None  # noqa: S101
        return self._chosen is None or self._chosen.wants(pair.name, entry)

    def _missed(self) -> Iterator[Failure]:
        """Directories that could not be listed: nobody knows what the source has there."""
        while self._unlisted:
            self.complete = False
            missed = self._unlisted.pop(0)
            yield failure(missed.at(self.source.label + (missed.path or self.source.key)))

    def _here(self) -> Generator[Entry, None, None]:
        store, key = self.source.store, self.source.key
        if isinstance(store, LocalStore):
            yield from store.walk(key, on_error=self._unlisted.append)
        else:
            yield from self._early(store.walk(key))

    def _there(self) -> Generator[Entry, None, None]:
        """List the target, where there is one."""
        target = self.target
        entries = target.store.walk(target.key)
        if target.store.local_path("") is None:
            entries = self._early(entries)
        try:
            with target.naming():
                yield from entries
        except NotFound as error:
            if error.path not in {target.key, target.path}:
                raise

    def _early(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """List ahead in a thread, so that pages of both sides are asked for at the same time."""
        with ahead(batches(entries), depth=_BATCHES, cancel=self._cancel) as found:
            for batch in found:
                yield from batch
        check_cancelled(self._cancel)


def _is_new_directory(pair: Pair) -> bool:
    return pair.source is not None and pair.source.is_directory and pair.target is None


def _mounted_below(target: Place) -> list[str]:
    local = target.store.local_path(target.key)
    if local is None:
        return []
    real = Path(os.path.realpath(local))
    return [each.relative_to(real).as_posix() for each in mounted_in(real) if each != real]
