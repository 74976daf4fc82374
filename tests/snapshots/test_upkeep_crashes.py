"""Upkeep that is cut off at any store operation leaves a repository that stock restic finds clean.

Each case is one operation of one kind of upkeep at which the process dies, before or after it, or
whose answer is lost. Afterwards everything that was acknowledged is read back to the byte, by us
and by stock restic, and the same upkeep is done again to its end.
"""

import os
import random
import shutil
import threading
import time
from contextlib import suppress

import pytest
from history import (
    forget,
    marks_of,
    packs,
    pass_time,
    read_snapshot,
    write_snapshot,
)
from oracle import PASSWORD, Restic

from jupyter_storage.errors import Conflict, StorageError, Unreachable
from jupyter_storage.snapshots import home, maintenance, place
from jupyter_storage.snapshots.maintenance import forget as thin
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.snapshots.retention import parse_policy
from jupyter_storage.snapshots.upkeep import Upkeep
from jupyter_storage.snapshots.workspace import Workspace
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.local import LocalStore

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SMALL = "jupyter_storage.snapshots.repository.merging._MOST_SMALL"


class Crash(BaseException):
    """As kill -9: nothing may catch it and go on."""


class Fault:
    """What goes wrong at one of the writes and deletions of all stores that share it."""

    def __init__(self, at, how):
        self.left, self.how, self.dead = at, how, False
        self.lock = threading.Lock()

    def do(self, key, action):
        with self.lock:
            if self.dead:
                raise Crash
            self.left -= 1
            if self.left != -1:
                return action()
            if self.how == "before":
                self.dead = True
                raise Crash
            result = action()
            if self.how == "after":
                self.dead = True
                raise Crash
            if self.how == "lost":
                raise Unreachable("The answer was lost", path=key)
            return result


class FaultyWrites(ForwardingStore):
    def __init__(self, store, fault):
        super().__init__(store)
        self.fault = fault

    def write(self, key, data, **options):
        return self.fault.do(key, lambda: self.inner.write(key, data, **options))

    def delete(self, key):
        return self.fault.do(key, lambda: self.inner.delete(key))


class Bench:
    """A repository that is put back to how it was before each case."""

    def __init__(self, directory, restic):
        self.directory, self.restic, self.cases = directory, restic, 0
        self.contents = {}

    @property
    def store(self):
        return LocalStore(self.directory / "repository")

    def open(self, store=None):
        repository = Repository.open(store or self.store, PASSWORD)
        repository.refresh()
        return repository

    def keep(self):
        repository = self.open()
        self.contents = {s.id: read_snapshot(repository, s) for s in repository.snapshots()}
        shutil.rmtree(self.directory.with_name("kept"), ignore_errors=True)
        shutil.copytree(self.directory, self.directory.with_name("kept"))

    def put_back(self):
        shutil.rmtree(self.directory)
        shutil.copytree(self.directory.with_name("kept"), self.directory)

    def verify(self, needed):
        """All that is needed is there, to the byte, and stock restic is content."""
        self.restic("unlock", "--remove-all")
        self.restic.check()
        repository = self.open()
        found = repository.check(percent=100)
        assert found.failures == ()
        there = {s.id: read_snapshot(repository, s) for s in repository.snapshots()}
        assert there.keys() >= set(needed)
        for identifier, content in there.items():
            assert content == self.contents.get(identifier, content)
        for identifier in needed:
            assert there[identifier] == self.contents[identifier]

    def run(self, work, needed, how, checked):
        """Cut the work off at each of its operations; ``checked`` judges when it was finished."""
        for at in range(400):
            self.put_back()
            fault = Fault(at, how)
            try:
                work(self, fault)
            except (Crash, StorageError):
                finished = False
            else:
                finished = True
            if fault.left >= 0:
                break
            self.cases += 1
            self.verify(needed)
            if not finished:
                work(self, Fault(10**9, "none"))
                self.verify(needed)
            checked(self)
        assert finished
        assert self.cases


@pytest.fixture
def bench(tmp_path, make_restic, monkeypatch, capsys):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.files._PAUSE", 0.001)
    monkeypatch.setattr("jupyter_storage.snapshots.repository.locks._WAIT", 0.0)
    directory = tmp_path / "bench"
    directory.mkdir()
    Repository.create(LocalStore(directory / "repository"), PASSWORD)
    bench = Bench(directory, Restic(str(directory / "repository"), tmp_path))
    yield bench
    with capsys.disabled():
        print(f"\n{bench.cases} cases", end=" ")


def nothing(bench):
    """Where there is nothing more to say."""


def snapshots(bench, count, size=3000):
    repository = bench.open()
    return [write_snapshot(repository, [os.urandom(size)]) for _ in range(count)]


hows = pytest.mark.parametrize("how", ["before", "after", "lost"])


@hows
def test_merging_the_index(bench, how, monkeypatch):
    monkeypatch.setattr(SMALL, 6)
    made = snapshots(bench, 8)
    bench.keep()

    def merge(bench, fault):
        repository = bench.open(FaultyWrites(bench.store, fault))
        with repository.lock() as hold:
            repository.refresh()
            repository.merge_index(hold)

    def merged(bench):
        assert len(os.listdir(bench.store.root / "index")) <= 7

    bench.run(merge, made, how, merged)


