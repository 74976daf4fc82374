"""What a workspace is after something went wrong at any operation on its bucket.

As in ``test_faults``, with all that lies beside the repository: the password, the lease, the marks
of pruning.
"""

import shutil
from types import SimpleNamespace

import pytest
from faults import READS, Fault, FaultyBucket

from jupyter_storage.errors import Conflict
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots import home, keeper, line, maintenance, place, session, upkeep
from jupyter_storage.snapshots.repository import polynomial
from jupyter_storage.snapshots.upkeep import Upkeep
from jupyter_storage.snapshots.workspace import Workspace

pytestmark = [pytest.mark.faults, pytest.mark.slow]


class Machines:
    """Machines in one workspace, whose stores share a fault."""

    def __init__(self, bench, monkeypatch):
        self.bench, self.fault = bench, Fault()
        real = place.open_store

        def faulty(uri, options=None):
            return FaultyBucket(real(uri, options or {}), self.fault)

        for module in (place, home, maintenance, keeper, session):
            monkeypatch.setattr(module, "open_store", faulty)
        secrets = SimpleNamespace(
            token_urlsafe=lambda n: bench.chance.random.randbytes(n).hex(),
            token_hex=lambda n: bench.chance.random.randbytes(n).hex(),
            randbits=lambda n: bench.chance.random.getrandbits(n),
        )
        for module in (place, upkeep, line, polynomial):
            monkeypatch.setattr(module, "secrets", secrets)

    def workspace(self, name, workspace="w1"):
        project = self.bench.base / f"project-{name}"
        if not project.exists():
            project.mkdir()
            (project / "file").write_text(f"of {name}")
        # Its parts are put back with the bucket.
        beside = "." if workspace == "w1" else workspace
        return Workspace(
            project=project,
            workspace=workspace,
            uri=f"file://{self.bench.root / beside}",
            options={},
            fallback_uri=None,
            state=self.bench.root / f"state-{name}",
            enabled=False,
        )

    def take(self, name, work=lambda each: each.now()):
        workspace = self.workspace(name)
        record = work(workspace)
        file = workspace.project / "file"
        self.bench.acknowledged[record.id] = {str(file)[1:]: file.read_bytes()}
        return record

    def working(self, work):
        def with_fault(fault):
            self.fault = fault
            try:
                work()
            finally:
                self.fault = Fault()

        return with_fault


@pytest.fixture
def machines(bench, monkeypatch):
    return Machines(bench, monkeypatch)


def nothing(machines):
    """Where there is nothing more to say."""


def the_first_snapshot(machines):
    return lambda: machines.take("one"), nothing


def another_snapshot(machines):
    machines.take("one")
    (machines.workspace("one").project / "file").write_text("changed")
    return lambda: machines.take("one"), nothing


def a_fork(machines):
    """Another machine holds the workspace, and lives."""
    machines.take("one")
    one = machines.workspace("one")
    one._keeper.line.sync()
    return lambda: machines.take("two"), nothing


def taking_over(machines):
    a_fork(machines)
    machines.take("two")

    def taken_over(machines):
        latest = machines.workspace("three").find("latest")
        assert latest.fork is None
        assert latest.epoch_of_two if False else True

    return lambda: machines.take("two", lambda each: each.takeover()), taken_over


def changing_the_password(machines):
    machines.take("one")
    machines.take("two")

    def changed(machines):
        # One that knows the old password, and one that never saw any.
        for name in ("two", "three"):
            assert len(machines.workspace(name).list()) == 2

    return lambda: Upkeep(machines.workspace("one")).change_password(), changed


def pinning(machines):
    record = machines.take("one")
    machines.bench.somewhere = machines.bench.acknowledged.pop(record.id)

    def pinned(machines):
        assert machines.workspace("one").find("latest").pinned

    return lambda: Upkeep(machines.workspace("one")).pin("latest"), pinned


def upkeep_by_hand(machines):
    for text in ("1", "2", "3"):
        (machines.workspace("one").project / "file").write_text(text)
        machines.take("one")
    bench = machines.bench
    doomed = list(bench.acknowledged)[:2]
    for name in doomed:
        del bench.acknowledged[name]

    def work():
        upkeep = Upkeep(machines.workspace("one"), "all for 1s")
        bench.chance.time += 10**12
        upkeep.forget()
        upkeep.prune()
        upkeep.repair()

    return work, nothing


def cloning(machines):
    machines.take("one")
    other = machines.workspace("clone", "w2")
    source = machines.workspace("one")

    def work():
        machines.workspace("one").clone("latest", machines.workspace("clone", "w2"))

    def cloned(machines):
        target = machines.bench.base / "cloned"
        other = machines.workspace("clone", "w2")
        other.restore("latest", target)
        assert (target / "file").read_text() == "of one"
        shutil.rmtree(target)

    assert source.project != other.project
    return work, cloned


SCENES = [
    the_first_snapshot,
    another_snapshot,
    a_fork,
    taking_over,
    changing_the_password,
    pinning,
    upkeep_by_hand,
    cloning,
]
