"""Writes that may not be too fast."""

import time

from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.throttled import ThrottledStore


def test_the_average_stays_below_the_bandwidth(tmp_path):
    store = ThrottledStore(LocalStore(tmp_path), 100_000)
    begin = time.monotonic()
    for number in range(4):
        store.write(f"file{number}", bytes(30_000))
    assert 0.9 <= time.monotonic() - begin < 5
    assert store.read("file3") == bytes(30_000)
    assert store.beats >= 4


def test_without_a_bandwidth_nothing_waits(tmp_path):
    store = ThrottledStore(LocalStore(tmp_path), 0)
    begin = time.monotonic()
    for number in range(10):
        store.write(f"file{number}", bytes(1_000_000))
    assert time.monotonic() - begin < 5
    assert store.beats == 10
