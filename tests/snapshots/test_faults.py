"""What a repository is after something went wrong at any one of its operations.

A scene is one kind of work. It is done again and again on the same repository, and something else
goes wrong each time: the process dies before or after an operation, an answer is lost, a request
is refused, comes twice, or comes late, or the store is away from then on. Afterwards everything
that was acknowledged is there to the byte, and all versions of restic at hand find no error; also
after the same work was then done to its end.
"""

import os
import shutil

import pytest
from faults import READS, WRITES, Fault
from history import forget, packs, write_snapshot

from jupyter_storage.snapshots.capture import Changes, Memory, take
from jupyter_storage.snapshots.maintenance import forget as thin
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.snapshots.retention import parse_policy
from jupyter_storage.snapshots.session import Session

pytestmark = [pytest.mark.faults, pytest.mark.slow]

TAGS = ("workspace:w",)
PASSWORDS = ("correct horse", "battery staple")


def nothing():
    """Where there is nothing more to say."""


def made(bench):
    Repository.create(bench.store, PASSWORDS[0]).close()


def snapshots(bench, count, size=3000, age=0):
    """Write snapshots of one file each, and acknowledge them."""
    repository = bench.open()
    for _ in range(count):
        content = bench.chance.random.randbytes(size)
        name = write_snapshot(repository, [content], age=age)
        bench.acknowledged[name] = {"file0": content}
    repository.close()
    return list(bench.acknowledged)[-count:]


def project_of(bench):
    """A project directory that is the same in each case."""
    project = bench.base / "project"
    (project / "sub/deep").mkdir(parents=True)
    for number in range(6):
        content = bench.chance.random.randbytes(9000)
        (project / f"sub/file{number}").write_bytes(content)
    (project / "sub/deep/notebook.ipynb").write_text("{}")
    return project


def acknowledge(bench, taken, project):
    files = (path for path in project.rglob("*") if path.is_file())
    bench.acknowledged[taken.record.id] = {str(path)[1:]: path.read_bytes() for path in files}