@hows
def test_forgetting(bench, how):
    repository = bench.open()
    old = [write_snapshot(repository, [os.urandom(3000)], age=100 * 86400) for _ in range(4)]
    kept = snapshots(bench, 2)
    bench.keep()

    def work(bench, fault):
        repository = bench.open(FaultyWrites(bench.store, fault))
        with repository.lock(exclusive=True) as hold:
            thin(repository, parse_policy("all for 1d"), now(), hold)

    def forgotten(bench):
        assert not set(old) & {s.id for s in bench.open().snapshots()}

    bench.run(work, kept, how, forgotten)


def work_prune(bench, fault):
    store = FaultyWrites(bench.store, fault)
    repository = bench.open(store)
    marks = Marks(FaultyWrites(LocalStore(bench.directory / "upkeep"), fault), repository.id)
    with repository.lock(exclusive=True) as hold:
        return repository.prune(marks, hold)


@hows
def test_pruning(bench, how):
    """The second pass: it deletes packs, writes others anew, and drops some from the index."""
    repository = bench.open()
    first = [os.urandom(40_000), os.urandom(60_000)]
    ripe = write_snapshot(repository, [os.urandom(5000)])
    wasteful = write_snapshot(repository, first)
    kept = [write_snapshot(repository, first[:1]), *snapshots(bench, 1)]
    orphan = bench.open()
    orphan.save_blob("data", os.urandom(4000))
    orphan.flush()
    newest = max((bench.store.root / "index").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    forget(repository, ripe)
    work_prune(bench, Fault(10**9, "none"))
    pass_time(bench.store)
    forget(repository, wasteful)
    bench.keep()
    doomed = packs(bench.store)

    def pruned(bench):
        assert len(doomed - packs(bench.store)) >= 3
        pass_time(bench.store)
        work_prune(bench, Fault(10**9, "none"))
        bench.verify(kept)
        found = bench.open().check(percent=100)
        assert found.notes == ()
        assert found.bytes < 60_000

    bench.run(work_prune, kept, how, pruned)


@hows
def test_repairing_the_index(bench, how):
    made = snapshots(bench, 4)
    bench.keep()
    for path in sorted((bench.store.root / "index").iterdir())[:2]:
        path.unlink()
    shutil.rmtree(bench.directory.with_name("kept"))
    shutil.copytree(bench.directory, bench.directory.with_name("kept"))

    def repair(bench, fault):
        repository = bench.open(FaultyWrites(bench.store, fault))
        with repository.lock(exclusive=True) as hold:
            repository.repair_index(hold)

    cases = 0
    for at in range(100):
        bench.put_back()
        fault = Fault(at, how)
        try:
            repair(bench, fault)
        except (Crash, StorageError):
            bench.restic("unlock", "--remove-all")
            repair(bench, Fault(10**9, "none"))
        if fault.left >= 0:
            break
        cases += 1
        bench.verify(made)
    assert cases > 3
    bench.cases = cases


@pytest.fixture
def workspace(tmp_path, project, monkeypatch):
    """A workspace whose stores share one fault."""
    monkeypatch.setattr("jupyter_storage.snapshots.repository.files._PAUSE", 0.001)
    monkeypatch.setattr("jupyter_storage.snapshots.repository.locks._WAIT", 0.0)
    fault = Fault(10**9, "none")
    real = place.open_store

    def faulty(uri, options=None):
        return FaultyWrites(real(uri, options or {}), fault)

    for module in (place, home, maintenance):
        monkeypatch.setattr(module, "open_store", faulty)

    def make(machine="one"):
        return Workspace(
            project=project,
            workspace="w1",
            uri=f"file://{tmp_path}/bucket/w1",
            options={},
            fallback_uri=None,
            state=tmp_path / machine,
            enabled=False,
        )

    make.fault = fault
    return make


def cut_off(workspace, tmp_path, how, work, capsys):
    """Cut off the work at each operation, and let another machine look each time."""
    bucket, kept = tmp_path / "bucket", tmp_path / "kept"
    machine = workspace()
    machine.now()
    shutil.copytree(bucket, kept)
    (content,) = [each.files for each in machine.list()]
    for at in range(100):
        shutil.rmtree(bucket)
        shutil.copytree(kept, bucket)
        shutil.rmtree(tmp_path / "one", ignore_errors=True)
        workspace.fault.left, workspace.fault.how, workspace.fault.dead = at, how, False
        with suppress(Crash, StorageError):
            work(workspace())
        ended = workspace.fault.left >= 0
        workspace.fault.left, workspace.fault.how, workspace.fault.dead = 10**9, "none", False
        # The machine itself, and one that has never seen the password.
        shutil.rmtree(tmp_path / "two", ignore_errors=True)
        for name in ("one", "two"):
            records = workspace(name).list()
            assert records
            assert all(record.files == content for record in records)
        variables = workspace("two").environment()
        restic = Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables)
        restic("unlock", "--remove-all")
        restic.check()
        if ended:
            break
    assert at > 1
    with capsys.disabled():
        print(f"\n{at} cases", end=" ")


