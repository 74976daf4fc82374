"""Transfers in the background."""

from __future__ import annotations

import threading

import pytest

from jupyter_storage.errors import Cancelled, Conflict, NotFound
from jupyter_storage.transfers.jobs import Jobs


@pytest.fixture
def jobs():
    jobs = Jobs(workers=1)
    yield jobs
    jobs.close()


def until_cancelled(meter, cancel):
    meter.done()
    assert cancel.wait(20)
    raise Cancelled("The transfer was cancelled")


def test_a_job_runs_and_is_remembered(jobs):
    record = jobs.start("copy", ["a"], "b", lambda meter, cancel: meter.done())
    ended = jobs.wait(record.id, 10)
    assert (ended.state, ended.sources, ended.destination) == ("done", ("a",), "b")
    assert ended.finished >= ended.started
    assert jobs.list() == [ended]


def test_an_error_becomes_a_failure(jobs):
    def work(meter, cancel):
        raise NotFound("No such file", path="shared:x")

    ended = jobs.wait(jobs.start("copy", ["shared:x"], "b", work).id, 10)
    assert (ended.state, ended.failures[0].path) == ("failed", "shared:x")


def test_a_fault_of_ours_ends_the_job_and_shows_no_secret(jobs, caplog):
    def work(meter, cancel):
        raise RuntimeError("https://user:hunter22@host/")

    ended = jobs.wait(jobs.start("copy", [], None, work).id, 10)
    assert ended.state == "failed"
    assert "hunter22" not in str(ended)
    assert "ended unexpectedly" in caplog.text


def test_cancelling_ends_a_running_and_a_waiting_job(jobs):
    running = jobs.start("copy", [], None, until_cancelled)
    waiting = jobs.start("copy", [], None, until_cancelled)
    assert jobs.get(waiting.id).state == "waiting"
    jobs.cancel(waiting.id)
    jobs.cancel(running.id)
    assert jobs.wait(running.id, 10).state == "cancelled"
    assert jobs.wait(waiting.id, 10).state == "cancelled"
    assert jobs.get(waiting.id).files_done == 0


def test_waiting_ends_in_time(jobs):
    record = jobs.start("copy", [], None, until_cancelled)
    assert jobs.wait(record.id, 0.05).finished is None


def test_closing_cancels_everything():
    jobs = Jobs(workers=1)
    records = [jobs.start("copy", [], None, until_cancelled) for _ in range(3)]
    jobs.close()
    assert {jobs.wait(record.id, 5).state for record in records} == {"cancelled"}
    with pytest.raises(Conflict):
        jobs.start("copy", [], None, until_cancelled)


def test_an_unknown_job_is_not_found(jobs):
    with pytest.raises(NotFound):
        jobs.get("nope")


def test_old_jobs_are_forgotten_and_running_ones_are_not():
    jobs = Jobs(workers=2)
    release = threading.Event()
    running = jobs.start("copy", [], None, lambda meter, cancel: release.wait(20))
    for _ in range(230):
        jobs.wait(jobs.start("copy", [], None, lambda meter, cancel: None).id, 10)
    assert len(jobs.list()) <= 202
    assert jobs.get(running.id).finished is None
    release.set()
    jobs.close()
