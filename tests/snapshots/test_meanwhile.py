"""What others do in the middle of some work, lists that are behind, and clocks that are wrong."""

import os
import shutil
import time
from contextlib import suppress

import pytest
from faults import READS, WRITES
from history import forget, write_snapshot
from test_faults import TAGS, acknowledge, made, one_pass, snapshots

from jupyter_storage.errors import Conflict
from jupyter_storage.snapshots.capture import take
from jupyter_storage.snapshots.maintenance import forget as thin
from jupyter_storage.snapshots.repository import locks
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.snapshots.retention import parse_policy
from jupyter_storage.snapshots.views import newest

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def writing(bench, fault=None):
    """A snapshot of something new, and of something that others have as well."""
    repository = bench.open(fault)
    contents = [b"shared" * 700, bench.chance.random.randbytes(2000)]
    with repository.lock() as hold:
        name = write_snapshot(repository, contents)
        bench.acknowledged[name] = {f"file{n}": each for n, each in enumerate(contents)}
        repository.merge_index(hold)
    repository.close()


def merging(bench, fault=None):
    repository = bench.open(fault)
    with repository.lock() as hold:
        repository.refresh()
        repository.merge_index(hold)
    repository.close()


def thinning(bench, fault=None):
    repository = bench.open(fault)
    with repository.lock(exclusive=True) as hold:
        thin(repository, parse_policy("all for 1d"), now(), hold)
    repository.close()


def repairing(bench, fault=None):
    repository = bench.open(fault)
    with repository.lock(exclusive=True) as hold:
        repository.repair_index(hold)
    repository.close()


WORKS = [writing, merging, thinning, one_pass, repairing]


@pytest.fixture
def busy(bench, monkeypatch):
    """A repository with some waste, the marks of a pass, and many small index files."""
    monkeypatch.setattr("jupyter_storage.snapshots.repository.merging._MOST_SMALL", 3)
    made(bench)
    old = snapshots(bench, 2, age=100 * 86400)
    snapshots(bench, 1)
    writing(bench)
    # Needed in part, from here on; and in another part by one that lists may not have yet.
    parts = [bench.chance.random.randbytes(40_000) for _ in range(3)]
    whole = write_snapshot(bench.open(), parts)
    bench.acknowledged[write_snapshot(bench.open(), parts[:1])] = {"file0": parts[0]}
    forget(bench.open(), whole)
    bench.keep("past")
    for name in old:
        del bench.acknowledged[name]
    forget(bench.open(), old[0])
    one_pass(bench)
    bench.pass_a_day()
    snapshots(bench, 2)
    bench.acknowledged[write_snapshot(bench.open(), parts[1:2])] = {"file0": parts[1]}
    writing(bench)
    snapshots(bench, 4)
    bench.keep()
    return bench


@pytest.mark.parametrize("how", ["stale", "stale_once"])
@pytest.mark.parametrize("work", WORKS)
def test_lists_that_are_behind_lose_nothing(busy, work, how):
    """They lack what is newest, and have what is gone: any of them, or all from some point on."""
    busy.sweep(lambda fault: work(busy, fault), how, verbs={"list"}, past=busy.past())


@pytest.mark.parametrize("other", [writing, merging, one_pass])
@pytest.mark.parametrize("work", WORKS)
def test_what_another_does_at_any_moment_loses_nothing(busy, work, other):
    def meanwhile():
        # Locks turn away one of the two, or neither.
        with suppress(Conflict):
            other(busy)

    verbs = WRITES | READS
    busy.sweep(lambda fault: work(busy, fault), "meanwhile", verbs=verbs, past=meanwhile)


@pytest.fixture
def sleepy(bench, monkeypatch):
    """A project directory whose content is in the repository, but in no snapshot any more."""
    bench.slept = 0.0
    elapsed = locks.elapsed
    monkeypatch.setattr(locks, "elapsed", lambda: elapsed() + bench.slept)
    project = bench.base / "project"
    project.mkdir()
    made(bench)
    first = b"first" * 5000
    (project / "file").write_bytes(first)
    forgotten = take(bench.open(), project, tags=TAGS)
    (project / "file").write_bytes(b"second" * 5000)
    acknowledge(bench, take(bench.open(), project, tags=TAGS), project)
    forget(bench.open(), forgotten.record.id)
    (project / "file").write_bytes(first)
    bench.keep()

    def days():
        """Everybody else takes the sleeper for dead, and prunes as soon as that is allowed."""
        shutil.rmtree(bench.store.root / "locks")
        one_pass(bench)
        bench.pass_a_day()
        one_pass(bench)
        bench.slept += 2 * 86400

    def snapshot(fault):
        repository = bench.open(fault)
        acknowledge(bench, take(repository, project, tags=TAGS), project)

    return bench, snapshot, days


def test_who_sleeps_for_days_in_the_middle_of_a_snapshot_loses_nothing(sleepy):
    bench, snapshot, days = sleepy
    bench.sweep(snapshot, "meanwhile", verbs=WRITES | READS, past=days)
    assert len(bench.acknowledged) == 2


def test_a_snapshot_after_the_clock_was_put_back_is_the_newest(bench):
    project = bench.base / "project"
    project.mkdir()
    made(bench)
    taken = []
    for skew in (0, -3600, -7200, 3600, 0, -86400):
        bench.chance.skew = skew * 10**9
        (project / "file").write_text(str(skew))
        repository = bench.open()
        taken.append(take(repository, project, tags=TAGS))
        acknowledge(bench, taken[-1], project)
        latest = newest(repository.snapshots(), TAGS)
        assert latest.id == taken[-1].record.id
        assert latest.parent == (taken[-2].record.id if len(taken) > 1 else None)
        repository.close()
        bench.cases += 1
    bench.verify()


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
def test_a_lock_counts_whatever_the_clock_of_its_holder_says(bench, hours):
    made(bench)
    bench.chance.right()
    bench.chance.skew = hours * 3600 * 10**9
    with bench.open().lock():
        bench.chance.skew = 0
        with pytest.raises(Conflict), bench.open().lock(exclusive=True):
            pass
    bench.cases += 1


def test_a_dead_lock_goes_stale_whatever_the_clock_of_its_holder_says(bench):
    made(bench)
    bench.chance.right()
    bench.chance.skew = 86400 * 10**9
    with bench.open().lock():
        (path,) = (bench.store.root / "locks").iterdir()
        content = path.read_bytes()
    bench.chance.skew = 0
    path.write_bytes(content)
    with pytest.raises(Conflict), bench.open().lock(exclusive=True):
        pass
    moment = path.stat().st_mtime - 3600
    os.utime(path, (moment, moment))
    with bench.open().lock(exclusive=True):
        pass
    bench.cases += 1


def test_a_lock_is_not_renewed_by_a_machine_that_slept_for_too_long(bench, monkeypatch):
    elapsed, slept = locks.elapsed, 0.0
    monkeypatch.setattr(locks, "elapsed", lambda: elapsed() + slept)
    monkeypatch.setattr(locks, "_REFRESH", 0.02)
    made(bench)
    with bench.open().lock() as hold:
        hold()
        (before,) = os.listdir(bench.store.root / "locks")
        while os.listdir(bench.store.root / "locks") == [before]:
            time.sleep(0.01)
        slept = 1800.0
        time.sleep(0.1)
        with pytest.raises(Conflict):
            hold()
    bench.cases += 1
