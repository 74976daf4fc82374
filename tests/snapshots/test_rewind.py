"""Parts of snapshots, policies, and the way back into the project directory."""

import os
import sqlite3
from contextlib import closing

import pytest
from oracle import Restic, tree_of

from jupyter_storage.errors import AlreadyExists, InvalidPath, InvalidRequest, NotFound
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots.workspace import Workspace

OVERWRITE, SKIP, NEWER = ConflictPolicy.OVERWRITE, ConflictPolicy.SKIP, ConflictPolicy.NEWER


@pytest.fixture
def workspace(project, tmp_path):
    workspace = Workspace(
        project=project,
        workspace="w1",
        uri=f"file://{tmp_path}/bucket/w1",
        options={},
        fallback_uri=None,
        state=tmp_path / "state",
    )
    (project / "sub/deep").mkdir(parents=True)
    (project / "a.txt").write_text("a")
    (project / "sub/b.txt").write_text("b")
    (project / "sub/deep/c.txt").write_text("c")
    (project / "sub.txt").write_text("not in sub")
    yield workspace
    variables = workspace.environment()
    Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables).check()


def names(directory):
    found = [path for path in directory.rglob("*") if not path.is_dir()]
    return sorted(str(path.relative_to(directory)) for path in found)


def test_files_and_subtrees_land_where_they_are_in_the_project(workspace, project, tmp_path):
    taken = workspace.now()
    record = workspace.restore(taken.id, tmp_path / "one", paths=["sub/b.txt"])
    assert (record.files, names(tmp_path / "one")) == (1, ["sub/b.txt"])
    workspace.restore(taken.id, tmp_path / "two", paths=["sub/", "a.txt"])
    assert names(tmp_path / "two") == ["a.txt", "sub/b.txt", "sub/deep/c.txt"]
    assert tree_of(tmp_path / "two/sub") == tree_of(project / "sub")
    workspace.restore(taken.id, tmp_path / "two", paths=[str(project / "sub.txt")])
    assert (tmp_path / "two/sub.txt").read_text() == "not in sub"


def test_a_path_that_the_snapshot_lacks_is_told_and_nothing_is_written(workspace, tmp_path):
    taken = workspace.now()
    for path in ("nosuch", "sub/nosuch", "a.txt/below", "su"):
        with pytest.raises(NotFound, match="no such file or directory") as caught:
            workspace.restore(taken.id, tmp_path / "out", paths=["a.txt", path])
        assert caught.value.path == path
        assert names(tmp_path / "out") == []
    for path in ("../a.txt", "/etc/passwd", "sub/../../x"):
        with pytest.raises(InvalidPath):
            workspace.restore(taken.id, tmp_path / "out", paths=[path])


def test_a_path_that_exists_is_not_replaced_unless_told(workspace, project):
    taken = workspace.now()
    (project / "a.txt").write_text("edited")
    with pytest.raises(AlreadyExists, match="exists already"):
        workspace.restore(taken.id, project, paths=["a.txt"])
    (project / "sub/b.txt").unlink()
    assert workspace.restore(taken.id, project, paths=["sub/b.txt"]).undo is None
    assert (project / "sub/b.txt").read_text() == "b"
    record = workspace.restore(taken.id, project, paths=["a.txt"], policy=OVERWRITE)
    assert (project / "a.txt").read_text() == "a"
    workspace.restore(record.undo.id, project, paths=["a.txt"], policy=OVERWRITE)
    assert (project / "a.txt").read_text() == "edited"


def test_skip_leaves_and_newer_replaces_what_is_older(workspace, project, tmp_path):
    taken = workspace.now()
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.txt").write_text("newer than the snapshot")
    (target / "sub.txt").write_text("older")
    os.utime(target / "sub.txt", (1, 1))
    assert workspace.restore(taken.id, target, policy=SKIP).skipped == 2
    assert (target / "sub.txt").read_text() == "older"
    assert (target / "sub/b.txt").read_text() == "b"
    assert workspace.restore(taken.id, target, policy=NEWER).skipped == 1
    assert (target / "sub.txt").read_text() == "not in sub"
    assert (target / "a.txt").read_text() == "newer than the snapshot"


