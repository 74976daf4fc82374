"""Everything at once, and everything in turns with a crash at each."""

import random
import threading
import time
from functools import partial

import pytest
from faults import Fault
from history import forget, write_snapshot
from oracle import PASSWORD

from jupyter_storage.errors import Conflict
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.marks import Marks

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SMALL = "jupyter_storage.snapshots.repository.merging._MOST_SMALL"


def marks_of(bench, repository, fault=None):
    return Marks(bench.faulty(fault or Fault(), "upkeep"), repository.id)


def test_two_writers_a_pruner_and_stock_restic_at_once(bench, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.locks._WAIT", 0.2)
    monkeypatch.setattr(SMALL, 4)
    Repository.create(bench.store, PASSWORD).close()
    restic = bench.restic()
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
                    repository.prune(marks_of(bench, repository), hold)
                bench.pass_a_day()
                count("passes")
            except Conflict:
                count("conflicts")
            time.sleep(chance.uniform(0, 0.3))

    def stock():
        while not done.wait(1):
            try:
                restic("prune", "--max-unused", "0")
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
    time.sleep(6)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    for name in acknowledged.keys() - forgotten:
        files = enumerate(acknowledged[name])
        bench.acknowledged[name] = {f"file{number}": content for number, content in files}
    bench.unlock()
    bench.verify()
    assert counts["snapshots"] > 5
    assert counts["passes"] > 1
    bench.cases = counts["passes"] + counts["conflicts"] + counts["begun again"]


def test_a_long_life_with_a_crash_at_every_turn(bench, monkeypatch):
    """Everything in turns, each cut off somewhere; nothing is put back in between."""
    monkeypatch.setattr(SMALL, 5)
    chance = random.Random(11)
    shared = [chance.randbytes(4000) for _ in range(8)]
    Repository.create(bench.store, PASSWORD).close()

    def capture(repository, fault):
        contents = [chance.choice(shared), chance.randbytes(1500)]
        with repository.lock() as hold:
            name = write_snapshot(repository, contents)
            bench.acknowledged[name] = {f"file{n}": each for n, each in enumerate(contents)}
            repository.merge_index(hold)

    def drop(repository, fault):
        with repository.lock(exclusive=True):
            there = sorted(bench.acknowledged)
            for name in chance.sample(there, len(there) // 3):
                # Asked for is as good as done, for whoever asked.
                del bench.acknowledged[name]
                forget(repository, name)

    def clean(repository, fault):
        with repository.lock(exclusive=True) as hold:
            repository.prune(marks_of(bench, repository, fault), hold)

    def repair(repository, fault):
        with repository.lock(exclusive=True) as hold:
            repository.repair_index(hold)

    def one_of(work, fault):
        work(bench.open(fault), fault)

    works = [capture, capture, capture, clean, clean, drop, repair]
    for turn in range(100):
        fault = Fault(chance.randrange(12), chance.choice(["before", "after", "lost"]))
        bench.attempt(partial(one_of, chance.choice(works)), fault, seed=turn)
        bench.cases += fault.met
        bench.unlock()
        bench.verify()
        if chance.random() < 0.4:
            bench.pass_a_day()
    assert bench.cases > 30
    clean(bench.open(), Fault())
    bench.verify()
