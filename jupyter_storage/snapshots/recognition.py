"""Directories that hold what they held, known again by their listing.

A look at everything compares each file with its node, which costs ten times what the system needs
to list it. So for the tree of a directory it is noted which listing gave it: names, inodes, sizes,
times, owners and permissions, and the rules of what is left out. Where the listing is the same,
the tree is. What is noted was compared with the nodes before, file by file; it is a shortcut and
may be lost.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jupyter_storage.snapshots.directories import Directory, Row, Totals
from jupyter_storage.snapshots.entries import scan
from jupyter_storage.snapshots.ignore import Rules
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.tree import node_name

__all__ = ["Recognition", "row_of"]

_SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = off;
create table if not exists directories (listing blob primary key, tree blob, known blob)
    without rowid;
create table if not exists indexes (name blob primary key) without rowid;
"""
# Rows of listings that are no more may be so many times those that are.
_SLACK, _LEAST = 2, 1000


class _Known(NamedTuple):
    """What is noted of a tree: how much it holds, and the trees of the directories in it."""

    files: int
    size: int
    directories: int
    below: tuple[tuple[str, bytes], ...]


class Recognition:
    """Knows directories of one repository again.

    Parameters
    ----------
    repository : Repository
    path : Path, optional
        A file to remember them in; it is made where it is missing. Else in memory.
    """

    def __init__(self, repository: Repository, path: Path | None = None) -> None:
        self._repository = repository
        self._database = _open(path)
        self._seen: dict[str, Totals | None] = {}

    def begin(self, *, lost: bool) -> None:
        """Begin a walk; ``lost`` if blobs may have gone from the repository."""
        self._seen = {}
        with suppress(sqlite3.Error):
            noted = {name for (name,) in self._database.execute("select name from indexes")}
            there = {bytes.fromhex(name) for name in self._repository.index_files}
            if lost or not noted <= there:
                self._forget()

    def same(self, path: str, key: str, tree: str, above: Rules) -> Totals | None:
        """Say how much a directory holds, if it still has this tree; else None.

        Parameters
        ----------
        path : str
            Where it is.
        key : str
            Its path below the project directory, with a trailing slash.
        tree : str
            Its tree in the snapshot before.
        above : Rules
            Of the directory above.
        """
        if key not in self._seen:
            self._look(path, key, tree, above)
        return self._seen[key]

    def _look(self, path: str, key: str, tree: str, above: Rules) -> None:
        """Look at a directory and all that were below it; each is listed once."""
        pending = [(path, key, bytes.fromhex(tree), above)]
        while pending:
            path, key, identifier, rules = pending.pop()
            with suppress(OSError, sqlite3.Error):
                entries = scan(path)
                rules = rules.enter(key, path, {entry.name for entry in entries})
                rows = [row_of(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
                known = self._find(identifier, _digest(key, rules, rows))
                if known is not None:
                    self._seen[key] = Totals(*known[:3])
                    pending += [
                        (f"{path}/{name}", f"{key}{name}/", below, rules)
                        for name, below in known.below
                    ]
                    continue
            # Nor is any directory above it what it was.
            parts = key.split("/")[:-1]
            for depth in range(len(parts) + 1):
                self._seen["".join(f"{part}/" for part in parts[:depth])] = None

    def _find(self, tree: bytes, listing: bytes) -> _Known | None:
        row = self._database.execute(
            "select known from directories where listing = ? and tree = ?", (listing, tree)
        ).fetchone()
        if row is None or not self._repository.has_blob("tree", tree):
            return None
        # Written by ourselves, below.
        return _Known(*marshal.loads(row[0]))  # noqa: S302

    def learn(self, here: Directory, tree: str) -> None:
        """Note what listing gave a tree, where all files were compared with their nodes."""
        below = []
        here.totals.directories += 1
        for node in here.nodes:
            if node["type"] == "dir":
                below.append((node_name(node), bytes.fromhex(node["subtree"])))
            else:
                here.totals.count(node)
        if here.rows is None:
            return
        totals = here.totals
        known = _Known(totals.files, totals.bytes, totals.directories, tuple(below))
        listing = _digest(here.key, here.rules, here.rows)
        values = (listing, bytes.fromhex(tree), marshal.dumps(tuple(known)))
        with suppress(sqlite3.Error):
            self._database.execute("insert or replace into directories values (?, ?, ?)", values)

    def end(self, directories: int | None) -> None:
        """Keep what was learned.

        Parameters
        ----------
        directories : int or None
            How many there are, where all were looked at.
        """
        self._seen = {}
        with suppress(sqlite3.Error):
            count = self._database.execute("select count(*) from directories").fetchone()[0]
            if directories is not None and count > _SLACK * directories + _LEAST:
                self._database.execute("delete from directories")
            self._note(self._repository.index_files)
            self._database.commit()

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    def _note(self, indexes: Collection[str]) -> None:
        self._database.execute("delete from indexes")
        rows = [(bytes.fromhex(name),) for name in indexes]
        self._database.executemany("insert into indexes values (?)", rows)

    def _forget(self) -> None:
        self._database.execute("delete from directories")


def row_of(name: str, status: os.stat_result) -> Row:
    """What counts about an entry; see :func:`~jupyter_storage.snapshots.nodes.same_file`."""
    return (
        name,
        status.st_ino,
        status.st_size,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _digest(key: str, rules: Rules, rows: Iterable[Row]) -> bytes:
    # Version 2 of the format: later ones depend on who else holds a value.
    content = marshal.dumps((key, rules.digest, sorted(rows)), 2)
    return hashlib.blake2b(content, digest_size=16).digest()


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        with suppress(OSError, sqlite3.OperationalError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                return _connect(str(path))
            except sqlite3.OperationalError:
                # Locked, or a disk that is full or read-only.
                raise
            except sqlite3.DatabaseError:
                for file in path.parent.glob(f"{path.name}*"):
                    file.unlink()
                return _connect(str(path))
    return _connect(":memory:")


def _connect(where: str) -> sqlite3.Connection:
    database = sqlite3.connect(where, timeout=0.2, check_same_thread=False)
    try:
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database
