"""Looks at the project directory and makes its tree: the whole of it, or only what changed.

Where marks say what changed, the nodes of everything else are taken over from the tree before, and
the result is the one that a look at everything gives. The way down to each mark is looked at,
too, for a directory changes with its entries.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path

from jupyter_storage.errors import Cancelled, from_os_error
from jupyter_storage.records import Failure
from jupyter_storage.snapshots.batches import Batches
from jupyter_storage.snapshots.contents import ContentReader, Unreadable
from jupyter_storage.snapshots.databases import SIDECARS
from jupyter_storage.snapshots.directories import Directory, HardLinked, Totals, with_companions
from jupyter_storage.snapshots.dirty import Dirty, Mark
from jupyter_storage.snapshots.entries import Entry, Named, Names, scan
from jupyter_storage.snapshots.ignore import Rules
from jupyter_storage.snapshots.nodes import (
    describe,
    describe_again,
    printable,
    same_but_read,
    same_file,
)
from jupyter_storage.snapshots.parents import Trees
from jupyter_storage.snapshots.recognition import Recognition, row_of
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.tree import Node, decode_node, node_name
from jupyter_storage.snapshots.small import LARGEST, Small

__all__ = ["HardLinked", "Progress", "Totals", "Walk"]

Progress = Callable[[int, int], None]
"""Called with the numbers of bytes and files that were read since the last call."""

_MOST_FAILURES = 1000
_MOST_LEAVING = 256  # directories that wait for their files to be read

_NAME = attrgetter("name")

# Of the entry itself, not of what a link leads to.
_HERE = {"follow_symlinks": False}


class Walk:
    """One walk through the project directory.

    Parameters
    ----------
    repository : Repository
    trees : Trees
        Of the same repository.
    project : Path
        Resolved.
    excluded : sequence of Path
        Left out.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    dirty : Dirty or None
        What changed since the tree before; None for a look at everything.
    totals : Totals
        Of the tree before, where only what changed is looked at.
    recognition : Recognition
        Saves a look at what did not change, where everything is looked at.
    """

    def __init__(
        self,
        repository: Repository,
        trees: Trees,
        project: Path,
        excluded: Sequence[Path],
        *,
        gitignore: bool,
        dirty: Dirty | None,
        totals: Totals,
        recognition: Recognition,
    ) -> None:
        self._repository, self._trees, self._project = repository, trees, project
        self._excluded = frozenset(str(path.resolve()) for path in excluded)
        self._rules = Rules.of_project(project, gitignore=gitignore, apart=self._excluded)
        self._dirty, self._recognition = dirty, recognition
        self.progress: Progress | None = None
        self.cancel: threading.Event | None = None
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, "chunks")
        self._reader = ContentReader(repository, self._pool, self._has_read)
        self._small = Batches[tuple[Directory, str]](repository, self._take)
        self._leaving: deque[Directory] = deque()
        self.failures: list[Failure] = []
        self.failed: list[Mark] = []
        self.totals = totals
        self.new = self.changed = 0

    def close(self) -> None:
        self._small.close()
        self._pool.shutdown(cancel_futures=True)

    @property
    def looked(self) -> int | None:
        """How many directories there are, if all were looked at."""
        return self.totals.directories if self._dirty is None else None

    def tree(self, before: Node | None) -> Node:
        """Save the project directory and return its node.

        Raises
        ------
        HardLinked
            If marks are not enough, and everything must be looked at.
        """
        path = str(self._project)
        status = self._project.lstat()
        root = describe_again(path, self._project.name, status, before)
        dirty = self._dirty if before and before.get("inode") == status.st_ino else None
        if self._is_same(path, "", root, before, self._rules) is not None:
            return root
        try:
            first = self._open(path, "", root, self._rules, before=before, dirty=dirty)
        except OSError as error:
            raise from_os_error(error, path) from error
        stack = [first]
        while stack:
            here = stack[-1]
            if not here.below:
                # Those below it are in the queue already, and get their trees before.
                self._leaving.append(stack.pop())
                self._leave_some(_MOST_LEAVING)
            elif (inside := self._descend(here, here.below.pop())) is not None:
                stack.append(inside)
        self._leave_some(0)
        return first.node

    # Directories

    def _descend(self, above: Directory, entry: Entry) -> Directory | None:
        before = above.before.get(entry.name)
        known = before if before is not None and before["type"] == "dir" else None
        dirty = above.dirty.below.get(entry.name) if above.dirty is not None else None
        try:
            status = entry.stat(follow_symlinks=False)
            node = describe_again(entry.path, entry.name, status, before)
            if known is None or known.get("inode") != status.st_ino:
                dirty = None
            key = f"{above.key}{entry.name}/"
            if above.rows is not None:
                above.rows.append(row_of(entry.name, status))
            if (held := self._is_same(entry.path, key, node, known, above.rules)) is not None:
                above.totals.add(held)
                above.gone.pop(entry.name, None)
                above.nodes.append(node)
                return None
            inside = self._open(entry.path, key, node, above.rules, before=known, dirty=dirty)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = from_os_error(error, above.key + entry.name).message
            self._fail(above, entry.name, message, deep=True)
            return None
        if known is not None:
            above.gone.pop(entry.name, None)
        inside.above = above
        return inside

    def _is_same(
        self, path: str, key: str, node: Node, before: Node | None, above: Rules
    ) -> Totals | None:
        """Take over the tree of a directory whose listing is the one that gave it."""
        if self._dirty is not None or before is None or not before.get("subtree"):
            return None
        if before.get("inode") != node["inode"]:
            return None
        held = self._recognition.same(path, key, before["subtree"], above)
        if held is not None:
            node["subtree"] = before["subtree"]
            self.totals.add(held)
        return held

    def _open(
        self,
        path: str,
        key: str,
        node: Node,
        rules: Rules,
        *,
        before: Node | None,
        dirty: Dirty | None,
    ) -> Directory:
        """Begin a directory: all that is in it, or what is marked."""
        whole = dirty is None or dirty.whole or before is None
        entries: list[Entry] = list(scan(path)) if whole else []
        names: set[str] | Names = {entry.name for entry in entries} if whole else Names(path)
        logs = not isinstance(names, set) or any(name.endswith(SIDECARS) for name in names)
        here = Directory(path, key, node, rules.enter(key, path, names), names, logs, None)
        if before is not None and before.get("subtree"):
            here.tree = before["subtree"]
        if dirty is not None and not whole:
            here.dirty = dirty
            spelled = self._trees.spelled(here.tree) if here.tree else {}
            wanted = set(with_companions(dirty.below, spelled, names))
            entries = [Named(path, name) for name in wanted]
            here.kept = [line for line in spelled.items() if line[0] not in wanted]
            here.before = {name: decode_node(spelled[name]) for name in wanted & spelled.keys()}
        elif here.tree:
            here.before = {node_name(child): child for child in self._trees.load(here.tree)}
        here.gone = dict(here.before)
        if whole:
            here.rows = [] if self._dirty is None and here.tree and not logs else None
        if before is None or self._dirty is None:
            self.totals.directories += 1
        self._look(here, entries)
        return here

    def _look(self, here: Directory, entries: list[Entry]) -> None:
        entries.sort(key=_NAME)
        if here.logs:
            # The files that a database keeps beside itself come after it.
            entries.sort(key=lambda entry: entry.name.endswith(SIDECARS))
        for entry in entries:
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled("The snapshot was cancelled")
            directory = entry.is_dir(follow_symlinks=False)
            if entry.path in self._excluded or here.rules.excludes(
                here.key + entry.name, directory=directory
            ):
                self._pass_over(here, entry)
                continue
            if directory:
                here.below.append(entry)
            else:
                self._file(here, entry)
        here.below.reverse()

    def _pass_over(self, here: Directory, entry: Entry) -> None:
        if here.rows is not None:
            try:
                here.rows.append(row_of(entry.name, entry.stat(follow_symlinks=False)))
            except OSError:
                here.rows = None

    def _leave_some(self, most: int) -> None:
        """Make the trees of directories whose files are all read, and keep ``most`` waiting."""
        while self._leaving:
            if not self._leaving[0].unread:
                self._leave(self._leaving.popleft())
            elif len(self._leaving) > most:
                self._small.step()
            else:
                return

    def _leave(self, here: Directory) -> None:
        for node, futures in here.waiting:
            node["content"] = [future.result() for future in futures]
        for node in here.gone.values():
            self._lose(node)
        if here.tree and here.is_unchanged and self._repository.has_blob("tree", here.tree):
            here.node["subtree"] = here.tree
            if self._dirty is None:
                self._recognition.learn(here, here.tree)
        else:
            here.node["subtree"] = self._trees.save(here.nodes, here.kept + here.lines)
        if here.above is not None:
            here.above.totals.add(here.totals)
            here.above.nodes.append(here.node)

    # Files

    def _file(self, here: Directory, entry: Entry) -> None:
        before = here.before.get(entry.name)
        try:
            if self._reader.is_covered(here.path, entry.name):
                return
            busy = here.logs and any(entry.name + suffix in here.names for suffix in SIDECARS)
            if before is None and self._dirty is None and not busy and entry.is_file(**_HERE):
                # Of a new file its reader tells all.
                self._read(here, entry.name)
                return
            status = entry.stat(follow_symlinks=False)
            if before and not busy and same_file(before, status) and self._holds(before):
                self._keep(here, entry.name, before)
                if here.rows is not None:
                    here.rows.append(row_of(entry.name, status))
                return
            self._refuse_links(before, status.st_nlink)
            if not stat.S_ISREG(status.st_mode):
                self._add(here, entry.name, describe(entry.path, entry.name, status))
            elif busy or status.st_size > LARGEST:
                self._read_apart(here, entry.name, busy=busy)
            else:
                self._read(here, entry.name)
        except FileNotFoundError:
            # Deleted since the scan: as if the scan had come a moment later.
            return
        except OSError as error:
            self._fail(here, entry.name, from_os_error(error, entry.name).message)

    def _read(self, here: Directory, name: str) -> None:
        here.unread += 1
        self._small.add((here, name), f"{here.path}/{name}", name)

    def _take(self, item: tuple[Directory, str], small: Small | None) -> None:
        """Take in what was read of a file."""
        here, name = item
        here.unread -= 1
        if small is None:
            self._read_apart(here, name)
            return
        self._refuse_links(None, small.links)
        here.lines.append((name, small.text))
        self._count(here, name, small.size)
        if self.progress:
            self.progress(small.size, 1)

    def _read_apart(self, here: Directory, name: str, *, busy: bool = False) -> None:
        """Read a file that takes some time, or some care."""
        try:
            node, futures = self._reader.read(here.path, name, here.names)
        except FileNotFoundError:
            return
        except Unreadable as error:
            self._fail(here, name, str(error), "Unstable")
        except OSError as error:
            self._fail(here, name, from_os_error(error, name).message)
        else:
            here.waiting.append((node, futures))
            before = here.before.get(name)
            if busy and before and same_but_read(before, node):
                node["atime"] = before["atime"]
            self._add(here, name, node)

    def _add(self, here: Directory, name: str, node: Node) -> None:
        here.nodes.append(node)
        self._count(here, name, node.get("size", 0))
        if self.progress:
            self.progress(0, 1)

    def _keep(self, here: Directory, name: str, before: Node) -> None:
        here.nodes.append(before)
        here.gone.pop(name, None)
        if self._dirty is None:
            self.totals.count(before)

    def _count(self, here: Directory, name: str, size: int) -> None:
        self.totals.files += 1
        self.totals.bytes += size
        before = here.before.get(name)
        if before is not None and before["type"] != "dir":
            self.changed += 1
            here.gone.pop(name, None)
            if self._dirty is not None:
                self.totals.count(before, -1)
        else:
            self.new += 1

    def _lose(self, node: Node) -> None:
        """Take away what is there no more, with all that was below it."""
        if self._dirty is None:
            return
        pending = [node]
        while pending:
            here = pending.pop()
            self.totals.count(here, -1)
            if here["type"] == "dir" and here.get("subtree"):
                pending += self._trees.load(here["subtree"])
            self._refuse_links(here, 1)

    def _refuse_links(self, before: Node | None, links: int) -> None:
        if self._dirty is None:
            return
        known = before["type"] != "dir" and before.get("links", 1) > 1 if before else False
        if known or links > 1:
            raise HardLinked

    def _holds(self, node: Node) -> bool:
        return all(self._repository.has_blob("data", blob) for blob in node.get("content") or ())

    def _fail(
        self,
        here: Directory,
        name: str,
        message: str,
        kind: str = "AccessDenied",
        *,
        deep: bool = False,
    ) -> None:
        here.rows = None
        before = here.before.get(name)
        if before is not None:
            self._keep(here, name, before)
            message += "; the snapshot keeps the version before"
        if len(self.failures) < _MOST_FAILURES:
            hint = "It is tried again by the next snapshot; or name it in .storageignore."
            self.failures.append(Failure(printable(here.key + name), kind, message, hint))
            self.failed.append((here.key + name, deep))
        else:
            self.failed = [("", True)]

    def _has_read(self, size: int) -> None:
        if self.progress:
            self.progress(size, 0)
