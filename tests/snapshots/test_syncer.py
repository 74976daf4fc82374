"""What the syncer captures, when, and what it tells."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from oracle import PASSWORD, tree_of
from watchdog.observers.polling import PollingObserver

from jupyter_storage.errors import Unreachable
from jupyter_storage.snapshots import syncer as syncers
from jupyter_storage.snapshots.capture import Memory, take
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.inotify import TreeWatch
from jupyter_storage.snapshots.journal import Journal
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.snapshots.syncer import Syncer, Told
from jupyter_storage.snapshots.views import subtree

TAGS = ("workspace:test",)


class Run:
    """A syncer on a real repository, and what it wanted and told."""

    def __init__(self, project, state, repository, capture=None):
        self.wanted, self.told, self.error = [], [], None
        self.prepared = []
        self._repository, self._memory = repository, Memory(repository)
        self.project = project
        self.syncer = Syncer(
            project,
            journal=state / "journal.sqlite",
            excluded=[],
            gitignore=True,
            interval=0.2,
            capture=capture or self._capture,
            prepare=lambda: self.prepared.append(time.monotonic()),
            tell=self.told.append,
        )

    def _capture(self, wanted, cancel):
        self.wanted.append(wanted)
        if self.error is not None:
            raise self.error
        return take(
            self._repository,
            self.project,
            tags=TAGS,
            force=wanted.force,
            changes=wanted.changes,
            memory=self._memory,
            cancel=cancel,
        )

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not (self.told and condition(self.told[-1])):
            assert time.monotonic() < end, self.told[-1:]
            time.sleep(0.02)
        return self.told[-1]

    def idle(self):
        return self.wait(lambda told: told.record and not told.capturing and not told.pending)


@pytest.fixture
def start(project, open_repository, restic, tmp_path):
    runs = []

    def start(**options):
        runs.append(Run(project.resolve(), tmp_path / "state", open_repository(), **options))
        runs[-1].syncer.start()
        return runs[-1]

    yield start
    for run in runs:
        run.syncer.stop(5)


def test_the_first_look_is_at_everything_and_then_at_what_changed(start, project):
    (project / "sub").mkdir()
    (project / "sub/a").write_text("a")
    run = start()
    run.idle()
    assert run.wanted[0].changes is None
    (project / "sub/a").write_text("changed")
    run.wait(lambda told: told.record and told.record.files_changed == 1)
    run.idle()
    # On a machine that is very busy, events may be late: then it is a look at everything.
    changes = next(each.changes for each in reversed(run.wanted) if each.changes is not None)
    assert [mark for mark, _ in changes.marks] == ["sub/a"]


def test_a_capture_is_prepared_while_it_waits_for_quiet(start, project):
    run = start()
    run.idle()
    run.prepared.clear()
    (project / "a").write_text("a")
    run.wait(lambda told: told.record and told.record.files == 1)
    told = len(run.prepared)
    assert told >= 1
    run.syncer.now().result(30)
    assert len(run.prepared) == told


def test_whoever_asks_gets_a_look_at_everything(start, project):
    run = start()
    run.idle()
    assert run.syncer.now().result(30).files == 0
    assert run.wanted[-1].changes is None


def test_what_waits_is_told_with_its_size(start, project):
    run = start()
    run.idle()
    run.error = Unreachable("The store is away")
    (project / "a").write_bytes(bytes(1234))
    (project / "b").write_bytes(bytes(1000))
    told = run.wait(lambda told: told.error and told.pending == 2 and not told.capturing)
    assert told.pending_bytes == 2234
    assert not told.late
    written = time.time()
    time.sleep(1.2)
    assert run.told[-1].durable == told.durable < written
    run.error = None
    run.wait(lambda told: told.error is None and told.record.files == 2)
    assert run.idle().durable > written
    assert run.told[-1].pending_bytes == 0


def test_what_waits_for_long_is_late(start, project, monkeypatch):
    monkeypatch.setattr(syncers, "_LATE", 1.5)
    run = start()
    run.idle()
    run.error = Unreachable("The store is away")
    (project / "a").write_text("a")
    run.wait(lambda told: told.pending == 1)
    assert not run.told[-1].late
    run.wait(lambda told: told.late)
    run.error = None
    run.wait(lambda told: not told.late)
    run.idle()


def test_a_capture_that_hangs_is_late_too(start, project, monkeypatch, open_repository):
    monkeypatch.setattr(syncers, "_LATE", 1.0)
    go_on = threading.Event()

    def capture(wanted, cancel):
        go_on.wait(30)
        return take(open_repository(), project, tags=TAGS)

    run = start(capture=capture)
    assert run.wait(lambda told: told.late).capturing
    go_on.set()
    assert not run.idle().late


def test_where_nothing_can_be_watched_scans_find_what_changed(start, project, monkeypatch):
    monkeypatch.setattr(syncers, "_POLL", 0.5)
    monkeypatch.setattr("jupyter_storage.snapshots.watch._MOST_DIRECTORIES", 1)
    (project / "sub").mkdir()
    run = start()
    run.idle()
    (project / "sub/a").write_text("a")
    run.wait(lambda told: told.record.files == 1)
    assert "more directories" in run.told[-1].unwatched
    assert not run.told[-1].watching
    assert all(wanted.changes is None for wanted in run.wanted)


def test_when_watching_ends_scans_go_on(start, project, monkeypatch):
    monkeypatch.setattr(syncers, "_POLL", 0.5)
    run = start()
    assert run.idle().watching
    run.syncer._watcher._watch._reader.handle_event = lambda event: 1 / 0
    (project / "a").write_text("a")
    run.wait(lambda told: told.record.files == 1)
    (project / "b").write_text("b")
    run.wait(lambda told: told.record.files == 2)
    assert "watching it ended" in run.told[-1].unwatched
    assert not run.told[-1].watching


def test_the_last_capture_holds_what_changed_before_the_end(start, project, tmp_path):
    run = start()
    run.idle()
    count = len(run.wanted)
    for number in range(200):
        (project / f"file{number}").write_text("x")
    run.syncer.stop(10)
    assert run.told[-1].record.files == 200
    assert run.told[-1].pending == 0
    journal = Journal(tmp_path / "state/journal.sqlite")
    assert journal.waiting().paths == 0
    journal.close()
    assert all(wanted.changes is not None for wanted in run.wanted[count:])


def test_a_scan_takes_a_bounded_share_of_a_core(start, project):
    run = start()
    record = run.idle().record
    assert run.syncer._period(record) == 300
    assert run.syncer._period(type(record)(**{**fields(record), "files": 1_000_000})) == 2000


def fields(record):
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def test_a_directory_that_is_never_quiet_is_captured_soon_and_then_less_often(start, project):
    run = start()
    run.idle()
    syncer = run.syncer
    now = time.monotonic()
    syncer._first, syncer._last, syncer._scan_at = now - 0.15, now, now + 300
    syncer._not_before = 0
    assert syncer._wait() < 0.1
    syncer._restless = 10
    syncer._first, syncer._last = now - 0.15, now + 60
    assert syncer._wait() > 9


def test_a_change_after_a_long_capture_does_not_wait_for_long(start, project, open_repository):
    slow = [3.0]

    def capture(wanted, cancel):
        time.sleep(slow.pop() if slow else 0)
        return take(open_repository(), project, tags=TAGS)

    run = start(capture=capture)
    run.idle()
    begin = time.monotonic()
    (project / "a").write_text("a")
    run.wait(lambda told: told.record.files == 1)
    # A rest of twice as long as the first one took would end later.
    assert time.monotonic() - begin < 6


def test_failures_are_tried_again_with_the_next_capture(start, project, monkeypatch):
    from jupyter_storage.snapshots import batches
    from jupyter_storage.snapshots.contents import ContentReader, Unreadable

    run = start()
    run.idle()
    read = ContentReader.read

    def refusing(self, directory, name, names):
        if name == "busy":
            raise Unreadable("It changes all the time")
        return read(self, directory, name, names)

    monkeypatch.setattr(ContentReader, "read", refusing)
    monkeypatch.setattr(batches, "read_small", lambda files, *_: [None] * len(files))
    (project / "busy").write_text("1")
    (project / "calm").write_text("1")
    told = run.wait(lambda told: told.record.files == 1 and not told.pending)
    assert [failure.path for failure in told.record.failures] == ["busy"]
    monkeypatch.undo()
    (project / "calm").write_text("2")
    run.wait(lambda told: told.record.files == 2)
    assert run.idle().record.failures == ()


def names_in(repository, snapshot):
    """Paths of all that a snapshot holds, below the project directory."""
    found, pending = set(), [("", subtree(repository, snapshot)["subtree"])]
    while pending:
        above, tree = pending.pop()
        for node in repository.load_tree(tree):
            found.add(f"{above}{node['name']}")
            if node["type"] == "dir":
                pending.append((f"{above}{node['name']}/", node["subtree"]))
    return found


def names_below(project):
    return {
        os.path.relpath(f"{directory}/{name}", project)
        for directory, names, files in os.walk(project)
        for name in [*names, *files]
    }


def captured(run, open_repository, project):
    """Wait until the newest snapshot has all names that are there; pytest ends it."""
    repository, there, looked = open_repository(), names_below(project), None
    while True:
        told = run.told[-1] if run.told else Told()
        if told.record and told.record.id != looked and not told.capturing:
            looked = told.record.id
            snapshots = {each.id: each for each in repository.snapshots()}
            repository.refresh()
            if names_in(repository, snapshots[looked]) == there:
                return
        time.sleep(0.2)


@pytest.mark.slow
def test_an_overflow_with_many_directories_loses_nothing(
    start, project, monkeypatch, open_repository
):
    """All are watched, and something happens in each while nobody reads the kernel's queue.

    JUPYTER_STORAGE_TEST_DIRECTORIES=100000 makes as many of them.
    """
    count = int(os.environ.get("JUPYTER_STORAGE_TEST_DIRECTORIES", "6000"))
    watches = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    if watches < count + 2000:
        pytest.skip(f"the kernel gives {watches} watches only")
    monkeypatch.setattr("jupyter_storage.snapshots.watch._MOST_DIRECTORIES", count + 1000)
    overflows = []
    renew = TreeWatch.on_queue_overflow
    monkeypatch.setattr(
        TreeWatch, "on_queue_overflow", lambda self: overflows.append(1) or renew(self)
    )
    directories = [project / f"{number % 100}/{number // 100}" for number in range(count)]
    for directory in directories:
        directory.mkdir(parents=True)
    run = start()
    captured(run, open_repository, project)
    assert not overflows
    watch = run.syncer._watcher._watch
    with watch._lock:
        for directory in directories:
            # Three events each; the queue holds 16,384.
            (directory / "file").write_text("x")
        for number in range(50):
            (project / f"new{number}/below").mkdir(parents=True)
    captured(run, open_repository, project)
    assert overflows
    assert run.told[-1].watching
    assert len(watch.directories) == 1 + min(count, 100) + count + 100
    looks = len(run.wanted)
    (project / "new7/below/late").write_text("late")
    (directories[-1] / "late").write_text("late")
    captured(run, open_repository, project)
    assert any(wanted.changes is not None for wanted in run.wanted[looks:])


@pytest.mark.slow
def test_a_burst_of_directories_beyond_what_is_watched_loses_nothing(
    start, project, monkeypatch, open_repository
):
    monkeypatch.setattr(syncers, "_POLL", 1.0)
    monkeypatch.setattr("jupyter_storage.snapshots.watch._MOST_DIRECTORIES", 1000)
    run = start()
    run.idle()
    assert run.told[-1].watching
    for number in range(2000):
        path = project / f"{number % 20}/{number // 20}"
        path.mkdir(parents=True)
        (path / "file").write_text(str(number))
    captured(run, open_repository, project)
    for number in range(0, 2000, 40):
        (project / f"{number % 20}/{number // 20}/late").write_text("late")
    captured(run, open_repository, project)
    assert not run.told[-1].watching


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_fifty_of_fifty_databases_are_whole_under_a_writer(
    start, project, restic, tmp_path, journal
):
    """25 with each of the two journals; stock restic restores them, SQLite judges."""
    path = project / "data.db"
    connection = sqlite3.connect(path)
    connection.execute(f"pragma journal_mode={journal}")
    connection.execute("create table t (a integer, b blob)")
    connection.close()
    stop = threading.Event()

    def write():
        connection = sqlite3.connect(path, timeout=30)
        number = 0
        while not stop.is_set():
            with connection:
                for _ in range(20):
                    number += 1
                    connection.execute("insert into t values (?, ?)", (number, os.urandom(500)))
                connection.execute("delete from t where a < ?", (number - 1000,))
            time.sleep(0.002)
        connection.close()

    run = start()
    run.idle()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        records = [run.syncer.now(force=True).result(60) for _ in range(25)]
    finally:
        stop.set()
        writer.join()
    whole = 0
    for number, record in enumerate(records):
        target = tmp_path / f"out{number}"
        restic("restore", record.id, "--target", target, "--no-lock")
        restored = Path(f"{target}{project.resolve()}/data.db")
        assert not restored.with_name("data.db-wal").exists()
        connection = sqlite3.connect(restored)
        ok = connection.execute("pragma integrity_check").fetchone() == ("ok",)
        low, high, count = connection.execute("select min(a), max(a), count(*) from t").fetchone()
        connection.close()
        whole += ok and (high is None or count == high - low + 1) and not record.failures
    assert whole == 25


def test_where_there_is_no_inotify_changes_are_found_all_the_same(start, project, monkeypatch):
    """watchdog's own way to watch a tree, as on systems other than Linux; here, by polling."""
    monkeypatch.setattr("jupyter_storage.snapshots.watch.sys", SimpleNamespace(platform="other"))
    monkeypatch.setattr(
        "jupyter_storage.snapshots.watch.Observer", partial(PollingObserver, timeout=0.1)
    )
    (project / ".storageignore").write_text("*.tmp")
    (project / "old").mkdir()
    run = start()
    assert run.idle().watching
    assert not isinstance(run.syncer._watcher._watch, TreeWatch)
    for name in ("old/a", "new/below/b", "x.tmp"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    run.wait(lambda told: told.record.files == 3)
    (project / "old").rename(project / "moved")
    (project / "new/below/b").unlink()
    run.wait(lambda told: told.record.files == 2 and told.record.files_removed)


def test_a_worker_killed_again_and_again_loses_nothing(project, store, restic, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    child = Child(tmp_path / "state/run")
    request = {
        "uri": store.uri,
        "options": {},
        "password_file": str(tmp_path / "password"),
        "state": str(tmp_path / "state"),
        "project": str(project),
        "tags": list(TAGS),
        "lineage": list(TAGS),
        "excluded": [],
        "gitignore": True,
        "bandwidth": 0,
        "retention": "all forever",
    }

    def capture(wanted, cancel):
        values = request | {"force": wanted.force}
        if wanted.changes is not None:
            values |= {"base": wanted.changes.base, "dirty": wanted.changes.marks}
        return child.capture(values, cancel)

    repository = Repository.create(store, PASSWORD)
    run = Run(project.resolve(), tmp_path / "state", repository, capture=capture)
    run.syncer.start()
    run.idle()
    for number in range(30):
        (project / f"file{number}").write_bytes(os.urandom(20_000))
        if number % 10 == 5 and child.pid:
            os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.05)
    run.wait(lambda told: told.record.files == 30 and not told.pending, 60)
    run.syncer.stop()
    child.close()
    repository.refresh()
    target = tmp_path / "out"
    assert restore(repository, repository.snapshots()[-1], target).failures == ()
    assert tree_of(target) == tree_of(project)
    assert os.listdir(store.root / "locks") == []
    repository.close()
