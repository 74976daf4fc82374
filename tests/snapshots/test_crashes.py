"""A crash at any point leaves a repository that stock restic finds clean."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from oracle import PASSWORD, tree_of

from jupyter_storage.errors import Unreachable
from jupyter_storage.snapshots.capture import Changes, capture, take
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.stores.forwarding import ForwardingStore

pytestmark = pytest.mark.faults


class Crash(BaseException):
    """As kill -9: nothing may catch it and go on."""


class CrashingStore(ForwardingStore):
    """Crashes at one of its writes or deletions, before or after it, and is dead from then on."""

    def __init__(self, store, at, *, after):
        super().__init__(store)
        self.left, self.after, self.dead = at, after, False

    def _count(self, action):
        if self.dead:
            raise Crash
        self.left -= 1
        if self.left < 0:
            self.dead = True
            if self.after:
                action()
            raise Crash
        return action()

    def write(self, key, data, **options):
        return self._count(lambda: self.inner.write(key, data, **options))

    def delete(self, key):
        return self._count(lambda: self.inner.delete(key))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_write_leaves_a_clean_repository(
    project, store, open_repository, make_restic, after, tmp_path, monkeypatch
):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.packs.TARGET", 50_000)
    restic = make_restic(store.root)
    for number in range(6):
        (project / f"file{number}").write_bytes(os.urandom(30_000))
    good = []
    for at in range(40):
        (project / "changing").write_bytes(os.urandom(60_000) + bytes([at]))
        crashing = CrashingStore(store, at, after=after)
        try:
            make = Repository.open if Repository.exists(store) else Repository.create
            repository = make(crashing, PASSWORD)
            good.append(capture(repository, project).id)
        except Crash:
            finished = False
        else:
            finished = True
        if (store.root / "config").exists():
            if not finished:
                restic("unlock", "--remove-all")
            restic.check()
            fresh = open_repository()
            fresh.refresh()
            snapshots = fresh.snapshots()
            assert {snapshot.id for snapshot in snapshots} >= set(good)
        if finished:
            break
    assert finished
    target = tmp_path / "out"
    assert restore(fresh, snapshots[-1], target).failures == ()
    assert tree_of(target) == tree_of(project)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_operation_of_an_increment_loses_no_change(
    project, store, open_repository, make_restic, after, tmp_path
):
    """What changed is told again after a crash, against the last snapshot that was acknowledged."""
    restic = make_restic(store.root)
    (project / "sub/deep").mkdir(parents=True)
    for number in range(20):
        (project / f"sub/file{number}").write_bytes(os.urandom(3000))
    taken = take(open_repository(), project, tags=("w",))
    marks, crashes = set(), 0
    for at in range(20):
        for name in (f"sub/file{at}", f"sub/deep/new{at}"):
            (project / name).write_bytes(os.urandom(3000))
            marks.add((name, False))
        if at % 3 == 0:
            (project / f"sub/file{at}").unlink()
        repository = Repository.open(CrashingStore(store, at % 9, after=after), PASSWORD)
        changes = Changes(taken.tree, sorted(marks))
        try:
            taken = take(repository, project, tags=("w",), changes=changes)
        except Crash:
            crashes += 1
            restic("unlock", "--remove-all")
        else:
            marks.clear()
        if at % 5 == 4:
            restic.check()
    assert crashes > 8
    taken = take(
        open_repository(), project, tags=("w",), changes=Changes(taken.tree, sorted(marks))
    )
    scanned = take(open_repository(), project, tags=("w",))
    assert scanned.record.id == taken.record.id
    repository = open_repository()
    repository.refresh()
    assert restore(repository, repository.snapshots()[-1], tmp_path / "out").failures == ()
    assert tree_of(tmp_path / "out") == tree_of(project)
    restic.check()


class FlakyStore(ForwardingStore):
    """Fails every other write, before or after it was done."""

    def __init__(self, store):
        super().__init__(store)
        self.count = 0

    def write(self, key, data, **options):
        self.count += 1
        if self.count % 4 == 1:
            raise Unreachable("The connection was cut", path=key)
        entry = self.inner.write(key, data, **options)
        if self.count % 4 == 3:
            raise Unreachable("The answer was lost", path=key)
        return entry


def test_passing_errors_are_tried_again(project, store, open_repository, restic, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.files._PAUSE", 0.001)
    for number in range(5):
        (project / f"file{number}").write_bytes(os.urandom(10_000))
    open_repository()
    flaky = FlakyStore(store)
    record = capture(Repository.open(flaky, PASSWORD), project)
    assert record.files == 5
    assert flaky.count > 4


@pytest.mark.slow
def test_killed_workers_leave_a_clean_repository(project, store, make_restic, tmp_path):
    restic = make_restic(store.root)
    for number in range(300):
        (project / f"file{number}").write_bytes(os.urandom(20_000))
    (tmp_path / "password").write_text(PASSWORD)
    request = {
        "uri": store.uri,
        "options": {},
        "password_file": str(tmp_path / "password"),
        "state": str(tmp_path / "state"),
        "project": str(project),
        "tags": ["workspace:x"],
        "lineage": ["workspace:x"],
        "excluded": [],
        "gitignore": True,
        "force": True,
        "bandwidth": 0,
    }
    (tmp_path / "state").mkdir()

    def work(patience):
        for number in range(0, 300, 7):
            (project / f"file{number}").write_bytes(os.urandom(20_000))
        child = subprocess.Popen(
            [sys.executable, "-m", "jupyter_storage.snapshots.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tmp_path / "state",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        child.stdin.write(json.dumps({"id": 1, "capture": request}) + "\n")
        child.stdin.flush()
        if patience is None:
            output = next(line for line in child.stdout if '"beat"' not in line)
        else:
            time.sleep(patience)
            child.send_signal(signal.SIGKILL)
            output = ""
        child.stdin.close()
        child.stdout.close()
        child.wait()
        return output

    start = time.monotonic()
    assert "record" in work(None)
    length = time.monotonic() - start
    chance = random.Random(7)
    for round_ in range(24):
        work(chance.uniform(0.3, 1.0) * length)
        if round_ % 6 == 5:
            assert "record" in json.loads(work(None))
            restic.check()
    assert os.listdir(store.root / "locks") == []
