"""The watcher on a real directory."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyFD

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
    watcher = Watcher(
        project,
        excluded=[project / "excluded"],
        gitignore=True,
        changed=lambda key, deep: changes.put(key),
        lost=lambda: changes.put("LOST"),
    )
    assert watcher.start()
    changes.watcher = watcher
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


def test_new_rules_count_at_once(project, seen, tmp_path):
    (project / ".storageignore").write_text("")
    until(seen, ".storageignore")
    # A write is two events. With each all is watched anew, and is looked at as a whole later.
    assert seen.watcher.settle(tmp_path, 10)
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


def test_what_snapshots_leave_out_is_not_watched(project, seen):
    (project / "sub/ignored").mkdir(parents=True)
    until(seen, "sub")
    (project / "last").write_text("x")
    until(seen, "last")
    assert seen.watcher.directories == {"", "sub"}
    (project / ".storageignore").write_text("")
    until(seen, ".storageignore")
    assert seen.watcher.directories == {"", "sub", "ignored", "sub/ignored"}


def test_moved_directories_are_watched_under_their_new_names(project, seen):
    (project / "one/two").mkdir(parents=True)
    until(seen, "one")
    (project / "one").rename(project / "other")
    until(seen, "other")
    (project / "other/two/x").write_text("x")
    assert "one/two/x" not in until(seen, "other/two/x")
    (project / "other").rename(project.parent / "outside")
    until(seen, "other")
    (project.parent / "outside/two/y").write_text("y")
    (project / "last").write_text("x")
    assert until(seen, "last") == {"last"}
    assert seen.watcher.directories == {""}


def test_a_directory_that_comes_and_goes(project, seen):
    for number in range(50):
        (project / "a/b").mkdir(parents=True)
        (project / f"a/b/{number}").write_text("x")
        shutil.rmtree(project / "a")
    (project / "a/b").mkdir(parents=True)
    (project / "last").write_text("x")
    until(seen, "last")
    (project / "a/b/x").write_text("x")
    until(seen, "a/b/x")


def test_all_that_happened_is_told_when_it_has_settled(project, seen, tmp_path):
    for number in range(500):
        (project / f"file{number}").write_text("x")
    assert seen.watcher.settle(tmp_path, 10)
    found = set()
    while not seen.empty():
        found.add(seen.get_nowait())
    assert found == {f"file{number}" for number in range(500)}


def test_an_overflow_is_told_as_a_change_of_everything(project, seen):
    """The kernel's own queue: nobody reads it while it fills."""
    (project / "sub").mkdir()
    until(seen, "sub")
    with seen.watcher._watch._lock:
        for number in range(6000):
            (project / f"file{number}").write_text("x")
        (project / "new/below").mkdir(parents=True)
    until(seen, "")
    assert {"new", "new/below"} <= seen.watcher.directories
    (project / "new/below/x").write_text("x")
    until(seen, "new/below/x")


def test_the_end_of_the_project_directory_is_told(project, seen):
    shutil.rmtree(project)
    until(seen, "LOST")


def test_the_death_of_the_watching_thread_is_told(project, seen):
    reader = seen.watcher._watch._reader
    reader.handle_event = lambda event: 1 / 0
    (project / "x").write_text("x")
    until(seen, "LOST")
    reader.join(5)
    assert not reader.is_alive()


def test_too_many_directories_later_on_are_told(project, seen):
    seen.watcher._watch._most = 5
    (project / "a/b/c/d/e/f").mkdir(parents=True)
    until(seen, "LOST")


@pytest.mark.parametrize(
    ("code", "option"),
    [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")],
)
def test_the_limits_of_the_kernel_are_noticed_in_any_directory(project, monkeypatch, code, option):
    (project / "a/b").mkdir(parents=True)
    add = InotifyFD.add_callback

    def limited(self, path, *rest):
        if path.endswith(b"/b"):
            raise OSError(code, "limit reached")
        return add(self, path, *rest)

    monkeypatch.setattr(InotifyFD, "add_callback", limited)
    watcher = Watcher(project, excluded=[], gitignore=True, changed=print, lost=print)
    assert watcher.start() is False
    assert option in watcher.unwatched
    watcher.stop()


@pytest.mark.parametrize(
    ("limit", "value", "why"),
    [
        ("_MOST_DIRECTORIES", 1, "more directories than are watched: 1,"),
        ("_NETWORK", ("ext", "overlay", "tmpfs", "xfs", "btrfs"), "network disk ("),
    ],
)
def test_where_nothing_can_be_watched_it_says_so(project, monkeypatch, limit, value, why):
    (project / "a/b").mkdir(parents=True)
    monkeypatch.setattr(watch, limit, value)
    watcher = Watcher(project, excluded=[], gitignore=True, changed=print, lost=print)
    assert watcher.start() is False
    assert why in watcher.unwatched
    watcher.stop()


LIMITED = """
import queue, sys, time
from pathlib import Path
from jupyter_storage.snapshots.watch import Watcher
project, lost = Path(sys.argv[1]), queue.Queue()
watcher = Watcher(project, excluded=[], gitignore=True, changed=lambda key, deep: None,
    lost=lambda: lost.put(True))
print(watcher.start())
(project / "now/there/are/more/than/the/kernel/gives").mkdir(parents=True)
print(lost.get(timeout=30) if watcher.directories else None)
watcher.stop()
"""


@pytest.mark.parametrize(("limit", "expected"), [(5, "False None"), (12, "True True")])
def test_the_kernel_s_own_limit_on_watches_is_noticed(project, limit, expected):
    """In a namespace of its own, where root may lower it."""
    (project / "a/b/c/d/e/f/g").mkdir(parents=True)
    lower = f'echo {limit} > /proc/sys/user/max_inotify_watches || exit 77; exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "sh", "-c", lower, "-"]
    done = subprocess.run(
        [*unshare, sys.executable, "-c", LIMITED, str(project)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in {1, 77} and "Traceback" not in done.stderr:
        pytest.skip(f"no namespace of our own: {done.stderr}")
    assert done.stdout.split() == expected.split(), done.stderr


def test_thousands_of_new_directories_are_watched_in_linear_time(project, seen, tmp_path):
    """What was watched before is not gone through for each of them."""
    for number in range(3000):
        (project / f"{number % 10}/{number // 10}").mkdir(parents=True)
    assert seen.watcher.settle(tmp_path, 60)
    with seen.watcher._watch._lock:
        compared = _Compared(seen.watcher._watch._watches)
        seen.watcher._watch._watches = compared
    for number in range(200):
        (project / f"late{number}").mkdir()
    assert seen.watcher.settle(tmp_path, 60)
    assert len(compared) > 3200
    assert compared.walks == 0


class _Compared(dict):
    walks = 0

    def items(self):
        self.walks += 1
        return super().items()