def test_an_exact_restore_makes_the_project_as_it_was_and_can_be_undone(workspace, project):
    first = workspace.now()
    before = tree_of(project)
    (project / "a.txt").write_text("edited")
    (project / "sub/deep/c.txt").unlink()
    (project / "sub/deep").rmdir()
    (project / "sub/deep").write_text("a file now")
    (project / "sub.txt").unlink()
    (project / "sub.txt").mkdir()
    (project / "sub.txt/inner").write_text("in the way")
    (project / "new/empty").mkdir(parents=True)
    (project / "new/file").write_text("new")
    (project / "link").symlink_to("a.txt")
    edited = tree_of(project)
    plan = workspace.plan_restore(first.id, exact=True)
    assert (plan.replaced, plan.removed) == (2, 3)
    assert set(plan.examples) == {"new/file", "link", "sub.txt/inner"}
    record = workspace.restore(first.id, project, policy=OVERWRITE, exact=True)
    assert (record.failures, record.removed) == ((), 3)
    assert tree_of(project) == before
    assert record.undo.id == plan.undo.id
    back = workspace.restore(record.undo.id, project, policy=OVERWRITE, exact=True)
    assert back.failures == ()
    assert tree_of(project) == edited


def test_exact_counts_for_the_named_paths_only(workspace, project):
    first = workspace.now()
    (project / "sub/new").write_text("new")
    (project / "other").write_text("other")
    assert workspace.plan_restore(first.id, paths=["sub"], exact=True).removed == 1
    record = workspace.restore(first.id, project, paths=["sub"], policy=OVERWRITE, exact=True)
    assert record.removed == 1
    assert not (project / "sub/new").exists()
    assert (project / "other").read_text() == "other"


def test_what_no_snapshot_holds_is_neither_removed_nor_replaced(workspace, project):
    (project / "secret").write_text("first")
    first = workspace.now()
    (project / ".storageignore").write_text("secret\ncache/\n")
    (project / "secret").write_text("cannot be brought back")
    (project / "cache").mkdir()
    (project / "cache/large").write_text("ignored")
    record = workspace.restore(first.id, project, policy=OVERWRITE, exact=True)
    assert [failure.path for failure in record.failures] == ["secret"]
    assert (project / "secret").read_text() == "cannot be brought back"
    assert (project / "cache/large").read_text() == "ignored"
    assert not (project / ".storageignore").exists()


def test_a_restore_inside_the_project_takes_a_snapshot_before_it_replaces(workspace, project):
    first = workspace.now()
    workspace.restore(first.id, project / "copy")
    (project / "copy/a.txt").write_text("edited")
    record = workspace.restore(first.id, project / "copy", policy=OVERWRITE)
    assert (project / "copy/a.txt").read_text() == "a"
    workspace.restore(record.undo.id, project, paths=["copy/a.txt"], policy=OVERWRITE)
    assert (project / "copy/a.txt").read_text() == "edited"


def test_exact_is_for_the_project_directory_only(workspace, tmp_path):
    taken = workspace.now()
    with pytest.raises(InvalidRequest, match="Only in the project directory"):
        workspace.restore(taken.id, tmp_path / "x", policy=OVERWRITE, exact=True)
    with pytest.raises(InvalidRequest, match="Only in the project directory"):
        workspace.restore(taken.id, workspace.project, policy=SKIP, exact=True)


def test_a_database_comes_back_without_the_log_of_the_newer_one(workspace, project):
    with closing(sqlite3.connect(project / "d.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()
        first = workspace.now()
        database.execute("INSERT INTO t VALUES (2)")
        database.commit()
        assert (project / "d.db-wal").stat().st_size
        record = workspace.restore(first.id, project, policy=OVERWRITE)
        assert record.failures == ()
    with closing(sqlite3.connect(project / "d.db")) as database:
        assert database.execute("SELECT x FROM t").fetchall() == [(1,)]
    workspace.restore(record.undo.id, project, policy=OVERWRITE)
    with closing(sqlite3.connect(project / "d.db")) as database:
        assert database.execute("SELECT x FROM t").fetchall() == [(1,), (2,)]