def making_and_the_first_snapshot(bench, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.packs.TARGET", 20_000)
    project = project_of(bench)
    bench.keep()

    def work(fault):
        repository = Repository.create(bench.faulty(fault), PASSWORDS[0])
        acknowledge(bench, take(repository, project, tags=TAGS), project)
        repository.close()

    return work, nothing


def an_increment(bench, monkeypatch):
    project = project_of(bench)
    made(bench)
    base = take(bench.open(), project, tags=TAGS)
    acknowledge(bench, base, project)
    (project / "sub/file1").write_bytes(b"changed" * 900)
    (project / "sub/deep/new").write_bytes(b"new")
    (project / "sub/file2").unlink()
    marks = [("sub/file1", False), ("sub/deep/new", False), ("sub/file2", False)]
    bench.keep()

    def work(fault):
        repository = bench.open(fault)
        changes = Changes(base.tree, marks)
        taken = take(repository, project, tags=TAGS, changes=changes, memory=Memory(repository))
        acknowledge(bench, taken, project)
        repository.close()

    return work, nothing


def merging_the_index(bench, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.merging._MOST_SMALL", 6)
    made(bench)
    snapshots(bench, 8)
    bench.keep()

    def work(fault):
        repository = bench.open(fault)
        with repository.lock() as hold:
            repository.refresh()
            repository.merge_index(hold)
        repository.close()

    def merged():
        assert len(os.listdir(bench.store.root / "index")) <= 7

    return work, merged


def forgetting(bench, monkeypatch):
    made(bench)
    old = snapshots(bench, 4, age=100 * 86400)
    snapshots(bench, 2)
    # Asked for is as good as done, for whoever asked.
    for name in old:
        del bench.acknowledged[name]
    bench.keep()

    def work(fault):
        repository = bench.open(fault)
        with repository.lock(exclusive=True) as hold:
            thin(repository, parse_policy("all for 1d"), now(), hold)
        repository.close()

    def forgotten():
        assert not set(old) & {each.id for each in bench.open().snapshots()}

    return work, forgotten


def one_pass(bench, fault=None):
    fault = fault or Fault()
    repository = bench.open(fault)
    marks = Marks(bench.faulty(fault, "upkeep"), repository.id)
    with repository.lock(exclusive=True) as hold:
        repository.prune(marks, hold)
    repository.close()


def wasteful(bench):
    """Packs that nothing needs, in the index or not, and some that are needed in part."""
    made(bench)
    chance = bench.chance.random
    repository = bench.open()
    first = [chance.randbytes(40_000), chance.randbytes(60_000)]
    ripe = write_snapshot(repository, [chance.randbytes(5000)])
    waste = write_snapshot(repository, first)
    kept = write_snapshot(repository, first[:1])
    bench.acknowledged[kept] = {"file0": first[0]}
    snapshots(bench, 1)
    before = set(os.listdir(bench.store.root / "index"))
    orphan = bench.open()
    orphan.save_blob("data", chance.randbytes(4000))
    orphan.flush()
    (new,) = set(os.listdir(bench.store.root / "index")) - before
    (bench.store.root / "index" / new).unlink()
    forget(repository, ripe)
    return waste


def the_first_pass_of_pruning(bench, monkeypatch):
    waste = wasteful(bench)
    forget(bench.open(), waste)
    bench.keep()
    doomed = packs(bench.store)

    def passed():
        assert doomed <= packs(bench.store)

    return lambda fault: one_pass(bench, fault), passed


def the_second_pass_of_pruning(bench, monkeypatch):
    waste = wasteful(bench)
    one_pass(bench)
    bench.pass_a_day()
    forget(bench.open(), waste)
    bench.keep()
    doomed = packs(bench.store)

    def pruned():
        assert len(doomed - packs(bench.store)) >= 3
        bench.pass_a_day()
        one_pass(bench)
        bench.verify()
        found = bench.open().check(percent=100)
        assert found.notes == ()
        assert found.bytes < 60_000

    return lambda fault: one_pass(bench, fault), pruned


def repairing_the_index(bench, monkeypatch):
    made(bench)
    snapshots(bench, 4)
    # What is lost to restic before the repair is no fault of the repair: see `sweep`.
    for path in sorted((bench.store.root / "index").iterdir())[:2]:
        path.unlink()
    bench.keep()

    def work(fault):
        repository = bench.open(fault)
        with repository.lock(exclusive=True) as hold:
            repository.repair_index(hold)
        repository.close()

    return work, nothing


def changing_keys(bench, monkeypatch):
    made(bench)
    snapshots(bench, 2)
    bench.keep()

    def work(fault):
        repository = bench.open(fault)
        ring = repository.keys(PASSWORDS[0])
        for key in ring.list():
            if not key.current:
                ring.remove(key.id)
        added = ring.add(PASSWORDS[1])
        ring.add("a third")
        ring.remove(added.id)
        repository.close()

    return work, nothing


SCENES = [
    making_and_the_first_snapshot,
    an_increment,
    merging_the_index,
    forgetting,
    the_first_pass_of_pruning,
    the_second_pass_of_pruning,
    changing_keys,
]
HOWS = ["before", "after", "lost", "refused", "twice", "late", "down"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("scene", SCENES)
def test_at_any_write(bench, monkeypatch, scene, how):
    work, done = scene(bench, monkeypatch)
    bench.sweep(work, how, done=done)


@pytest.mark.parametrize("how", ["before", "refused", "down"])
@pytest.mark.parametrize("scene", SCENES)
def test_at_any_look(bench, monkeypatch, scene, how):
    work, done = scene(bench, monkeypatch)
    bench.sweep(work, how, verbs=READS, done=done)


@pytest.mark.parametrize(
    ("how", "verbs"),
    [("before", WRITES), ("after", WRITES), ("lost", WRITES), ("down", WRITES), ("before", READS)],
)
def test_two_increments_with_a_lock_that_is_there_before(bench, monkeypatch, how, verbs):
    project = project_of(bench)
    made(bench)
    base = take(bench.open(), project, tags=TAGS)
    acknowledge(bench, base, project)
    contents = [bench.acknowledged[base.record.id]]
    for name in ("sub/file1", "sub/deep/new"):
        (project / name).write_bytes(b"changed" * 900)
        contents.append(contents[-1] | {str(project / name)[1:]: b"changed" * 900})
    bench.keep()
    state = bench.base / "state"
    request = {
        "uri": bench.store.uri,
        "options": {},
        "password_file": str(bench.base / "password"),
        "state": str(state),
        "project": str(project),
        "tags": TAGS,
        "lineage": TAGS,
        "excluded": [],
        "gitignore": True,
        "force": False,
        "bandwidth": 0,
        "retention": "all forever",
    }
    (bench.base / "password").write_text(PASSWORDS[0])

    def work(fault):
        shutil.rmtree(state, ignore_errors=True)
        opened = "jupyter_storage.snapshots.session.open_store"
        monkeypatch.setattr(opened, lambda uri, options: bench.faulty(fault))
        session, tree = Session(), base.tree
        for name, content in zip(("sub/file1", "sub/deep/new"), contents[1:], strict=True):
            session.prepare(request)
            taken = session.take(request | {"base": tree, "dirty": [(name, False)]})
            bench.acknowledged[taken.record.id], tree = content, taken.tree
        session.close()

    bench.sweep(work, how, verbs=verbs)


@pytest.mark.parametrize("how", HOWS)
def test_a_repair_that_is_cut_off_is_done_again(bench, monkeypatch, how):
    work, _ = repairing_the_index(bench, monkeypatch)
    bench.sweep(work, how, damaged=True)


def test_a_restore_that_is_cut_off_leaves_whole_files_and_the_repository_as_it_was(
    bench, monkeypatch
):
    work, _ = an_increment(bench, monkeypatch)
    work(Fault())
    bench.keep()
    before = bench.state()
    target = bench.base / "target"
    (wanted,) = (bench.acknowledged[each.id] for each in bench.open().snapshots()[-1:])

    def bring_back(fault):
        shutil.rmtree(target, ignore_errors=True)
        repository = bench.open(fault)
        newest = repository.snapshots()[-1]
        with repository.lock():
            record = restore(repository, newest, target)
        assert record.failures or record.files == len(wanted)

    def brought_back():
        assert bench.state() == before
        for path in target.rglob("[!.]*"):
            assert path.is_dir() or path.read_bytes() in wanted.values()

    for how in ("before", "refused", "down"):
        bench.sweep(bring_back, how, verbs=READS, done=brought_back)
