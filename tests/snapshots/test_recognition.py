"""Directories that are known again by their listing, and those that are not."""

from __future__ import annotations

import os
import sqlite3

import pytest

from jupyter_storage.snapshots import walk
from jupyter_storage.snapshots.capture import Memory, take

TAGS = ("workspace:test",)


@pytest.fixture
def looks(project, tmp_path, open_repository, restic, monkeypatch):
    """Takes snapshots, each as a new process would, and gives what was compared file by file."""
    compared = []
    same = walk.same_file
    monkeypatch.setattr(
        walk, "same_file", lambda node, status: compared.append(node["name"]) or same(node, status)
    )

    def look(**options):
        compared.clear()
        repository = open_repository()
        memory = Memory(repository, tmp_path / "state")
        taken = take(repository, project, tags=TAGS, memory=memory, **options)
        memory.close()
        return taken, set(compared)

    return look


@pytest.fixture
def known(project, looks):
    """A project directory that was looked at twice."""
    for name in ("a/b/deep", "a/file", "c/other", "top"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    looks()
    taken, compared = looks()
    assert {"deep", "file", "other", "top"} <= compared
    return taken


def test_what_did_not_change_is_known_at_a_glance(known, looks):
    taken, compared = looks()
    assert compared == set()
    assert taken.tree == known.tree


def test_a_change_is_looked_for_where_it_is(project, known, looks):
    (project / "a/b/deep").write_text("deeper")
    taken, compared = looks()
    assert taken.tree != known.tree
    # The files on the way down, and none beside it.
    assert {"deep", "file", "top"} <= compared
    assert "other" not in compared
    assert (taken.record.files, taken.record.bytes) == (4, len("deepera/filec/othertop"))


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "c/new").write_text("x"),
        lambda project: (project / "c/other").unlink(),
        lambda project: (project / "c/other").rename(project / "c/same"),
        lambda project: (project / "c/other").chmod(0o600),
        lambda project: os.utime(project / "c/other", ns=(1, 1)),
        lambda project: (project / "c/new").mkdir(),
        lambda project: (project / "c").chmod(0o700),
        lambda project: (project / "c/.storageignore").write_text("other"),
        lambda project: (project / ".storageignore").write_text("*.nothing"),
    ],
)
def test_any_change_is_seen(project, known, looks, change):
    change(project)
    taken, _ = looks()
    assert taken.tree != known.tree
    assert looks()[0].tree == taken.tree


def test_what_is_left_out_may_change(project, looks, known):
    (project / ".storageignore").write_text("*.log")
    (project / "c/a.log").write_text("1")
    for _ in range(3):
        taken, compared = looks()
    assert compared == set()
    (project / "c/a.log").write_text("12")
    changed, compared = looks()
    assert "other" in compared
    assert changed.tree == taken.tree


def test_other_rules_are_another_listing(project, known, looks):
    (project / ".git").mkdir()
    (project / ".gitignore").write_text("other")
    for _ in range(3):
        taken, compared = looks()
    assert compared == set()
    assert taken.record.files == 4  # .gitignore came, and 'other' went
    assert looks(gitignore=False)[0].record.files == 5
    excluded = [project / "a"]
    assert looks(gitignore=False, excluded=excluded)[0].record.files == 3


def test_what_could_not_be_read_is_tried_again(project, looks, known, monkeypatch):
    monkeypatch.setattr(walk.Walk, "_read", lambda self, here, name: self._fail(here, name, "no"))
    (project / "a/file").write_text("changed")
    for _ in range(3):
        taken, _ = looks()
        assert [failure.path for failure in taken.record.failures] == ["a/file"]
    monkeypatch.undo()
    assert looks()[0].record.failures == ()


def test_after_blobs_were_lost_files_are_looked_at_again(project, known, looks, open_repository):
    repository = open_repository()
    repository.refresh()
    with repository.lock(exclusive=True) as hold:
        for name in repository.index_files:
            repository.delete_file("index", name)
        repository.repair_index(hold)
    _, compared = looks()
    assert {"deep", "file", "other", "top"} <= compared


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_memory_that_broke_costs_only_time(project, known, looks, tmp_path, content):
    (file,) = (tmp_path / "state").glob("directories-*.sqlite")
    for path in tmp_path.glob("state/*"):
        path.unlink()
    file.write_bytes(content)
    taken, compared = looks()
    assert taken.tree == known.tree
    assert {"deep", "file", "other", "top"} <= compared
    assert looks()[1] == set()


def test_it_does_not_grow_with_the_number_of_changes(project, known, looks, tmp_path, monkeypatch):
    from jupyter_storage.snapshots import recognition

    monkeypatch.setattr(recognition, "_LEAST", 2)
    for number in range(12):
        (project / "a/b/deep").write_text(str(number))
        looks()
        looks()
    (file,) = (tmp_path / "state").glob("directories-*.sqlite")
    with sqlite3.connect(file) as database:
        assert database.execute("select count(*) from directories").fetchone()[0] <= 2 * 4 + 2
    database.close()
