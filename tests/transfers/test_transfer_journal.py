"""What outlives a kill, and who may go on with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timezone

import pytest

from jupyter_storage.records import Entry
from jupyter_storage.transfers.journal import KEPT, LIFE, Journals

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
REQUEST = {"operation": "copy", "sources": ["a"], "destination": "b"}


@pytest.fixture
def journals(tmp_path):
    return Journals(tmp_path / "transfers")


def file(size: int = 1, modified: datetime = NOON) -> Entry:
    return Entry("a", "a", "file", size, modified)


def test_the_same_request_finds_what_was_done(journals):
    first = journals.open(REQUEST)
    assert not first.resumed
    done, begun = first.mark("a", "b", file()), first.mark("c", "d", file())
    first.begin(done)
    first.done(done)
    first.begin(begun).note("token ü")
    first.close(keep=True)
    assert journals.open({**REQUEST, "destination": "c"}).recall(done) is None
    second = journals.open(REQUEST)
    assert second.resumed
    assert (second.recall(done), second.recall(begun)) == ("done", "begun")
    assert second.begin(begun).token == "token ü"
    assert second.recall(second.mark("a", "b", file(size=2))) is None
    assert second.recall(second.mark("a", "b", file(modified=NOON.replace(hour=13)))) is None
    second.close(keep=False)
    assert not journals.open(REQUEST).resumed


def test_the_notes_of_an_older_version_with_fewer_options_are_found(journals, tmp_path):
    old = {**REQUEST, "options": {"recursive": True, "force": False}}
    first = journals.open(old)
    mark = first.mark("a", "b", file())
    first.done(mark)
    first.close(keep=True)
    # Older versions made the name of other things.
    (only,) = (tmp_path / "transfers").iterdir()
    only.rename(only.with_name("0123.journal"))
    new = {**old, "options": {**old["options"], "verify": False, "excludes": []}}
    assert (
        journals.open({**new, "options": {**new["options"], "verify": True}}).recall(mark) is None
    )
    second = journals.open(new)
    assert second.recall(mark) == "done"
    second.close(keep=False)
    assert "0123" not in {left.id for left in journals.left()}


def test_a_line_that_was_cut_off_counts_for_nothing(journals, tmp_path):
    first = journals.open(REQUEST)
    marks = [first.mark(str(number), "b", file()) for number in range(3)]
    for mark in marks:
        first.done(mark)
    first.close(keep=True)
    path = next((tmp_path / "transfers").iterdir())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        journal = journals.open(REQUEST)
        for number, mark in enumerate(marks):
            written = whole[:length].count(b"\nd ") > number + 1 or length == len(whole)
            assert journal.recall(mark) in ({"done"} if written else {"done", None})
        journal.done(marks[2])
        journal.close(keep=True)
        again = journals.open(REQUEST)
        assert again.recall(marks[2]) == "done"
        again.close(keep=True)


def test_one_process_at_a_time_has_it_and_a_kill_frees_it(journals, tmp_path):
    code = (
        "import sys, time; from pathlib import Path;"
        "from jupyter_storage.transfers.journal import Journals;"
        f"journal = Journals(Path({str(tmp_path / 'transfers')!r})).open({REQUEST!r});"
        "journal.done('00' * 12, 7); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"open\n"
        assert journals.open(REQUEST) is None
        assert journals.left() == []
        child.kill()
    left = journals.left()
    assert [(each.request, each.files, each.size) for each in left] == [(REQUEST, 1, 7)]
    assert journals.find(left[0].id) == left[0]
    journal = journals.open(REQUEST)
    assert journal.recall("00" * 12) == "done"
    journal.close(keep=True)
    journals.forget(left[0].id)
    assert journals.left() == []


def test_old_ones_and_too_many_are_removed(journals, tmp_path):
    for number in range(KEPT + 5):
        journals.open({"number": number}).close(keep=True)
    assert len(journals.left()) <= KEPT + 1
    for path in (tmp_path / "transfers").iterdir():
        os.utime(path, (time.time() - LIFE - 1, time.time() - LIFE - 1))
    journals.open(REQUEST).close(keep=False)
    assert journals.left() == []


def test_where_nothing_can_be_kept_there_is_no_journal(tmp_path):
    (tmp_path / "file").touch()
    assert Journals(tmp_path / "file/transfers").open(REQUEST) is None
