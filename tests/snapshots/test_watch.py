"""The watcher on a real directory."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest

from jupyter_storage.snapshots import watch
from jupyter_storage.snapshots.watch import Watcher


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = (tmp_path / "project").resolve()
    project.mkdir()
    return project


@pytest.fixture
def seen(project):
    changes: queue.Queue[str] = queue.Queue()
    (project / "excluded").mkdir()
    (project / ".storageignore").write_text("ignored/\n*.tmp\n")
    (project / "ignored").mkdir()
    watcher = Watcher(project, excluded=[project / "excluded"], gitignore=True, changed=changes.put)
    assert watcher.start()
    yield changes
    watcher.stop()


def until(changes: queue.Queue[str], wanted: str) -> set[str]:
    """All that was told before a path was."""
    found: set[str] = set()
    deadline = time.monotonic() + 10
    while wanted not in found:
        found.add(changes.get(timeout=max(0.01, deadline - time.monotonic())))
    return found


def test_writing_renaming_and_deleting_are_told(project, seen):
    (project / "a").write_text("1")
    until(seen, "a")
    (project / "a").rename(project / "b")
    until(seen, "b")
    (project / "b").unlink()
    until(seen, "b")


def test_files_in_new_directories_are_told(project, seen):
    (project / "one/two").mkdir(parents=True)
    until(seen, "one")
    (project / "one/two/three").write_text("x")
    until(seen, "one/two/three")


def test_what_snapshots_leave_out_is_not_told(project, seen):
    (project / "excluded/x").write_text("x")
    (project / "ignored/x").write_text("x")
    (project / "x.tmp").write_text("x")
    (project / ".~jupyter_storage-1").write_text("x")
    (project / "last").write_text("x")
    assert until(seen, "last") <= {"last"}


def test_new_rules_count_at_once(project, seen):
    (project / ".storageignore").write_text("")
    until(seen, ".storageignore")
    (project / "x.tmp").write_text("x")
    until(seen, "x.tmp")


def test_reading_is_no_change(project, seen):
    (project / "a").write_text("1")
    until(seen, "a")
    time.sleep(0.3)
    while not seen.empty():
        seen.get()
    (project / "a").read_text()
    list(project.iterdir())
    (project / "last").write_text("x")
    assert until(seen, "last") == {"last"}


@pytest.mark.parametrize(
    ("limit", "value"),
    [("_MOST_DIRECTORIES", 1), ("_NETWORK", ("ext", "overlay", "tmpfs", "xfs", "btrfs"))],
)
def test_where_nothing_can_be_watched_it_says_so(project, monkeypatch, limit, value):
    (project / "a/b").mkdir(parents=True)
    monkeypatch.setattr(watch, limit, value)
    watcher = Watcher(project, excluded=[], gitignore=True, changed=print)
    assert watcher.start() is False
    watcher.stop()
