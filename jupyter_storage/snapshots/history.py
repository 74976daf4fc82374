"""Every version of the project directory, as something to look into."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from jupyter_storage.errors import (
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotFound,
    StorageError,
)
from jupyter_storage.paths import clean_key, join
from jupyter_storage.records import (
    CellRestored,
    Comparison,
    Entry,
    FileComparison,
    FileVersion,
    Page,
    SnapshotRecord,
)
from jupyter_storage.snapshots.comparison import compare
from jupyter_storage.snapshots.nodes import printable
from jupyter_storage.snapshots.notebooks import restore_cell
from jupyter_storage.snapshots.present import Content, Present
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.repository.names import raw
from jupyter_storage.snapshots.repository.tree import Node, node_name
from jupyter_storage.snapshots.texts import LARGEST, compare_contents
from jupyter_storage.snapshots.trees import Trees
from jupyter_storage.snapshots.versions import SHOWN, group_versions, to_entry

if TYPE_CHECKING:
    from jupyter_storage.snapshots.workspace import Workspace

__all__ = ["NEWEST_BEFORE", "History"]

NEWEST_BEFORE = "previous"
"""In place of a snapshot to compare with: its parent, else the one before it."""

_READERS = 8


class History:
    """Looks into the snapshots of a workspace. Safe to use from several threads.

    Snapshots are named as in :meth:`Workspace.find`, paths are relative to the project directory.
    A name that is not UTF-8 is shown, and asked for, with ``\ufffd`` for its strange bytes.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._trees: Trees | None = None
        self._present = Present(workspace.project, LARGEST)

    # One snapshot

    def stat(self, snapshot: str, path: str = "") -> Entry:
        """Describe a file or directory of a snapshot.

        Raises
        ------
        NotFound
            If there is no such snapshot, or nothing at this path in it.
        """
        _, node, key = self._look(snapshot, path)
        return to_entry(node, key)

    def list(
        self, snapshot: str, path: str = "", *, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        """List one page of a directory, directories first.

        Raises
        ------
        NotFound, NotADirectory
        """
        _, node, key = self._look(snapshot, path)
        if node["type"] != "dir":
            raise NotADirectory("It is a file, not a directory", path=printable(key))
        start = int(cursor) if cursor and cursor.isdecimal() else 0
        nodes = [each for each in self._opened().nodes(node) if each["type"] in SHOWN]
        nodes.sort(key=lambda each: (each["type"] != "dir", raw(node_name(each))))
        page = nodes[start : start + limit]
        entries = tuple(to_entry(each, join(key, node_name(each))) for each in page)
        return Page(entries, str(start + limit) if start + limit < len(nodes) else None)

    def open(
        self, snapshot: str, path: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Stream a file, or a range of it, blob by blob; each is checked against its name.

        Raises
        ------
        NotFound
        IsADirectory
            For whatever is no file.
        """
        _, node, key = self._look(snapshot, path)
        if node["type"] != "file":
            raise IsADirectory("It is no file", path=printable(key), hint="Name a file.")
        return self._pieces(node, offset, node.get("size", 0) if length is None else length)

    def compare(
        self, after: str, before: str = NEWEST_BEFORE, path: str = "", *, limit: int = 1000
    ) -> Comparison:
        """Say what differs between two snapshots, below a path.

        Parameters
        ----------
        after : str
            A snapshot.
        before : str
            The one that it is compared with: ``previous``, or any.
        path : str
            A file or directory.
        limit : int
            Most entries.

        Raises
        ------
        NotFound
            If there is no such snapshot, or nothing at this path in both.
        """
        key = clean_key(path)
        new = self._snapshot(after)
        old = self._before(new) if before == NEWEST_BEFORE else self._snapshot(before)
        trees = self._opened()
        nodes = [
            None if each is None else trees.descend(trees.project(each), key) for each in (old, new)
        ]
        if nodes == [None, None]:
            raise NotFound("Neither snapshot has it", path=path)
        names = (old.id if old else None, new.id)
        return compare(trees, nodes[0], nodes[1], names=names, path=key, limit=limit)

    # One file

    def versions(self, path: str) -> Sequence[FileVersion]:
        """List the versions of a file that snapshots have, newest first.

        The same content in one snapshot after another is one version. A file that had another
        content in between has two.

        Raises
        ------
        NotFound
            If no snapshot has the file.
        """
        key = clean_key(path)
        trees = self._opened()
        snapshots = self._snapshots()
        with ThreadPoolExecutor(_READERS, "versions") as pool:
            nodes = list(pool.map(lambda each: _file_in(trees, each, key), snapshots))
        pairs = [(each, node) for each, node in zip(snapshots, nodes, strict=True) if node]
        if not pairs:
            raise NotFound(
                "No snapshot has this file",
                path=path,
                hint="It may be ignored, or newer than the last snapshot.",
            )
        return group_versions(key, pairs, self._present.status(key))

    def compare_file(self, snapshot: str, path: str, against: str | None = None) -> FileComparison:
        """Say what differs between a file in a snapshot and a newer version of it.

        Parameters
        ----------
        snapshot : str
            Has the older version.
        path : str
        against : str, optional
            The snapshot with the newer one; the file as it is now unless told.
        """
        found, node, key = self._look(snapshot, path)
        old = self._read(node, key)
        if against is None:
            newer, new = None, self._present.read(key)
        else:
            newer = self._snapshot(against)
            other = _file_in(self._opened(), newer, key)
            new = None if other is None else self._read(other, key)
        names = (found.id, newer.id if newer else None)
        if old.data is None or (new is not None and new.data is None):
            size = None if new is None else new.size
            return FileComparison(printable(key), *names, "large", old.size, size)
        after = None if new is None else new.data
        return compare_contents(printable(key), old.data, after, names)

    def restore_cell(self, snapshot: str, path: str, cell: str) -> CellRestored:
        """Put one cell of a notebook's old version into the present notebook.

        A snapshot is taken first. Nothing but this cell changes.

        Parameters
        ----------
        snapshot : str
            Has the old version.
        path : str
            The notebook.
        cell : str
            ID of the cell in the old version, or its number from 1.

        Raises
        ------
        NotFound
            If the old version has no such cell, or there is no such notebook now.
        InvalidRequest
            If one of the two is no notebook.
        """
        found, node, key = self._look(snapshot, path)
        old = self._read(node, key).data
        self._notebook(key)
        saved = self._workspace.now()
        # Read again: the snapshot may have taken its time.
        now = self._notebook(key)
        try:
            text, number, replaced = restore_cell((old or b"").decode(), now.decode(), cell)
        except UnicodeDecodeError as error:
            raise InvalidRequest("It is not a notebook", path=printable(key)) from error
        except StorageError as error:
            raise error.at(printable(key)) from None
        self._present.write(key, text.encode())
        return CellRestored(printable(key), found.id, cell, number, replaced, saved.id)

    # Below

    def _opened(self) -> Trees:
        repository = self._workspace.repository()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        with self._lock:
            if self._trees is None or self._trees.repository is not repository:
                self._trees = Trees(repository)
            return self._trees

    def _snapshots(self) -> Sequence[Snapshot]:
        """All of this workspace, oldest first."""
        tag = f"workspace:{self._workspace.workspace}"
        return [each for each in self._opened().repository.snapshots() if tag in each.tags]

    def _snapshot(self, name: str) -> Snapshot:
        record: SnapshotRecord = self._workspace.find(name)
        repository = self._opened().repository
        return Snapshot.from_json(record.id, repository.load_unpacked("snapshots", record.id))

    def _before(self, snapshot: Snapshot) -> Snapshot | None:
        others = [each for each in self._snapshots() if each.id != snapshot.id]
        parent = next((each for each in others if each.id == snapshot.parent), None)
        earlier = [each for each in others if each.time < snapshot.time]
        return parent or (earlier[-1] if earlier else None)

    def _look(self, snapshot: str, path: str) -> tuple[Snapshot, Node, str]:
        key = clean_key(path)
        found = self._snapshot(snapshot)
        trees = self._opened()
        node = trees.descend(trees.project(found), key)
        if node is None or node["type"] not in SHOWN:
            raise NotFound(
                f"The snapshot {found.id[:8]} has no such file or directory",
                path=path,
                hint="'jupyter storage snapshot versions' shows where it is.",
            )
        return found, node, key

    def _pieces(self, node: Node, offset: int, length: int) -> Iterator[bytes]:
        trees = self._opened()
        repository = trees.repository
        for blob in node.get("content") or ():
            if length <= 0:
                return
            place = trees.current(partial(repository.locate, "data", blob))
            # What sealing adds to a blob that is not compressed is of a fixed size.
            size = place.uncompressed or place.length - 32
            if offset >= size:
                offset -= size
                continue
            plain = trees.current(partial(repository.load_blob, "data", blob))
            piece = plain[offset : offset + length]
            offset, length = 0, length - len(piece)
            yield piece

    def _read(self, node: Node, key: str) -> Content:
        if node["type"] != "file":
            raise InvalidRequest("It is no file", path=printable(key), hint="Name a file.")
        size = node.get("size", 0)
        if size > LARGEST:
            return Content(size, None)
        return Content(size, b"".join(self._pieces(node, 0, size)))

    def _notebook(self, key: str) -> bytes:
        now = self._present.read(key)
        if now is None:
            raise NotFound(
                "The notebook is not there any more",
                path=printable(key),
                hint="Restore the whole notebook.",
            )
        if now.data is None:
            raise InvalidRequest(
                f"The notebook is larger than {LARGEST // 2**20} MiB",
                path=printable(key),
                hint="Restore the whole version under another name, and copy the cell.",
            )
        return now.data


def _file_in(trees: Trees, snapshot: Snapshot, key: str) -> Node | None:
    try:
        node = trees.descend(trees.project(snapshot), key)
    except NotFound:
        # Forgotten and pruned since it was listed.
        return None
    return node if node is not None and node["type"] in {"file", "symlink"} else None
