"""A capture of what changed gives what a look at everything gives."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle import PASSWORD, Restic

from jupyter_storage.snapshots import batches
from jupyter_storage.snapshots.capture import Changes, Memory, take
from jupyter_storage.snapshots.contents import ContentReader
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.local import LocalStore

TAGS = ("workspace:test",)


class Pair:
    """A project directory, and a repository that stays open."""

    def __init__(self, repository, project):
        self.repository, self.project = repository, project
        self.memory = Memory(repository)
        self.base = self.scan()

    def scan(self):
        """Look at everything."""
        return take(self.repository, self.project, tags=TAGS, memory=self.memory)

    def step(self, *marks):
        """Look at some marks, and then at everything, which must not find any more."""
        changes = Changes(self.base.tree, [(m, False) if isinstance(m, str) else m for m in marks])
        taken = take(self.repository, self.project, tags=TAGS, memory=self.memory, changes=changes)
        all_ = self.scan()
        assert all_.record.id == taken.record.id, "a look at everything found more"
        assert all_.record.failures == taken.record.failures
        self.base = taken
        return taken.record


@pytest.fixture
def pair(project, open_repository, restic):
    def pair():
        return Pair(open_repository(), project)

    return pair


def count(project):
    return sum(len(files) for _, _, files in os.walk(project))


def test_only_what_is_marked_is_read(pair, project, monkeypatch):
    for number in range(30):
        path = project / f"d{number % 3}/e{number % 2}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    it = pair()
    looked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda p, **o: looked.append(p) or stat(p, **o))
    (project / "d1/e1/f1").write_text("changed")
    changes = Changes(it.base.tree, [("d1/e1/f1", False)])
    taken = take(it.repository, project, tags=TAGS, memory=it.memory, changes=changes)
    assert {p for p in looked if str(p).startswith(f"{project}/")} == {
        f"{project}/d1",
        f"{project}/d1/e1",
        f"{project}/d1/e1/f1",
    }
    monkeypatch.undo()
    record = taken.record
    assert (record.files, record.files_changed, record.files_new) == (30, 1, 0)
    assert it.scan().record.id == record.id


def test_totals_follow(pair, project):
    (project / "a/b").mkdir(parents=True)
    for name in ("one", "two", "a/three", "a/b/four", "a/b/five"):
        (project / name).write_text(name)
    it = pair()
    shutil.rmtree(project / "a/b")
    (project / "one").unlink()
    (project / "new").mkdir()
    (project / "new/six").write_text("six")
    record = it.step(("a/b", True), "one", ("new", True))
    assert (record.files, record.bytes) == (3, len("two" + "a/three" + "six"))
    assert (record.files_new, record.files_changed, record.files_removed) == (1, 0, 3)


def test_what_became_something_else(pair, project):
    (project / "file").write_text("x")
    (project / "directory/below").mkdir(parents=True)
    (project / "directory/below/file").write_text("y")
    it = pair()
    (project / "file").unlink()
    (project / "file").mkdir()
    (project / "file/inside").write_text("z")
    shutil.rmtree(project / "directory")
    (project / "directory").symlink_to("file")
    assert it.step("file", "directory", "directory/below/file").files == 2


def test_a_moved_directory_is_looked_at_whole(pair, project):
    (project / "a/b").mkdir(parents=True)
    (project / "a/b/c").write_text("c")
    it = pair()
    (project / "a").rename(project / "z")
    assert it.step("a", ("z", True)).files == 1


def test_another_directory_under_the_same_name_is_looked_at_whole(pair, project):
    (project / "a").mkdir()
    (project / "a/old").write_text("old")
    it = pair()
    (project / "a").rename(project / "aside")
    (project / "a").mkdir()
    (project / "a/new").write_text("new")
    shutil.rmtree(project / "aside")
    it.step("a")


@pytest.mark.parametrize("marked", [".storageignore", ".gitignore", ".git"])
def test_changed_rules_count_for_what_did_not_change(pair, project, marked):
    (project / "sub/deep").mkdir(parents=True)
    (project / "sub/deep/x.log").write_text("x")
    (project / "sub/other.txt").write_text("x")
    if marked == ".git":
        (project / "sub/.gitignore").write_text("*.log")
    it = pair()
    if marked == ".git":
        (project / "sub/.git").mkdir()
        expected = 2
    else:
        if marked == ".gitignore":
            (project / ".git").mkdir()
            it.step(".git")
        (project / "sub" / marked).write_text("*.log")
        expected = 2
    assert it.step(f"sub/{marked}").files == expected
    if marked != ".git":
        (project / "sub" / marked).unlink()
        assert it.step(f"sub/{marked}").files == 2


def test_what_rules_leave_out_stays_out(pair, project):
    (project / ".storageignore").write_text("out/\n*.tmp\n")
    (project / "out").mkdir()
    it = pair()
    (project / "out/x").write_text("x")
    (project / "y.tmp").write_text("y")
    assert it.step("out", "out/x", "y.tmp").id == it.base.record.id


def test_other_names_of_a_file_change_with_it(pair, project):
    (project / "a").mkdir()
    (project / "b").mkdir()
    (project / "a/one").write_text("x")
    os.link(project / "a/one", project / "b/two")
    it = pair()
    (project / "a/one").write_text("changed")
    it.step("a/one")
    os.link(project / "a/one", project / "third")
    it.step("third")
    (project / "b/two").unlink()
    it.step("b/two")
    shutil.rmtree(project / "a")
    it.step("a")


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_databases_and_the_files_beside_them(pair, project, journal):
    it = pair()
    connection = sqlite3.connect(project / "data.db", isolation_level=None)
    connection.execute(f"pragma journal_mode={journal}")
    connection.execute("create table t (a)")
    it.step("data.db", "data.db-wal", "data.db-shm")
    connection.execute("insert into t values (1)")
    it.step("data.db-wal" if journal == "wal" else "data.db")
    connection.close()
    it.step("data.db-wal", "data.db-shm", "data.db")


def test_permissions_and_attributes_of_directories(pair, project):
    (project / "a/b").mkdir(parents=True)
    (project / "a/b/c").write_text("c")
    it = pair()
    (project / "a").chmod(0o700)
    before = it.base.record.id
    assert it.step("a").id != before
    (project / "a/b/c").chmod(0o600)
    os.utime(project / "a/b", ns=(5, 5))
    it.step("a/b/c", "a/b")


def test_a_sparse_file(pair, project):
    it = pair()
    with (project / "sparse").open("wb") as file:
        file.truncate(5_000_000)
    it.step("sparse")
    with (project / "sparse").open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"island")
    it.step("sparse")


def test_what_could_not_be_read_is_named_and_caught_up(pair, project, monkeypatch):
    (project / "a").mkdir()
    (project / "a/busy").write_text("1")
    it = pair()
    store = ContentReader._store

    def disturbed(self, file, start):
        with (project / "a/busy").open("a") as other:
            other.write("more")
        return store(self, file, start)

    monkeypatch.setattr(ContentReader, "_store", disturbed)
    # As if it changed while it was read in one go, too.
    monkeypatch.setattr(batches, "read_small", lambda files, *_: [None] * len(files))
    (project / "a/busy").write_text("2")
    changes = Changes(it.base.tree, [("a/busy", False)])
    taken = take(it.repository, project, tags=TAGS, memory=it.memory, changes=changes)
    assert list(taken.failed) == [("a/busy", False)]
    monkeypatch.undo()
    it.base = taken
    assert it.step(*taken.failed).failures == ()


def test_marks_upon_another_snapshot_are_not_trusted(pair, project, open_repository):
    it = pair()
    (project / "theirs").write_text("x")
    take(open_repository(), project, tags=TAGS)
    (project / "theirs").unlink()
    (project / "ours").write_text("y")
    changes = Changes(it.base.tree, [("ours", False)])
    taken = take(it.repository, project, tags=TAGS, memory=it.memory, changes=changes)
    assert (taken.record.files, taken.record.files_removed) == (1, 1)


def test_one_changed_file_is_five_writes(project, store, restic):
    from jupyter_storage.stores.forwarding import ForwardingStore

    writes = []

    class Counting(ForwardingStore):
        def write(self, key, data, **options):
            writes.append(key.split("/")[0])
            return self.inner.write(key, data, **options)

    (project / "a").mkdir()
    (project / "a/file").write_text("1")
    it = Pair(Repository.create(Counting(store), PASSWORD), project)
    (project / "a/file").write_text("2")
    writes.clear()
    changes = Changes(it.base.tree, [("a/file", False)])
    take(it.repository, project, tags=TAGS, memory=it.memory, changes=changes)
    assert sorted(writes) == ["data", "data", "index", "locks", "snapshots"]


NAMES = st.sampled_from(["a", "b", "c", "x.log", ".storageignore", ".git", "ü\n", "d.db-wal"])
PATHS = st.lists(NAMES, min_size=1, max_size=3)


class Increments(RuleBasedStateMachine):
    """Whatever happens: marks where something happened are enough."""

    def __init__(self):
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="increments-"))
        self.project = self.base / "project"
        self.project.mkdir()
        self.marks = []
        self.pair = None

    @initialize()
    def begin(self):
        repository = Repository.create(LocalStore(self.base / "repository"), PASSWORD)
        self.pair = Pair(repository, self.project)

    def path(self, parts):
        """A path below directories; what is in the way is removed, and marked."""
        here = self.project
        for number, part in enumerate(parts[:-1]):
            here /= part
            if not here.is_dir() or here.is_symlink():
                here.unlink(missing_ok=True)
                here.mkdir()
                self.mark(parts[: number + 1], deep=True)
        return here / parts[-1]

    def mark(self, parts, *, deep=False):
        self.marks.append(("/".join(parts), deep))

    def remove(self, path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @rule(parts=PATHS, content=st.sampled_from([b"", b"*.log\n", b"x" * 3000, b"c/\n"]))
    def write(self, parts, content):
        path = self.path(parts)
        if path.is_dir():
            self.remove(path)
        if path.is_symlink():
            path.unlink()
        path.write_bytes(content)
        self.mark(parts)

    @rule(parts=PATHS)
    def delete(self, parts):
        path = self.path(parts)
        self.remove(path)
        self.mark(parts)

    @rule(parts=PATHS, others=PATHS)
    def move(self, parts, others):
        source, target = self.path(parts), self.path(others)
        if not source.exists() or f"{target}/".startswith(f"{source}/"):
            return
        if f"{source}/".startswith(f"{target}/"):
            return
        self.remove(target)
        source.rename(target)
        self.mark(parts)
        self.mark(others, deep=target.is_dir())

    def some_file(self, number):
        files = sorted(p for p in self.project.rglob("*") if p.is_file() and not p.is_symlink())
        return files[number % len(files)] if files else None

    @rule(number=st.integers(0, 9), others=PATHS)
    def link(self, number, others):
        source, target = self.some_file(number), self.path(others)
        if source is not None and source.is_file() and not target.exists():
            os.link(source, target)
            self.mark(others)

    @rule(number=st.integers(0, 9))
    def append(self, number):
        if (path := self.some_file(number)) is not None:
            with path.open("ab") as file:
                file.write(b"more\n")
            self.mark(path.relative_to(self.project).parts)

    @rule(parts=PATHS, mode=st.sampled_from([0o700, 0o755]))
    def chmod(self, parts, mode):
        path = self.path(parts)
        if path.exists():
            path.chmod(mode)
            self.mark(parts)

    @rule()
    def capture(self):
        marks, self.marks = self.marks, []
        self.pair.step(*marks)

    @invariant()
    def nothing_else(self):
        assert self.project.is_dir()

    def teardown(self):
        try:
            if self.pair is not None:
                self.capture()
                self.pair.repository.close()
                if (
                    shutil.which("restic")
                    and len(os.listdir(self.base / "repository/snapshots")) > 3
                ):
                    Restic(str(self.base / "repository"), self.base).check()
        finally:
            shutil.rmtree(self.base)


TestIncrements = Increments.TestCase
TestIncrements.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    # Shrinking a failure takes minutes; the steps of the one that was found say enough.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestIncrements = pytest.mark.slow(TestIncrements)
