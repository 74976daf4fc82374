"""What befalls files on their way in and out of S3: each arrives whole, or the error names it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import pytest
from recorder import recorded

from jupyter_storage.errors import Cancelled, ChecksumMismatch, StorageError, Throttled
from jupyter_storage.stores import filling, native, parts, wire
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.s3 import S3Store
from jupyter_storage.transfers import streams
from jupyter_storage.transfers.engine import Engine, Place

pytestmark = pytest.mark.faults

MIB = 2**20
LARGE = os.urandom(21 * MIB + 11)
SMALL = os.urandom(100_000)
FAULTS = ("reset", "stall", "cut", "wrong", "slow", "500", "503")
cases: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def told(pytestconfig):
    yield
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"faults of the lane: {cases.total()} cases, {dict(cases)}")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(wire, "STALL", 1.5)
    monkeypatch.setitem(native.TIMES, "read_timeout", "1500ms")
    monkeypatch.setattr(parts, "TRIES", 2)
    monkeypatch.setattr(filling, "TRIES", 2)
    monkeypatch.setattr(streams, "TRIES", 2)


class Fault:
    """Befalls the first requests for bytes, so many of them."""

    def __init__(self, kind: str, times: int) -> None:
        self.kind, self.times = kind, times
        self.lock = threading.Lock()
        self.armed = False

    def __call__(self, request) -> str | None:
        body = request.path.count("/") > 1 and request.method in {"GET", "PUT"}
        if not self.armed or not body:
            return None
        with self.lock:
            if self.times:
                self.times -= 1
                return self.kind
        return None


def copied(source, target, *, cancel=None):
    return Engine(pause=0.05).send(
        source, target, exclusive=False, progress=lambda _: None, cancel=cancel or threading.Event()
    )


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("way", ["up", "up-large", "down", "down-large"])
def test_a_file_arrives_whole_or_its_error_names_it(
    s3_endpoint, s3_bucket, tmp_path, way, kind, times
):
    content = LARGE if "large" in way else SMALL
    local = LocalStore(tmp_path)
    fault = Fault(kind, times)
    with recorded(s3_endpoint, fault=fault) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        store.write("warm", b"1")
        assert store._client.native("warm", "warm") is not None
        there = Place(RetryingStore(store, tries=2, pause=0.02), "file", "s3://b/")
        here = Place(local, "file", "here:")
        if way.startswith("up"):
            local.write("file", content)
            source, target = here, there
        else:
            store.write("file", content)
            source, target = there, here
        fault.armed = True
        error = None
        try:
            copied(source, target)
        except StorageError as caught:
            error = caught
        outcome = type(error).__name__ if error else "whole"
        if error is not None:
            assert times > 1
            assert kind != "slow"
            assert error.path in {source.path, target.path}
        fault.armed = False
        cases[outcome] += 1
        if way.startswith("up"):
            names = {entry.path for entry in store.walk()} - {"warm"}
            assert names == ({"file"} if outcome == "whole" else set())
            assert not store._client.call("list_multipart_uploads", "").get("Uploads")
        else:
            names = set(os.listdir(tmp_path))
            assert names == ({"file"} if outcome == "whole" else set())
        if outcome == "whole" and not (kind == "wrong" and way == "down-large"):
            assert target.store.read("file") == content
        store.close()


def test_wrong_bytes_are_not_taken_for_the_end_of_the_file(s3_endpoint, s3_bucket):
    fault = Fault("wrong", 1)
    with recorded(s3_endpoint, fault=fault) as (endpoint, _):
        store = RetryingStore(S3Store(s3_bucket, "", {"endpoint_url": endpoint}), pause=0.02)
        store.write("file", SMALL)
        fault.armed = True
        with pytest.raises(ChecksumMismatch) as caught:
            store.read("file")
        assert caught.value.path == "file"
        assert store.read("file") == SMALL
        store.close()


def test_a_service_that_asks_for_fewer_requests_gets_fewer(s3_endpoint, s3_bucket):
    with recorded(s3_endpoint, fault=Fault("503", 3)) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        pace = store._client.pace
        before = pace.limit
        for _ in range(2):
            with pytest.raises(Throttled), pace.turn():
                raise Throttled("less")
        assert pace.limit < before
        low = pace.limit
        for _ in range(20):
            with pace.turn():
                continue
        assert low < pace.limit <= before
        store.close()


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cancellation_ends_a_transfer_that_hangs(
    s3_endpoint, s3_bucket, tmp_path, monkeypatch, way
):
    monkeypatch.setattr(wire, "STALL", 20)
    monkeypatch.setitem(native.TIMES, "read_timeout", "3s")
    local = LocalStore(tmp_path)
    fault = Fault("stall", 1000)
    with recorded(s3_endpoint, fault=fault) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        here, there = Place(local, "file", "here:"), Place(store, "file", "s3://b/")
        source, target = (here, there) if way == "up" else (there, here)
        source.store.write("file", LARGE)
        fault.armed = True
        cancel = threading.Event()
        asked = []

        def ask() -> None:
            asked.append(time.monotonic())
            cancel.set()

        timer = threading.Timer(1.0, ask)
        timer.start()
        with pytest.raises(Cancelled):
            copied(source, target, cancel=cancel)
        ended = time.monotonic()
        timer.join()
        assert ended - asked[0] < 6  # a time-out comes after 20
        store.close()
