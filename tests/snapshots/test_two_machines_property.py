"""Whatever two machines do to one workspace, neither loses anything."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle import PASSWORD, Restic

from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.lease import EXPIRY, INTERVAL, Lease, this_process
from jupyter_storage.snapshots.line import Line
from jupyter_storage.snapshots.repository import Repository, crypto, locks
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.snapshots.views import age, epoch_of, fork_of, newest, to_record
from jupyter_storage.stores.local import LocalStore

TAG = "workspace:w"
MACHINES = st.integers(0, 1)

pytestmark = [pytest.mark.slow, pytest.mark.faults]


class Machine:
    """A machine with a project directory, a state and a clock of its own; it starts again often."""

    def __init__(self, root: Path, store: LocalStore, number: int):
        self.root, self.store, self.number = root / f"machine{number}", store, number
        self.project = self.root / "project"
        self.now = 1000.0 * number
        self.starts = self.edits = 0
        self.heading = None
        self.project.mkdir(parents=True)
        self.start()

    def start(self):
        """As a new process on a machine that was started again."""
        self.starts += 1
        me = replace(this_process(), host=f"m{self.number}", boot=str(self.starts))
        self.lease = Lease(
            LocalStore(self.store.root),
            records=self.root / "state/lease/w",
            locks=self.root / "state/locks",
            me=me,
            clock=lambda: self.now,
        )
        self.line = Line(
            self.lease, tag=TAG, state=self.root / "state/lease/w.json", newest=self.newest
        )
        self.heading = None

    def repository(self):
        return Repository.open(
            LocalStore(self.store.root / "snapshots"), PASSWORD, cache=self.root / "cache"
        )

    def newest(self):
        return newest(self.repository().snapshots(), [TAG])


class TwoMachines(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp())
        self.store = LocalStore(self.root / "bucket")
        Repository.create(LocalStore(self.store.root / "snapshots"), PASSWORD).close()
        self.machines = [Machine(self.root, self.store, number) for number in (0, 1)]
        # ID of each acknowledged snapshot → machine, and what the project directory held.
        self.taken = {}
        self.where = {}

    def teardown(self):
        if hasattr(self, "root"):
            restic = Restic(str(self.store.root / "snapshots"), self.root)
            restic.check()
            shutil.rmtree(self.root)

    @rule(number=MACHINES)
    def edit(self, number):
        machine = self.machines[number]
        machine.edits += 1
        (machine.project / f"file{machine.edits % 3}").write_text(f"{number}:{machine.edits}")

    @rule(number=MACHINES)
    def look(self, number):
        machine = self.machines[number]
        machine.heading = machine.line.sync()

    @rule(number=MACHINES)
    def take_a_snapshot(self, number):
        self.look(number)
        self.finish_a_snapshot(number)

    @rule(number=MACHINES)
    def finish_a_snapshot(self, number):
        """Of a machine that looked some time ago, and may have been overtaken since."""
        machine = self.machines[number]
        if (heading := machine.heading) is None:
            return
        repository = machine.repository()
        record = capture(
            repository,
            machine.project,
            tags=heading.tags,
            lineage=heading.lineage,
            force=heading.joins,
            lock=repository.lock(records=machine.root / "state/locks", patient=True),
        )
        machine.line.captured(record, heading)
        machine.heading = None
        if record.id not in self.taken:
            content = {path.name: path.read_text() for path in machine.project.iterdir()}
            self.taken[record.id] = content
            self.where[record.id] = number

    @rule(number=MACHINES, seconds=st.sampled_from([1.0, INTERVAL, EXPIRY + 1]))
    def time_passes(self, number, seconds):
        self.machines[number].now += seconds

    @rule(number=MACHINES)
    def the_machine_dies(self, number):
        self.machines[number].start()

    @rule(number=MACHINES)
    def the_server_stops(self, number):
        self.machines[number].line.release()
        self.machines[number].start()

    @rule(number=MACHINES)
    def a_person_takes_over(self, number):
        self.machines[number].line.take_over()
        self.take_a_snapshot(number)

    @rule(number=MACHINES)
    def it_is_taken_on_an_old_view(self, number):
        """As between the look and the creation of two who take it at the same moment."""
        machine = self.machines[number]
        if machine.lease.take():
            self.take_a_snapshot(number)

    @rule(number=MACHINES)
    def another_machine_comes_in_its_place(self, number):
        old = self.machines[number]
        shutil.rmtree(old.project)
        shutil.rmtree(old.root / "state", ignore_errors=True)
        old.project.mkdir()
        old.start()
        if (main := old.newest()) is not None:
            repository = old.repository()
            repository.refresh()
            assert restore(repository, main, old.project).failures == ()
            old.line.restored(to_record(main))

    @invariant()
    def at_most_one_holds_the_highest_epoch(self):
        if hasattr(self, "machines"):
            names = [path.name for path in (self.store.root / "snapshots.lease").glob("epoch-*")]
            highest = max((int(name.split("-")[1]) for name in names), default=0)
            holders = [m for m in self.machines if m.lease.held and m.lease.highest == highest]
            assert len(holders) <= 1

    @invariant()
    def no_snapshot_is_lost_and_each_line_is_one_machine_s(self):
        if not hasattr(self, "machines"):
            return
        repository = self.machines[0].repository()
        snapshots = {snapshot.id: snapshot for snapshot in repository.snapshots()}
        assert set(self.taken) == set(snapshots)
        writers = {}
        for identifier, snapshot in snapshots.items():
            line = (fork_of(snapshot.tags), fork_of(snapshot.tags) or epoch_of(snapshot.tags))
            number = self.where[identifier]
            assert writers.setdefault(line, number) == number
            if fork_of(snapshot.tags) and snapshot.parent:
                assert self.where[snapshot.parent] == number
        main = [snapshot for snapshot in snapshots.values() if not fork_of(snapshot.tags)]
        if main:
            newest_one = newest(list(snapshots.values()), [TAG])
            assert age(newest_one) == max(map(age, main))

    @rule(data=st.data())
    def any_snapshot_comes_back(self, data):
        if self.taken:
            identifier = data.draw(st.sampled_from(sorted(self.taken)))
            repository = self.machines[0].repository()
            repository.refresh()
            found = next(s for s in repository.snapshots() if s.id == identifier)
            target = Path(tempfile.mkdtemp(dir=self.root))
            assert restore(repository, found, target).failures == ()
            assert {p.name: p.read_text() for p in target.iterdir()} == self.taken[identifier]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(locks, "_WAIT", 0.0)
    # A key that is quick to derive: thousands of times a repository is opened here.
    monkeypatch.setattr(crypto, "_N", 2)


TestTwoMachines = pytest.mark.timeout(280)(TwoMachines.TestCase)
TestTwoMachines.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_fork_does_not_go_on_from_what_another_machine_took():
    state = TwoMachines()
    state.begin()
    for number in (1, 0, 1):
        # Nothing changes: the one snapshot that there is stands for all three.
        state.a_person_takes_over(number=number)
    state.edit(number=0)
    state.take_a_snapshot(number=0)
    state.no_snapshot_is_lost_and_each_line_is_one_machine_s()
    state.teardown()
