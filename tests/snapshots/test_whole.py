"""Many small files restored: a second process writes some of them."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from oracle import tree_of

from jupyter_storage.errors import Cancelled
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots import fill, helper, whole
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.restore import restore


@pytest.fixture
def many(project, monkeypatch):
    """Small files: alike, empty, holes; with all kinds of modes and times."""
    monkeypatch.setattr(fill, "worthwhile", lambda files: files > 10)
    monkeypatch.setattr(fill, "_MANY", 8)
    monkeypatch.setattr(fill, "_AHEAD", 1000)
    for number in range(600):
        path = project / f"d{number % 7}/e{number % 3}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number // 2}".encode() * (number % 50) or bytes(number % 3))
        path.chmod([0o644, 0o600, 0o755, 0o400, 0o4755][number % 5])
        os.utime(path, ns=(number, 10**18 + number))
    return project


def asked(monkeypatch, also=lambda self: None):
    paths = []
    ask = helper.Helper.ask

    def asking(self, work, answer):
        paths.extend(target[0] for _, targets in work for target in targets)
        ask(self, work, answer)
        also(self)

    monkeypatch.setattr(helper.Helper, "ask", asking)
    return paths


def test_a_second_process_writes_the_same(many, open_repository, restic, tmp_path, monkeypatch):
    capture(open_repository(), many)
    paths, repository = asked(monkeypatch), open_repository()
    repository.refresh()
    record = restore(repository, repository.snapshots()[-1], tmp_path / "out")
    assert paths
    assert (record.files, record.failures) == (600, ())
    assert tree_of(tmp_path / "out") == tree_of(many)


def test_files_that_need_a_name_at_once_are_the_same(many, open_repository, tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "_names_can_wait", lambda directory: False)
    monkeypatch.setattr(fill, "worthwhile", lambda files: False)
    capture(open_repository(), many)
    repository = open_repository()
    repository.refresh()
    record = restore(repository, repository.snapshots()[-1], tmp_path / "out")
    assert (record.files, record.failures) == (600, ())
    assert tree_of(tmp_path / "out") == tree_of(many)


def test_if_it_dies_this_one_writes_them(many, open_repository, restic, tmp_path, monkeypatch):
    capture(open_repository(), many)
    paths = asked(monkeypatch, lambda self: os.kill(self.pid, signal.SIGKILL))
    repository = open_repository()
    repository.refresh()
    record = restore(repository, repository.snapshots()[-1], tmp_path / "out")
    assert paths
    assert (record.files, record.failures) == (600, ())
    assert tree_of(tmp_path / "out") == tree_of(many)


def test_what_it_cannot_write_is_named(many, open_repository, restic, tmp_path, monkeypatch):
    capture(open_repository(), many)
    paths, repository = asked(monkeypatch), open_repository()
    repository.refresh()
    blocked = tmp_path / "out/d3/e1/f10"
    (blocked / "mine").mkdir(parents=True)
    record = restore(
        repository,
        repository.snapshots()[-1],
        tmp_path / "out",
        policy=ConflictPolicy.OVERWRITE,
    )
    assert str(blocked) in paths
    assert [failure.path for failure in record.failures] == ["d3/e1/f10"]
    assert record.files == 599
    assert sorted(os.listdir(blocked.parent)) == sorted(os.listdir(many / "d3/e1"))


def test_nothing_hidden_is_left_when_it_is_cancelled(
    many, open_repository, restic, tmp_path, monkeypatch
):
    capture(open_repository(), many)
    cancel = threading.Event()
    asked(monkeypatch, lambda self: cancel.set())
    repository = open_repository()
    repository.refresh()
    with pytest.raises(Cancelled):
        restore(repository, repository.snapshots()[-1], tmp_path / "out", cancel=cancel)
    source = tree_of(many)
    for key, (_, _, _, content) in tree_of(tmp_path / "out").items():
        assert source[key][3] == content


@pytest.mark.parametrize("named", [False, True], ids=["named last", "named at once"])
@pytest.mark.parametrize("policy", [ConflictPolicy.SKIP, ConflictPolicy.FAIL])
def test_what_somebody_writes_during_a_restore_stays(
    project, open_repository, tmp_path, monkeypatch, policy, named
):
    if named:
        monkeypatch.setattr(whole, "_names_can_wait", lambda directory: False)
    monkeypatch.setattr(fill, "_MANY", 8)
    for number in range(100):
        (project / f"small{number}").write_text(f"small {number}")
    (project / "inner").mkdir()
    (project / "inner/large").write_bytes(os.urandom(12 * 2**20))
    capture(open_repository(), project)
    mine: list[str] = []

    def work(size, files):
        if not mine:
            for name in [f"small{number}" for number in range(100)] + ["inner/large"]:
                path = tmp_path / "out" / name
                if not path.exists():
                    path.write_text("mine")
                    mine.append(name)

    repository = open_repository()
    repository.refresh()
    record = restore(
        repository, repository.snapshots()[-1], tmp_path / "out", policy=policy, progress=work
    )
    assert len(mine) > 50
    assert [name for name in mine if (tmp_path / "out" / name).read_text() != "mine"] == []
    left = mine if policy is ConflictPolicy.FAIL else []
    assert sorted(failure.path for failure in record.failures) == sorted(left)
    assert record.skipped == len(mine) - len(left)
    assert not list((tmp_path / "out").rglob(".~*"))


def test_what_somebody_writes_during_a_restore_is_replaced_if_that_was_asked_for(
    project, open_repository, tmp_path
):
    for number in range(300):
        (project / f"small{number}").write_text(f"small {number}")
    capture(open_repository(), project)
    came: list[str] = []

    def work(size, files):
        if not came:
            for number in range(300):
                path = tmp_path / "out" / f"small{number}"
                if not path.exists():
                    path.write_text("theirs")
                    came.append(path.name)

    repository = open_repository()
    repository.refresh()
    snapshot = repository.snapshots()[-1]
    record = restore(
        repository, snapshot, tmp_path / "out", policy=ConflictPolicy.OVERWRITE, progress=work
    )
    assert came
    assert (record.files, record.failures) == (300, ())
    assert tree_of(tmp_path / "out") == tree_of(project)