@hows
def test_changing_the_password(workspace, project, tmp_path, how, capsys):
    (project / "file").write_text("x")
    cut_off(workspace, tmp_path, how, lambda each: Upkeep(each).change_password(), capsys)


@hows
def test_pinning(workspace, project, tmp_path, how, capsys):
    (project / "file").write_text("x")
    cut_off(workspace, tmp_path, how, lambda each: Upkeep(each).pin("latest"), capsys)


def test_two_writers_a_pruner_and_stock_restic_at_once(bench, capsys, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.locks._WAIT", 0.2)
    monkeypatch.setattr(SMALL, 4)
    acknowledged, forgotten, errors = {}, set(), []
    guard, done = threading.Lock(), threading.Event()
    counts = {"snapshots": 0, "passes": 0, "restic": 0, "conflicts": 0, "begun again": 0}

    def count(what):
        with guard:
            counts[what] += 1

    def write(seed):
        chance = random.Random(seed)
        shared = [bytes([number]) * 4000 for number in range(20)]
        repository = bench.open()
        while not done.is_set():
            contents = [chance.choice(shared), chance.randbytes(2000), chance.choice(shared)]
            try:
                with repository.lock() as hold:
                    identifier = write_snapshot(repository, contents)
                    with guard:
                        acknowledged[identifier] = contents
                    repository.merge_index(hold)
                count("snapshots")
            except Conflict as error:
                count("begun again" if "pruned" in str(error) else "conflicts")
                repository = bench.open()
            time.sleep(chance.uniform(0, 0.5))

    def tidy():
        chance = random.Random(1)
        while not done.is_set():
            repository = bench.open()
            try:
                with repository.lock(exclusive=True) as hold:
                    with guard:
                        left = sorted(acknowledged.keys() - forgotten)
                        doomed = chance.sample(left, len(left) // 2)
                        forgotten.update(doomed)
                    forget(repository, *doomed)
                    repository.prune(marks_of(bench.store, repository), hold)
                pass_time(bench.store)
                count("passes")
            except Conflict:
                count("conflicts")
            time.sleep(chance.uniform(0, 0.3))

    def stock():
        while not done.wait(2):
            try:
                bench.restic("prune", "--max-unused", "0")
                count("restic")
            except AssertionError as error:
                if "already locked" not in str(error):
                    raise

    def guarded(work, *arguments):
        try:
            work(*arguments)
        except BaseException as error:
            errors.append(error)
            raise

    works = [(write, 1), (write, 2), (tidy,), (stock,)]
    threads = [threading.Thread(target=guarded, args=work) for work in works]
    for thread in threads:
        thread.start()
    time.sleep(12)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    bench.contents = acknowledged
    bench.verify(acknowledged.keys() - forgotten)
    with capsys.disabled():
        print(f"\n{counts}", end=" ")
    assert counts["snapshots"] > 5
    assert counts["passes"] > 1
    bench.cases = sum(counts.values())


def test_a_long_life_with_a_crash_at_every_turn(bench, monkeypatch):
    """Everything in turns, each cut off somewhere; nothing is put back in between."""
    monkeypatch.setattr(SMALL, 5)
    chance = random.Random(11)
    acknowledged = {}
    shared = [chance.randbytes(4000) for _ in range(8)]

    def capture(store):
        repository = bench.open(store)
        contents = [chance.choice(shared), chance.randbytes(1500)]
        with repository.lock() as hold:
            acknowledged[write_snapshot(repository, contents)] = contents
            repository.merge_index(hold)

    def drop(store):
        repository = bench.open(store)
        with repository.lock(exclusive=True):
            for name in chance.sample(sorted(acknowledged), len(acknowledged) // 3):
                # Asked for is as good as done, for whoever asked.
                del acknowledged[name]
                forget(repository, name)

    def clean(store):
        repository = bench.open(store)
        marks = Marks(FaultyWrites(LocalStore(bench.directory / "upkeep"), fault), repository.id)
        with repository.lock(exclusive=True) as hold:
            repository.prune(marks, hold)

    def repair(store):
        repository = bench.open(store)
        with repository.lock(exclusive=True) as hold:
            repository.repair_index(hold)

    works = [capture, capture, capture, clean, clean, drop, repair]
    crashed = 0
    end = time.monotonic() + 60
    while time.monotonic() < end and bench.cases < 150:
        fault = Fault(chance.randrange(12), chance.choice(["before", "after", "lost"]))
        with suppress(Crash, StorageError):
            chance.choice(works)(FaultyWrites(bench.store, fault))
        crashed += fault.left < 0
        bench.cases += 1
        bench.contents |= acknowledged
        bench.verify(acknowledged)
        if chance.random() < 0.4:
            pass_time(bench.store)
    assert crashed > bench.cases // 3
    fault = Fault(10**9, "none")
    clean(bench.store)
    bench.verify(acknowledged)
