"""What was copied is compared with its source, from one end to the other."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from recorder import recorded

from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.testing.faulty_store import Fault, FaultyStore
from jupyter_storage.transfers.contents import have_one_content
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.sync import SyncOptions

LARGE = random.Random(1).randbytes(20 * 2**20)  # goes to S3 in parts


@pytest.fixture
def bucket(s3_bucket: str):
    store = open_store(f"s3://{s3_bucket}/", {})
    yield store
    store.close()


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    (tmp_path / "local").mkdir()
    return LocalStore(tmp_path / "local")


def flipping(store: LocalStore) -> FaultyStore:
    """A disk that keeps another bit than it was given."""
    return FaultyStore(store, Fault("write", times=-1, when="flip"))


def copied(source: Place, target: Place, **options):
    meter = Meter()
    Engine(pause=0.01).copy(
        [source], target, recursive=True, meter=meter, cancel=threading.Event(), **options
    )
    return meter.finish()


def test_a_file_that_differs_afterwards_is_listed_and_kept(bucket, local):
    bucket.write("d/large", LARGE)
    source = Place(bucket, "d", "s3://bucket/")
    assert copied(source, Place(flipping(local), "unseen", "/")).state == "done"
    record = copied(source, Place(flipping(local), "seen", "/"), verify=True)
    assert (record.state, record.failure_count) == ("failed", 1)
    failure = record.failures[0]
    assert (failure.kind, failure.path) == ("ChecksumMismatch", "/seen/large")
    assert "s3://bucket/d/large" in failure.message
    assert local.stat("seen/large").size == len(LARGE)


def test_a_move_that_differs_leaves_its_source(bucket, local):
    bucket.write("d/large", LARGE)
    source, target = Place(bucket, "d", "s3://bucket/"), Place(flipping(local), "p", "/")
    record = copied(source, target, move=True, verify=True)
    assert record.failures[0].kind == "ChecksumMismatch"
    assert bucket.stat("d/large").size == len(LARGE)


def test_sync_lists_what_differs(bucket, local):
    bucket.write("d/large", LARGE)
    bucket.write("d/small", b"1")
    source, target = Place(bucket, "d", "s3://bucket/"), Place(flipping(local), "p", "/")
    meter = Meter("sync")
    Engine(pause=0.01).sync(
        source, target, SyncOptions(verify=True), meter=meter, cancel=threading.Event()
    )
    record = meter.finish()
    # The small one has an MD5 to compare at once, and is not kept at all.
    assert {each.path: each.kind for each in record.failures} == {
        "/p/large": "ChecksumMismatch",
        "/p/small": "ChecksumMismatch",
    }


def test_what_the_bucket_knows_is_not_fetched(local, s3_bucket):
    local.write("src/large", LARGE)
    local.write("src/small", b"1")
    with recorded(os.environ["AWS_ENDPOINT_URL"]) as (endpoint, requests):
        store = open_store(f"s3://{s3_bucket}/", {"endpoint_url": endpoint})
        source, target = Place(local, "src", "/"), Place(store, "p", "s3://bucket/")
        record = copied(source, target, verify=True)
        assert (record.state, record.files_done) == ("done", 2)
        assert not [each for each in requests if each.method == "GET" and "/p/" in each.path]
        copy = copied(target, Place(store, "copy", "s3://bucket/"), verify=True)
        assert (copy.state, copy.files_done) == ("done", 2)
        assert not [each for each in requests if each.method == "GET" and "/p/" in each.path]
        store.close()


def test_two_files_of_one_size_are_told_apart_wherever_they_are(bucket, local):
    other = LARGE[:-1] + bytes([LARGE[-1] ^ 1])
    places = {}
    for store, label in ((bucket, "s3:"), (local, "/")):
        for name, content in (("a", LARGE), ("b", other)):
            store.write(name, content)
            places[label + name] = Place(store, name, label)
    for first, mine in places.items():
        for second, theirs in places.items():
            same = have_one_content(mine, theirs, threading.Event())
            assert same == (first[-1] == second[-1]), (first, second)
