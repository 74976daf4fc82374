"""Counters and who hears of them."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from jupyter_storage.records import Failure
from jupyter_storage.transfers.progress import Meter


def test_the_listener_hears_seldom_and_always_of_the_last():
    heard = []
    meter = Meter(listener=lambda record: heard.append((time.monotonic(), record)))
    meter.start()
    began = time.monotonic()
    while time.monotonic() - began < 0.7:
        meter.add(1)
        time.sleep(0.001)
    last = meter.finish()
    moments = [moment for moment, _ in heard[:-1]]
    assert 3 <= len(heard) <= 6
    assert all(b - a > 0.15 for a, b in pairwise(moments))
    assert heard[-1][1] == last
    assert last.bytes_done == meter.snapshot().bytes_done > 10


def test_a_change_that_was_held_back_is_told_without_another():
    heard = []
    meter = Meter(listener=heard.append)
    meter.start()
    meter.add(5)
    time.sleep(0.4)
    assert heard[-1].bytes_done == 5
    meter.finish()


def test_nobody_is_told_after_the_end():
    heard = []
    meter = Meter(listener=heard.append)
    meter.start()
    meter.add(1)
    meter.finish()
    meter.add(1)
    time.sleep(0.3)
    assert [record.state for record in heard] == ["planning", "done"]


def test_counting_from_many_threads_loses_nothing():
    meter = Meter()

    def count():
        for _ in range(2000):
            meter.add(3)
            meter.done()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = meter.snapshot()
    assert (record.bytes_done, record.files_done) == (48000, 16000)


@pytest.mark.parametrize(
    ("done", "skipped", "kinds", "state"),
    [
        (1, 0, [], "done"),
        (0, 0, [], "done"),
        (1, 0, ["NotFound"], "partial"),
        (0, 1, ["NotFound"], "partial"),
        (0, 0, ["NotFound"], "failed"),
        (0, 0, ["Skipped"], "done"),
    ],
)
def test_how_a_transfer_ends(done, skipped, kinds, state):
    meter = Meter()
    meter.done(done)
    meter.skip(skipped)
    for kind in kinds:
        meter.fail(Failure("f", kind, "m"))
    assert meter.finish().state == state


def test_totals_come_with_the_complete_plan():
    meter = Meter()
    meter.plan(10)
    assert meter.snapshot().files_total is None
    meter.plan(5)
    meter.planned()
    assert (meter.snapshot().bytes_total, meter.snapshot().files_total) == (15, 2)
