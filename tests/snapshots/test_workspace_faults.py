"""What a workspace is after something went wrong at any operation on its bucket.

As in ``test_faults``, with all that lies beside the repository: the password, the lease, the marks
of pruning.
"""

import shutil
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from faults import READS, Fault, FaultyBucket
from oracle import Restic

from jupyter_storage.errors import AlreadyExists
from jupyter_storage.snapshots import home, keeper, lease, line, maintenance, place, session, upkeep
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
            randbits=bench.chance.random.getrandbits,
        )
        for module in (place, upkeep, line, polynomial):
            monkeypatch.setattr(module, "secrets", secrets)
        process, self.host = lease.this_process, ""
        monkeypatch.setattr(lease, "this_process", lambda: replace(process(), host=self.host))

    def workspace(self, name, workspace="w1"):
        self.host = name
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


def newest_of(machines):
    """What a new machine would begin with."""
    latest = machines.workspace("three").find("latest")
    (content,) = machines.bench.acknowledged[latest.id].values()
    return content


def the_first_snapshot(machines):
    return lambda: machines.take("one"), nothing


def another_snapshot(machines):
    machines.take("one")
    (machines.workspace("one").project / "file").write_text("changed")
    return lambda: machines.take("one"), nothing


def a_fork(machines):
    """Another machine holds the workspace, and lives."""
    machines.take("one")
    machines.workspace("one")._keeper.line.sync()

    def forked(machines):
        assert newest_of(machines) == b"of one"

    return lambda: machines.take("two"), forked


def taking_over(machines):
    a_fork(machines)
    machines.take("two")

    def taken_over(machines):
        assert newest_of(machines) == b"of two"

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
    machines.bench.somewhere.append(machines.bench.acknowledged.pop(record.id))

    def pinned(machines):
        assert "pinned" in machines.workspace("one").find("latest").tags

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
        upkeep.forget()
        upkeep.prune()
        upkeep.repair()

    return work, nothing


def cloning(machines):
    machines.take("one")
    target = machines.bench.base / "cloned"

    def work():
        # One that was finished is not begun again.
        with suppress(AlreadyExists):
            machines.workspace("one").clone("latest", machines.workspace("clone", "w2"))

    def cloned(machines):
        clone = machines.workspace("clone", "w2")
        clone.restore("latest", target)
        assert (target / "file").read_text() == "of one"
        shutil.rmtree(target)
        variables = clone.environment()
        restic = Restic(variables.pop("RESTIC_REPOSITORY"), machines.bench.base, **variables)
        restic.end_check(restic.begin_check())

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


def sweep(machines, scene, how, **options):
    work, done = scene(machines)
    machines.bench.keep()
    machines.bench.sweep(machines.working(work), how, done=lambda: done(machines), **options)


@pytest.mark.parametrize("how", ["before", "after", "lost", "refused", "twice", "late", "down"])
@pytest.mark.parametrize("scene", SCENES)
def test_at_any_write_beside_or_in_the_repository(machines, scene, how):
    sweep(machines, scene, how)


@pytest.mark.parametrize("scene", SCENES)
def test_at_any_look_beside_or_into_the_repository(machines, scene):
    sweep(machines, scene, "refused", verbs=READS)
