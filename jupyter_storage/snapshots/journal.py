"""Which paths changed and are not in a snapshot yet; survives the process.

Each change is noted with the number of the generation in which it was seen. A capture takes all
generations so far and begins a new one: what changes while it reads belongs to the next capture,
and only what it took is cleared when it succeeds. The journal holds paths that wait, not all files.

It is a hint as events are: after a crash the first capture looks at everything, and until then the
journal says what waits.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.snapshots.dirty import Mark

__all__ = ["Batch", "Journal", "Waiting"]

# Beyond that a look at everything is cheaper than a list, and memory stays small.
_MOST_PATHS = 20_000

_SCHEMA = """
pragma locking_mode = exclusive;
pragma journal_mode = wal;
pragma synchronous = off;
create table if not exists dirty (
    path blob, generation integer, deep integer, since real, failed integer,
    primary key (path, generation)
) without rowid;
"""


@dataclass(frozen=True)
class Batch:
    """What one capture takes.

    Attributes
    ----------
    generation : int
        The last one that it holds.
    marks : sequence of Mark or None
        None where everything is to be looked at.
    """

    generation: int
    marks: Sequence[Mark] | None


@dataclass(frozen=True)
class Waiting:
    """What waits; what could not be read is not counted, for it is listed as a failure.

    Attributes
    ----------
    paths : int
    since : float or None
        When the oldest change was seen, in seconds since 1970.
    some : sequence of str
        The oldest of the paths; the empty one stands for everything.
    """

    paths: int
    since: float | None
    some: Sequence[str]


class Journal:
    """Paths that wait for a capture. All methods may be called from several threads.

    Parameters
    ----------
    path : Path
        The file, which is made where it is missing. One that cannot be used, because it is
        broken or another process has it, is not needed: then the journal is in memory.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, bool] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = _open(str(path))
        except sqlite3.OperationalError:
            # Locked, or a disk that is full or read-only.
            self._database = _open(":memory:")
        except (OSError, sqlite3.DatabaseError):
            for file in path.parent.glob(f"{path.name}*"):
                with suppress(OSError):
                    file.unlink()
            self._database = _open(":memory:")
        newest = self._database.execute("select max(generation) from dirty").fetchone()[0]
        self._generation = (newest or 0) + 1

    def mark(self, key: str, *, deep: bool = False) -> None:
        """Note that a path changed; ``deep`` if anything below it may have changed, too."""
        with self._lock:
            if self._seen.get(""):
                return
            known = self._seen.get(key)
            if known is not None and (known or not deep):
                return
            if len(self._seen) >= _MOST_PATHS:
                key, deep = "", True
            self._seen[key] = deep
            self._note(key, deep, time.time(), failed=False)
            if key == "" and deep:
                # The one entry stands for all.
                self._seen = {"": True}

    def mark_all(self) -> None:
        """Note that anything may have changed."""
        self.mark("", deep=True)

    def take(self) -> Batch:
        """Take all that waits, and begin a new generation."""
        with self._lock:
            generation = self._generation
            self._generation += 1
            self._seen.clear()
            try:
                rows = self._database.execute(
                    "select path, max(deep) from dirty group by path"
                ).fetchall()
            except sqlite3.Error:
                self._degrade()
                return Batch(generation, None)
        marks = [(os.fsdecode(path), bool(deep)) for path, deep in rows]
        return Batch(generation, None if ("", True) in marks else marks)

    def done(self, batch: Batch, failed: Sequence[Mark]) -> None:
        """Clear what a batch held, but for what could not be read."""
        with self._lock:
            try:
                with self._database:
                    self._database.execute(
                        "delete from dirty where generation <= ?", (batch.generation,)
                    )
                now = time.time()
                for key, deep in failed:
                    self._note(key, deep, now, failed=True, generation=batch.generation)
            except sqlite3.Error:
                self._degrade()

    def waiting(self, most: int = 1) -> Waiting:
        """Say what waits, naming at most so many paths."""
        with self._lock:
            try:
                count, since = self._database.execute(
                    "select count(distinct path), min(since) from dirty where not failed"
                ).fetchone()
                rows = self._database.execute(
                    "select path from dirty where not failed group by path order by min(since)"
                    " limit ?",
                    (most,),
                ).fetchall()
            except sqlite3.Error:
                self._degrade()
                return Waiting(1, time.time(), [""])
        return Waiting(count, since, [os.fsdecode(path) for (path,) in rows])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def _note(
        self, key: str, deep: bool, since: float, *, failed: bool, generation: int | None = None
    ) -> None:
        row = (
            os.fsencode(key),
            self._generation if generation is None else generation,
            deep,
            since,
            failed,
        )
        try:
            with self._database:
                self._database.execute(
                    "insert into dirty values (?, ?, ?, ?, ?) on conflict do update set"
                    " deep = max(deep, excluded.deep), failed = min(failed, excluded.failed)",
                    row,
                )
        except sqlite3.Error:
            self._degrade()

    def _degrade(self) -> None:
        """Go on in memory, with all that may be lost by that."""
        with suppress(sqlite3.Error):
            self._database.close()
        self._database = _open(":memory:")
        self._seen = {"": True}
        with self._database:
            self._database.execute(
                "insert into dirty values (x'', ?, 1, ?, 0)", (self._generation, time.time())
            )


def _open(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0.2, check_same_thread=False)
    try:
        database.executescript(_SCHEMA)
        database.execute("select * from dirty limit 1").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database
