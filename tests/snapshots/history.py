"""Snapshots written straight into a repository, and passing time."""

import os

from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.stores.local import LocalStore

DAY = 24 * 3600


def write_snapshot(repository, contents, *, tags=("workspace:w",), age=0):
    """A directory with these files, as a capture writes it."""
    repository.refresh()
    nodes = [
        {
            "name": f"file{number}",
            "type": "file",
            "mode": 0o644,
            "mtime": "2026-01-01T00:00:00Z",
            "size": len(content),
            "content": [repository.save_blob("data", content)] if content else [],
        }
        for number, content in enumerate(contents)
    ]
    tree = repository.save_tree(nodes)
    repository.flush()
    moment = now() - age * 10**9
    return repository.save_snapshot(Snapshot("", moment, tree, ("/project",), tags=tuple(tags)))


def read_snapshot(repository, snapshot):
    nodes = repository.load_tree(snapshot.tree)
    return [b"".join(repository.load_blob("data", c) for c in node["content"]) for node in nodes]


def marks_of(store, repository):
    return Marks(LocalStore(store.root.with_name("upkeep")), repository.id)


def pass_time(store, seconds=DAY):
    """Let the clock of the store go on, for what lies beside the repository."""
    for path in store.root.with_name("upkeep").glob("pass-*"):
        moment = path.stat().st_mtime - seconds
        os.utime(path, (moment, moment))


def prune(repository, store, marks=None):
    with repository.lock(exclusive=True) as hold:
        return repository.prune(marks or marks_of(store, repository), hold)


def packs(store):
    return {path.name for path in (store.root / "data").rglob("*") if path.is_file()}


def forget(repository, *identifiers):
    for identifier in identifiers:
        repository.delete_file("snapshots", identifier)
