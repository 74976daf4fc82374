"""What waits is remembered, and cleared when it was read."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from jupyter_storage.snapshots import journal as journals
from jupyter_storage.snapshots.journal import Journal


@pytest.fixture
def open_journal(tmp_path):
    opened = []

    def open_journal():
        opened.append(Journal(tmp_path / "state/journal.sqlite"))
        return opened[-1]

    yield open_journal
    for journal in opened:
        journal.close()


def test_only_what_was_taken_is_cleared(open_journal):
    journal = open_journal()
    journal.mark("a")
    journal.mark("b")
    batch = journal.take()
    assert sorted(batch.marks) == [("a", False), ("b", False)]
    journal.mark("b")
    journal.mark("c", deep=True)
    journal.done(batch, [])
    assert sorted(journal.take().marks) == [("b", False), ("c", True)]


def test_what_was_not_done_is_taken_again(open_journal):
    journal = open_journal()
    journal.mark("a")
    journal.take()
    journal.mark("a", deep=True)
    journal.mark("b")
    assert sorted(journal.take().marks) == [("a", True), ("b", False)]


def test_what_could_not_be_read_comes_again_but_does_not_wait(open_journal):
    journal = open_journal()
    journal.mark("a")
    journal.mark("b")
    journal.done(journal.take(), [("a", False)])
    assert (journal.waiting().paths, journal.waiting().since) == (0, None)
    journal.mark("c")
    batch = journal.take()
    assert sorted(batch.marks) == [("a", False), ("c", False)]
    assert journal.waiting(5).some == ["c"]
    journal.mark("a")
    assert journal.waiting().paths == 2
    journal.done(batch, [])
    assert journal.waiting(5).some == ["a"]


def test_it_survives_the_process(open_journal, tmp_path):
    script = (
        "import os, sys, pathlib\n"
        "from jupyter_storage.snapshots.journal import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "for name in ('a', 'b\\udcff'): journal.mark(name)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    before = time.time()
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "state/journal.sqlite")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    journal = open_journal()
    waiting = journal.waiting(5)
    assert sorted(waiting.some) == ["a", "b\udcff"]
    assert before - 1 < waiting.since < time.time()
    journal.mark("a")
    assert sorted(journal.take().marks) == [("a", False), ("b\udcff", False)]


def test_everything_is_one_entry(open_journal):
    journal = open_journal()
    journal.mark("a")
    journal.mark_all()
    journal.mark("b")
    assert journal.waiting().paths == 2
    batch = journal.take()
    assert batch.marks is None
    journal.mark("c")
    journal.done(batch, [])
    assert journal.take().marks == [("c", False)]


def test_too_many_paths_become_everything(open_journal, monkeypatch):
    monkeypatch.setattr(journals, "_MOST_PATHS", 10)
    journal = open_journal()
    for number in range(100):
        journal.mark(f"file{number}")
    assert journal.waiting().paths == 11
    batch = journal.take()
    assert batch.marks is None
    journal.done(batch, [])
    assert journal.waiting().paths == 0


def test_a_path_costs_little_on_disk(open_journal, tmp_path):
    journal = open_journal()
    for number in range(10_000):
        journal.mark(f"some/directory/with/a/name/file-{number:06}.ipynb")
    journal.close()
    size = sum(path.stat().st_size for path in (tmp_path / "state").iterdir())
    assert size < 200 * 10_000


def test_a_broken_file_is_replaced(open_journal, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal.sqlite").write_bytes(b"no database at all" * 1000)
    journal = open_journal()
    journal.mark("a")
    assert journal.take().marks == [("a", False)]
    journal.close()
    again = open_journal()
    again.mark("b")
    assert again.waiting(5).some[-1] == "b"


def test_of_two_processes_the_second_keeps_its_own_in_memory(open_journal):
    first = open_journal()
    second = open_journal()
    first.mark("a")
    second.mark("b")
    assert first.take().marks == [("a", False)]
    assert second.take().marks == [("b", False)]


def test_a_disk_that_fails_makes_everything_wait(open_journal):
    journal = open_journal()
    journal.mark("a")
    journal._database.execute("drop table dirty")
    journal.mark("b")
    assert journal.waiting().paths == 1
    assert journal.take().marks is None
    journal.mark("c")
    assert sorted(journal.take().marks or ["all"]) == ["all"]
