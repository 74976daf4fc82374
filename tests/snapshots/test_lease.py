"""The lease: who holds a workspace, on stores that keep two apart and on stores that do not."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from memory_store import MemoryStore

from jupyter_storage.errors import Unreachable
from jupyter_storage.snapshots.lease import EXPIRY, INTERVAL, Lease, this_process
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Forgetful(ForwardingStore):
    """Takes any exclusive creation, as S3 servers did before there were conditional writes."""

    def create(self, key, *, exclusive=False, **options):
        return self.inner.create(key, **options)

    def write(self, key, data, *, exclusive=False, **options):
        return self.inner.write(key, data, **options)


@pytest.fixture(params=["directory", "s3"])
def bucket(request, tmp_path):
    """A store, and how another process opens it."""
    if request.param == "s3":
        uri = f"s3://{request.getfixturevalue('s3_bucket')}/org/cloud/workspaces/w1"
    else:
        uri = f"file://{tmp_path}/bucket"
    store = open_store(uri)
    yield store
    store.close()


@pytest.fixture
def machine(tmp_path):
    """A lease as another machine has it: with a clock and records of its own."""

    def machine(store, name, clock=None):
        me = replace(this_process(), host=name, boot=name)
        return Lease(
            store,
            records=tmp_path / name / "lease",
            locks=tmp_path / name / "locks",
            me=me,
            clock=clock or Clock(),
            sleep=lambda seconds: None,
        )

    return machine


def test_the_first_who_comes_holds_it_and_the_second_sees_who(bucket, machine):
    one, two = machine(bucket, "one"), machine(bucket, "two")
    one.sync()
    assert one.is_free()
    assert one.take()
    two.sync()
    assert (one.held, one.epoch, one.guarded) == (True, 1, True)
    assert (two.held, two.is_free(), two.highest) == (False, False, 1)
    assert str(two.holder).endswith("@one")


def test_a_holder_that_is_heard_of_lives_whatever_the_clocks_say(bucket, machine):
    here, there = Clock(), Clock()
    there.now = 10**9
    one, two = machine(bucket, "one", here), machine(bucket, "two", there)
    one.sync()
    one.take()
    for _ in range(10):
        here.now += INTERVAL
        one.sync()
        there.now += EXPIRY - 1
        two.sync()
        assert not two.is_free()
    there.now += EXPIRY + 1
    two.sync()
    assert two.is_free()
    here.now += INTERVAL
    one.sync()
    two.sync()
    assert not two.is_free()


def test_a_dead_holder_is_followed_and_his_locks_go(bucket, machine, tmp_path):
    clock = Clock()
    one, two = machine(bucket, "one"), machine(bucket, "two", clock)
    mine, other = "a" * 64, "b" * 64
    (tmp_path / "one/locks").mkdir(parents=True)
    (tmp_path / "one/locks" / mine).touch()
    bucket.write(f"snapshots/locks/{mine}", b"x")
    bucket.write(f"snapshots/locks/{other}", b"x")
    one.sync()
    one.take()
    two.sync()
    clock.now += EXPIRY + 1
    two.sync()
    assert two.is_free()
    assert two.take()
    assert [entry.name for entry in bucket.list("snapshots/locks").entries] == [other]
    one.sync()
    assert (one.held, one.highest, two.held, two.epoch) == (False, 2, True, 2)


def test_the_locks_of_a_holder_who_lives_stay(bucket, machine, tmp_path):
    one, two = machine(bucket, "one"), machine(bucket, "two")
    (tmp_path / "one/locks").mkdir(parents=True)
    (tmp_path / "one/locks" / ("a" * 64)).touch()
    bucket.write(f"snapshots/locks/{'a' * 64}", b"x")
    one.sync()
    one.take()
    two.sync()
    assert two.take()
    assert len(bucket.list("snapshots/locks").entries) == 1


def test_what_was_given_back_is_free_at_once(bucket, machine):
    one, two = machine(bucket, "one"), machine(bucket, "two")
    one.sync()
    one.take()
    one.release()
    one.sync()
    assert not one.held
    two.sync()
    assert two.is_free()
    assert two.take()
    one.sync()
    assert (one.held, one.is_free()) == (False, False)


def test_of_many_who_take_it_at_once_one_holds_it(bucket, machine):
    leases = [machine(bucket, f"m{number}") for number in range(6)]
    for lease in leases:
        lease.sync()
    together = threading.Barrier(len(leases))
    taken = []

    def take(lease):
        together.wait()
        taken.append(lease.take())

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 5 + [True]
    for lease in leases:
        lease.sync()
    assert sum(lease.held for lease in leases) == 1


class Unanswered(ForwardingStore):
    """Does what it is asked, and loses the answer."""

    lost = 0

    def write(self, key, data, **options):
        entry = self.inner.write(key, data, **options)
        if self.lost and "/epoch-" in key:
            self.lost -= 1
            raise Unreachable("The connection was cut")
        return entry


def test_an_answer_that_was_lost_is_no_loss(machine):
    memory = MemoryStore()
    store = Unanswered(memory)
    one, two = machine(store, "one"), machine(memory, "two")
    one.sync()
    store.lost = 1
    with pytest.raises(Unreachable):
        one.take()
    one.sync()
    assert (one.held, one.epoch) == (True, 1)
    two.sync()
    assert not two.is_free()


def test_a_store_that_takes_both_is_found_out_and_the_last_writer_holds_it(machine):
    memory = MemoryStore()
    store = Forgetful(memory)
    one, two = machine(store, "one"), machine(store, "two")
    one.sync()
    two.sync()
    assert one.take()
    assert one.guarded is False
    assert not [name for name in memory.objects if "probe" in name]
    # Two looked before he wrote, and wrote after him.
    content = json.dumps(json.loads(memory.objects["snapshots.lease/epoch-00000001"][0]))
    memory.write("snapshots.lease/epoch-00000001", content.replace(one.me.id, two.me.id).encode())
    one.sync()
    two.sync()
    assert (one.held, two.held) == (False, True)


class OnlyLooks(LocalStore):
    def creates_exclusively(self):
        return False


def test_a_store_that_only_looks_first_is_not_trusted(machine, tmp_path):
    store = OnlyLooks(tmp_path / "bucket")
    one = machine(store, "one")
    one.sync()
    assert one.take()
    assert one.guarded is False
    two = machine(store, "two")
    two.highest = 0
    assert not two.take()
    assert str(two.holder).endswith("@one")


def test_who_cleaned_up_does_not_make_two_holders(bucket, machine):
    one, two = machine(bucket, "one"), machine(bucket, "two")
    for lease in (one, two, one):
        lease.sync()
        lease.take()
    assert one.epoch == 3
    bucket.delete_directory("snapshots.lease")
    two = machine(bucket, "two")
    two.sync()
    assert two.take()
    one.sync()
    two.sync()
    assert (one.held, two.held) == (True, False)


def test_old_epochs_do_not_pile_up(bucket, machine):
    leases = [machine(bucket, "one"), machine(bucket, "two")]
    for number in range(24):
        leases[number % 2].sync()
        assert leases[number % 2].take()
    assert len(bucket.list("snapshots.lease").entries) <= 22


HOLD = """
import sys, time
from pathlib import Path
from jupyter_storage.snapshots.lease import Lease
from jupyter_storage.stores.opening import open_store
lease = Lease(open_store(sys.argv[1]), records=Path(sys.argv[2]), locks=Path(sys.argv[3]))
lease.sync()
assert lease.take()
print("held", flush=True)
time.sleep(600)
"""


def test_a_process_of_this_machine_that_was_killed_is_followed_at_once(bucket, tmp_path):
    records, locks = tmp_path / "lease", tmp_path / "locks"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, bucket.uri, str(records), str(locks)],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ},
    )
    try:
        assert child.stdout.readline() == b"held\n"
        lease = Lease(bucket, records=records, locks=locks)
        lease.sync()
        # It is for the same directory, so it writes the same line.
        assert (lease.is_free(), lease.shared) == (False, True)
        child.send_signal(signal.SIGKILL)
        child.wait()
        lease.sync()
        assert lease.is_free()
        assert lease.take()
        assert len(os.listdir(records)) == 1
        elsewhere = Lease(bucket, records=tmp_path / "other", locks=locks)
        elsewhere.sync()
        assert (elsewhere.is_free(), elsewhere.shared) == (False, False)
        lease.release()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


CRASHING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from jupyter_storage.snapshots.lease import Lease, this_process
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.opening import open_store

class Killed(ForwardingStore):
    left = int(sys.argv[3])
    def _count(self, action):
        if self.left == 0 and sys.argv[4] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = action()
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return result
    def write(self, key, data, **options):
        return self._count(lambda: self.inner.write(key, data, **options))
    def delete(self, key):
        return self._count(lambda: self.inner.delete(key))

clock = [0.0]
me = replace(this_process(), host="two", boot="two")
lease = Lease(Killed(open_store(sys.argv[1])), records=Path(sys.argv[2]), locks=Path(sys.argv[2]),
              me=me, clock=lambda: clock[0])
lease.sync()
clock[0] += 61
lease.sync()
assert lease.is_free()
assert lease.take()
print("done")
"""


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(6))
def test_killed_while_it_takes_over_a_process_leaves_one_who_can_be_followed(
    tmp_path, machine, at, moment
):
    store = LocalStore(tmp_path / "bucket")
    one, clock = machine(store, "one"), Clock()
    (tmp_path / "one/locks").mkdir(parents=True)
    (tmp_path / "one/locks" / ("a" * 64)).touch()
    store.write(f"snapshots/locks/{'a' * 64}", b"x")
    one.sync()
    one.take()
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, store.uri, str(tmp_path / "two"), str(at), moment],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    three = machine(store, "three", clock)
    three.sync()
    one.sync()
    assert one.held == (three.highest == 1)
    clock.now += EXPIRY + 1
    three.sync()
    assert three.is_free()
    assert three.take()
    one.sync()
    assert (three.held, one.held) == (True, False)
    assert three.epoch in {2, 3}
