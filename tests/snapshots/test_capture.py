"""Snapshots that stock restic judges."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from oracle import tree_of

from jupyter_storage.errors import Cancelled, NotFound
from jupyter_storage.snapshots import batches, contents, small
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.restore import restore

TAGS = ("workspace:test",)


@pytest.fixture
def snapshot(project, open_repository):
    def snapshot(**options):
        return capture(open_repository(), project, tags=TAGS, **options)

    return snapshot


@pytest.fixture
def restored(open_repository, tmp_path):
    def restored(identifier=""):
        repository = open_repository()
        repository.refresh()
        found = repository.snapshots()
        chosen = next((each for each in found if each.id == identifier), found[-1])
        target = tmp_path / f"out-{time.monotonic_ns()}"
        assert restore(repository, chosen, target).failures == ()
        return target

    return restored


def fill(project: Path) -> None:
    """Everything that a directory may hold."""
    for name in [
        b"<img src=x onerror=alert(1)>",
        b"new\nline",
        b"bad\xff",
        b'q"\\',
        "ü😀".encode(),
    ]:
        (project / os.fsdecode(name)).write_bytes(name * 3)
    (project / "empty").touch()
    (project / "a/b/c").mkdir(parents=True)
    (project / "a/deep").write_text("deep")
    (project / "large").write_bytes(os.urandom(5_000_000))
    (project / "text").write_text("line of text\n" * 400_000)
    with (project / "sparse").open("wb") as file:
        file.truncate(20_000_000)
        file.seek(10_000_000)
        file.write(b"island")
    (project / "dangling").symlink_to("nowhere")
    (project / "absolute").symlink_to("/etc/hostname")
    os.link(project / "text", project / "a/hard")
    (project / "private").write_text("x")
    (project / "private").chmod(0o000)
    (project / "script").write_text("#!")
    (project / "script").chmod(0o4755)
    os.utime(project / "script", ns=(1, 1234567890123456789))
    (project / "a").chmod(0o500)


def test_restic_restores_what_we_capture(project, snapshot, restic, tmp_path):
    fill(project)
    record = snapshot()
    assert record.failures == ()
    assert record.files == sum(len(files) for _, _, files in os.walk(project))
    restic("restore", "latest", "--target", tmp_path / "theirs")
    assert tree_of(tmp_path / "theirs" / project.relative_to("/")) == tree_of(project)


def test_we_restore_what_we_capture(project, snapshot, restored, restic):
    fill(project)
    snapshot()
    out = restored()
    assert tree_of(out) == tree_of(project)
    assert (out / "sparse").stat().st_blocks * 512 < 10_000_000


def test_we_restore_what_restic_captures(project, open_repository, restored, restic):
    fill(project)
    open_repository()
    restic("backup", project)
    assert tree_of(restored()) == tree_of(project)


def test_taking_turns_with_restic(project, snapshot, restored, restic):
    fill(project)
    first = snapshot()
    (project / "one").write_text("by restic")
    restic("backup", "--tag", TAGS[0], project)
    (project / "two").write_text("by us")
    record = snapshot()
    assert record.parent != first.id
    assert (record.files_new, record.files_changed) == (1, 0)
    (project / "three").write_text("by restic")
    restic("backup", project)
    restic("forget", "--keep-last", "1", "--group-by", "", "--prune")
    assert tree_of(restored()) == tree_of(project)


def test_nothing_changed_writes_nothing(project, snapshot, store, restic):
    fill(project)
    first = snapshot()
    before = set(tree_of(store.root))
    assert snapshot().id == first.id
    assert set(tree_of(store.root)) == before
    forced = snapshot(force=True)
    assert forced.id != first.id
    assert forced.parent == first.id


def test_the_parent_is_the_newest_of_the_lineage(project, open_repository, restic):
    (project / "file").write_text("1")
    first = capture(open_repository(), project, tags=("w", "epoch:1"), lineage=("w",))
    fork = capture(open_repository(), project, tags=("w", "fork:a"), lineage=("fork:a",))
    assert fork.parent is None
    (project / "file").write_text("2")
    second = capture(open_repository(), project, tags=("w", "epoch:2"), lineage=("epoch:1",))
    assert (second.parent, second.tags) == (first.id, ("w", "epoch:2"))


def test_only_changed_files_are_read(project, snapshot, restic, monkeypatch):
    for number in range(20):
        (project / f"file{number}").write_text(str(number))
    snapshot()
    (project / "file7").write_text("changed")
    (project / "file8").unlink()
    (project / "file20").write_text("new")
    read = []
    original = batches.read_small
    monkeypatch.setattr(
        batches,
        "read_small",
        lambda files, *rest: read.extend(name for _, name in files) or original(files, *rest),
    )
    record = snapshot()
    assert read == ["file20", "file7"]
    assert (record.files_new, record.files_changed, record.files_removed) == (1, 1, 1)


@pytest.mark.skipif(not hasattr(os, "O_NOATIME"), reason="needs Linux")
def test_that_a_snapshot_read_a_file_is_not_noted_in_it(project, snapshot, restic):
    (project / "small").write_text("small")
    (project / "large").write_bytes(os.urandom(200_000))
    for name in ("small", "large"):
        # Read longer ago than written: then the next reading would be noted.
        os.utime(project / name, ns=(10**18, 2 * 10**18))
    snapshot()
    assert {(project / name).stat().st_atime_ns for name in ("small", "large")} == {10**18}


def test_a_change_that_keeps_size_and_time_is_seen(project, snapshot, restored, restic):
    (project / "file").write_text("one")
    status = (project / "file").stat()
    snapshot()
    (project / "file").write_text("two")
    os.utime(project / "file", ns=(status.st_atime_ns, status.st_mtime_ns))
    snapshot()
    assert (restored() / "file").read_text() == "two"


def test_a_pruned_blob_is_written_again(project, open_repository, restored, restic):
    """A repository that stays open must not trust what it knew before somebody pruned."""
    (project / "file").write_bytes(os.urandom(100_000))
    warm = open_repository()
    capture(warm, project, tags=TAGS)
    content = (project / "file").read_bytes()
    (project / "file").unlink()
    restic("backup", project)
    restic("forget", "--keep-last", "1", "--group-by", "", "--prune")
    (project / "again").write_bytes(content)
    capture(warm, project, tags=TAGS)
    assert (restored() / "again").read_bytes() == content


def test_ignored_files_are_left_out(project, snapshot, restored, restic, tmp_path):
    (project / "sub/cache").mkdir(parents=True)
    (project / ".gitignore").write_text("*.log\n")
    (project / "sub/.storageignore").write_text("cache/\n!keep.log\n")
    (project / ".anyscaleignore").write_text("/secret\n")
    for name in ("a.log", "secret", "sub/keep.log", "sub/other.log", "sub/cache/x", "sub/secret"):
        (project / name).write_text(name)
    (project / ".git").mkdir()
    (project / ".git/HEAD").write_text("ref")
    (project / ".~jupyter_storage-1").write_text("a write under way")
    (project / "tiers").mkdir()
    (project / "tiers/x").touch()
    snapshot(excluded=[project / "tiers"])
    out = restored()
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    rules = {".gitignore", ".anyscaleignore", "sub/.storageignore"}
    assert names == {*rules, "sub/keep.log", "sub/secret", ".git/HEAD"}
    snapshot(gitignore=False)
    assert (restored() / "a.log").exists()


def test_a_file_that_always_changes_keeps_its_version(
    project, snapshot, restored, restic, monkeypatch
):
    (project / "busy").write_text("first")
    (project / "calm").write_text("calm")
    snapshot()
    store, look = contents.ContentReader._store, small.attributes_of

    def write():
        with (project / "busy").open("a") as other:
            other.write("busy")

    def disturbed(self, file, start):
        result = store(self, file, start)
        if b"busy" in start or b"first" in start:
            write()
        return result

    def looked(descriptor):
        if os.path.samestat(os.fstat(descriptor), (project / "busy").stat()):
            write()
        return look(descriptor)

    monkeypatch.setattr(contents.ContentReader, "_store", disturbed)
    monkeypatch.setattr(small, "attributes_of", looked)
    (project / "busy").write_text("busy")
    (project / "calm").write_text("calmer")
    record = snapshot()
    assert [failure.path for failure in record.failures] == ["busy"]
    assert "changes all the time" in record.failures[0].message
    out = restored()
    assert (out / "busy").read_text() == "first"
    assert (out / "calm").read_text() == "calmer"
    monkeypatch.undo()
    assert snapshot().failures == ()
    assert (restored() / "busy").read_text() == (project / "busy").read_text()


def test_a_file_that_vanishes_during_the_scan_is_no_failure(
    project, snapshot, restored, restic, monkeypatch
):
    (project / "a").write_text("a")
    (project / "b").write_text("b")
    original = batches.read_small

    def read(files, *rest):
        (project / "b").unlink(missing_ok=True)
        return original(files, *rest)

    monkeypatch.setattr(batches, "read_small", read)
    record = snapshot()
    assert record.failures == ()
    assert os.listdir(restored()) == ["a"]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs Unix users")
def test_unreadable_files_are_listed_and_the_rest_is_captured(project, tmp_path, restic, store):
    (project / "open").write_text("open")
    (project / "closed").write_text("closed")
    (project / "closed").chmod(0)
    (project / "shut").mkdir()
    (project / "shut").chmod(0)
    script = (
        "import os, json, sys\n"
        "from pathlib import Path\n"
        "from jupyter_storage.stores.local import LocalStore\n"
        "from jupyter_storage.snapshots.repository import Repository\n"
        "from jupyter_storage.snapshots.capture import capture\n"
        # Once as we are: a Python in root's home cannot be imported from later.
        "warm = Path(sys.argv[3]); (warm / 'project').mkdir(parents=True)\n"
        "capture(Repository.create(LocalStore(warm / 'store'), 'x'), warm / 'project')\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "repository = Repository.create(LocalStore(Path(sys.argv[2])), 'correct horse')\n"
        "record = capture(repository, Path(sys.argv[1]))\n"
        "print(json.dumps([sorted(f.path for f in record.failures), record.files]))\n"
    )
    if os.geteuid() != 0:
        script = script.replace("os.setgid(65534); os.setuid(65534)\n", "")
    for directory in [*tmp_path.parents][:-2]:
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(directory.stat().st_mode | 0o755)
    tmp_path.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", script, str(project), str(store.root), str(tmp_path / "warm")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    (project / "shut").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["closed", "shut"], 1]


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_database_under_a_writer_is_whole(project, snapshot, restored, restic, journal):
    path = project / "data.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma journal_mode={journal}")
        connection.execute("create table t (a integer, b blob)")
    connection.close()
    stop = threading.Event()

    def write():
        connection = sqlite3.connect(path, timeout=30)
        number = 0
        while not stop.is_set():
            with connection:
                for _ in range(50):
                    number += 1
                    connection.execute("insert into t values (?, ?)", (number, os.urandom(3000)))
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            time.sleep(0.15)
            assert snapshot().failures == ()
            out = restored()
            assert [p.name for p in out.iterdir() if p.name.startswith("data.db")] == ["data.db"]
            connection = sqlite3.connect(out / "data.db")
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            count, last = connection.execute("select count(*), max(a) from t").fetchone()
            connection.close()
            assert count == (last or 0)
            assert count % 50 == 0
    finally:
        stop.set()
        writer.join()


def test_fifty_databases_under_a_writer_are_whole(project, snapshot, restored, restic):
    names = [f"{number}.db" for number in range(50)]
    for number, name in enumerate(names):
        with sqlite3.connect(project / name) as connection:
            connection.execute(f"pragma journal_mode={('wal', 'delete')[number % 2]}")
            connection.execute("create table t (a integer, b blob)")
        connection.close()
    stop, written = threading.Event(), []

    def write():
        connections = [sqlite3.connect(project / name, timeout=30) for name in names]
        while not stop.is_set():
            for connection in connections:
                with connection:
                    for number in range(4):
                        row = (len(written), os.urandom(3000 * number))
                        connection.execute("insert into t values (?, ?)", row)
                written.append(1)
        for connection in connections:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 3 * len(names):
            time.sleep(0.01)
        before = len(written)
        assert snapshot().failures == ()
        assert len(written) > before
    finally:
        stop.set()
        writer.join()
    out, counts = restored(), []
    for name in names:
        connection = sqlite3.connect(out / name)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        counts += connection.execute("select count(*) from t").fetchone()
        connection.close()
    assert all(count >= 3 * 4 and count % 4 == 0 for count in counts)


def test_a_database_at_rest_leaves_nothing_behind(project, snapshot, restored, restic):
    path = project / "data.db"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table t (a)")
    connection.close()
    (project / "fake.db").write_bytes(b"SQLite format 3\0 and then nothing of the kind")
    before = tree_of(project)
    assert snapshot().failures == ()
    assert tree_of(project) == before
    assert tree_of(restored()) == before


def test_a_cancelled_capture_publishes_nothing(project, open_repository, restic):
    (project / "file").write_text("x")
    cancel = threading.Event()
    cancel.set()
    repository = open_repository()
    with pytest.raises(Cancelled):
        capture(repository, project, cancel=cancel)
    assert open_repository().snapshots() == []
    assert repository.list_files("locks") == []


def test_a_missing_project_directory_is_said(tmp_path, open_repository, restic):
    with pytest.raises(NotFound, match="does not exist"):
        capture(open_repository(), tmp_path / "missing")


def test_extended_attributes_survive(project, snapshot, restored, restic):
    (project / "file").write_text("x")
    try:
        os.setxattr(project / "file", "user.origin", b"\xff\x00bytes")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    snapshot()
    assert os.getxattr(restored() / "file", "user.origin") == b"\xff\x00bytes"
