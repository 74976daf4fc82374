"""The process that takes snapshots: it stays, and nothing is lost with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from oracle import PASSWORD

from jupyter_storage.errors import Cancelled, Conflict, NotFound, StorageError
from jupyter_storage.snapshots import child as children
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.repository import Repository

pytestmark = pytest.mark.usefixtures("restic")

NEVER = threading.Event()


@pytest.fixture
def request_of(project, store, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)

    def request_of(**options):
        values = {
            "uri": store.uri,
            "options": {},
            "password_file": str(tmp_path / "password"),
            "state": str(tmp_path / "state"),
            "project": str(project),
            "tags": ["workspace:x"],
            "lineage": ["workspace:x"],
            "excluded": [],
            "gitignore": True,
            "force": False,
            "bandwidth": 0,
            "retention": "all forever",
        }
        return values | options

    return request_of


@pytest.fixture
def make_child(tmp_path):
    made = []

    def make_child(**options):
        made.append(Child(tmp_path / "state/run", **options))
        return made[-1]

    yield make_child
    for child in made:
        child.close()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_it_stays_between_snapshots_and_ends_when_asked(make_child, request_of, project):
    child = make_child()
    assert child.pid is None
    (project / "a").write_text("a")
    first = child.capture(request_of(), NEVER).record
    pid = child.pid
    (project / "b").write_text("b")
    second = child.capture(request_of(), NEVER).record
    assert (second.parent, second.files_new) == (first.id, 1)
    assert child.pid == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
    child.close()
    assert child.pid is None


def test_errors_come_back_and_it_goes_on(make_child, request_of, project, tmp_path):
    child = make_child()
    with pytest.raises(NotFound, match="does not exist"):
        child.capture(request_of(project=str(tmp_path / "missing")), NEVER)
    pid = child.pid
    assert child.capture(request_of(), NEVER).record.files == 0
    assert child.pid == pid


def test_it_ends_when_idle_and_comes_back(make_child, request_of, project):
    child = make_child(idle=0.2)
    child.capture(request_of(), NEVER)
    wait_for(lambda: child.pid is None)
    (project / "a").write_text("a")
    assert child.capture(request_of(), NEVER).record.files == 1


def test_one_that_was_killed_is_replaced(make_child, request_of, project):
    child = make_child()
    child.capture(request_of(), NEVER)
    pid = child.pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: child.pid is None)
    (project / "a").write_text("a")
    assert child.capture(request_of(), NEVER).record.files == 1
    assert child.pid != pid


def test_one_that_is_killed_in_the_middle_is_an_error_and_is_replaced(
    make_child, request_of, project, store
):
    child = make_child()
    (project / "large").write_bytes(os.urandom(3_000_000))
    # So slow that it is at work for long enough.
    killer = threading.Thread(
        target=lambda: (
            wait_for(lambda: (store.root / "locks").exists() and os.listdir(store.root / "locks")),
            os.kill(child.pid, signal.SIGKILL),
        )
    )
    killer.start()
    with pytest.raises(StorageError, match="ended with status -9"):
        child.capture(request_of(bandwidth=200), NEVER)
    killer.join()
    assert child.capture(request_of(), NEVER).record.files == 1
    assert os.listdir(store.root / "locks") == []


def test_one_that_is_stuck_is_killed_and_replaced(make_child, request_of, project, monkeypatch):
    child = make_child()
    child.capture(request_of(), NEVER)
    # From here on: a process needs longer than that to start, on a machine that is busy.
    monkeypatch.setattr(children, "_STUCK", 2)
    pid = child.pid
    os.kill(pid, signal.SIGSTOP)
    (project / "a").write_text("a")
    with pytest.raises(StorageError, match="did not get on"):
        child.capture(request_of(), NEVER)
    assert not is_alive(pid)
    monkeypatch.undo()
    assert child.capture(request_of(), NEVER).record.files == 1


def test_a_slow_line_is_not_stuck(make_child, request_of, project, monkeypatch):
    child = make_child()
    child.capture(request_of(), NEVER)
    # It says every second that it gets on, if the machine lets it.
    monkeypatch.setattr(children, "_STUCK", 4)
    (project / "a").write_bytes(os.urandom(20_000))
    begin = time.monotonic()
    assert child.capture(request_of(bandwidth=4000), NEVER).record.files == 1
    assert time.monotonic() - begin > 4


def test_it_stops_when_cancelled(make_child, request_of, project, store):
    child = make_child()
    (project / "a").write_bytes(os.urandom(5000))
    child.capture(request_of(), NEVER)
    (project / "a").write_bytes(os.urandom(5000))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        child.capture(request_of(bandwidth=10), cancel)
    assert len(os.listdir(store.root / "snapshots")) == 1
    assert child.capture(request_of(), NEVER).record.files_changed == 1


SERVER = """
import json, sys, threading
from pathlib import Path
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.repository import Repository
child = Child(Path(sys.argv[1]))
request = json.loads(sys.argv[2])
child.capture(request, threading.Event())
print(child.pid, flush=True)
Path(request["project"], "more").write_bytes(bytes(100_000))
child.capture(request | {"bandwidth": 50, "force": True}, threading.Event())
"""


def test_a_killed_server_leaves_no_worker_behind(make_child, request_of, store, tmp_path):
    request = request_of()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "state/run"), json.dumps(request)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    pid = int(server.stdout.readline())
    wait_for(lambda: os.listdir(store.root / "locks"))
    server.kill()
    server.wait()
    server.stdout.close()
    wait_for(lambda: not is_alive(pid) or is_zombie(pid))
    assert make_child().capture(request, NEVER).record.files == 1
    assert os.listdir(store.root / "locks") == []


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def locks_in(store):
    path = store.root / "locks"
    return set(os.listdir(path)) if path.is_dir() else set()


def test_one_that_is_prepared_holds_the_lock_that_the_next_snapshot_uses(
    make_child, request_of, project, store
):
    child = make_child()
    base = child.capture(request_of(), NEVER)
    (project / "a").write_text("a")
    child.prepare(request_of())
    wait_for(lambda: locks_in(store))
    (held,) = locks_in(store)
    # The wait that a lock asks for goes by meanwhile.
    time.sleep(0.5)
    assert locks_in(store) == {held}
    taken = child.capture(request_of(base=base.tree, dirty=[("a", False)]), NEVER)
    assert taken.record.files == 1
    assert locks_in(store) == set()


def test_a_lock_that_nobody_uses_is_given_back(make_child, request_of, store):
    child = make_child()
    child.capture(request_of(), NEVER)
    child.prepare(request_of())
    wait_for(lambda: locks_in(store))
    wait_for(lambda: not locks_in(store))
    assert child.pid is not None


def test_one_that_is_killed_while_prepared_leaves_a_lock_that_the_next_removes(
    make_child, request_of, project, store
):
    child = make_child()
    child.prepare(request_of())
    wait_for(lambda: locks_in(store))
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: child.pid is None)
    (project / "a").write_text("a")
    assert child.capture(request_of(), NEVER).record.files == 1
    assert locks_in(store) == set()


def test_what_cannot_be_prepared_is_told_by_the_snapshot(make_child, request_of, store, restic):
    child = make_child()
    child.capture(request_of(), NEVER)
    with Repository.open(store, PASSWORD).lock(exclusive=True):
        child.prepare(request_of())
        with pytest.raises(Conflict, match="locked"):
            child.capture(request_of(), NEVER)
    assert child.capture(request_of(), NEVER).record.files == 0
