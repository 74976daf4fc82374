"""The engine and a real S3 server."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from pathlib import Path

import pytest

from jupyter_storage.archives import Archive
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter


@pytest.fixture
def bucket(s3_bucket: str):
    store = RetryingStore(open_store(f"s3://{s3_bucket}/prefix", {}))
    yield store
    store.close()


def copy(source: Place, target: Place, **options):
    meter = Meter()
    Engine().copy(
        [source], target, recursive=True, meter=meter, cancel=threading.Event(), **options
    )
    return meter.finish()


def test_a_tree_goes_to_s3_and_comes_back(tmp_path: Path, bucket):
    generator = random.Random(4)
    source = tmp_path / "src"
    for number in range(40):
        path = source / f"d{number % 7}" / f"ü {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(number * 31))
    (source / "large").write_bytes(generator.randbytes(21 * 2**20))
    (source / "empty").mkdir()
    os.utime(source / "large", (1_700_000_000, 1_700_000_000))
    local = LocalStore(tmp_path)
    there, here = Place(bucket, "p", "artifacts:"), Place(local, "src", "/")
    up = copy(here, there)
    assert (up.state, up.failures, up.files_done) == ("done", (), 41)
    again = copy(here, there, policy=ConflictPolicy.SKIP)
    assert (again.state, again.files_skipped, again.bytes_done) == ("done", 41, 0)
    down = copy(there, Place(local, "back", "/"))
    assert (down.state, down.failures) == ("done", ())
    subprocess.run(["diff", "-r", str(source), str(tmp_path / "back")], check=True)
    archive = Archive([(bucket, "p", "p")], "p.zip")
    plan = archive.plan()
    assert sum(len(piece) for piece in archive) == plan.content_length
    meter = Meter("delete")
    Engine().delete([there], recursive=True, meter=meter, cancel=threading.Event())
    assert meter.finish().files_done >= 41
    assert list(bucket.walk()) == []


def test_a_copy_inside_a_bucket_does_not_pass_through_here(bucket, monkeypatch):
    bucket.write("p/a", b"x" * 1000)
    bucket.write("p/b", b"y")

    def unused(*args, **options):
        raise AssertionError("bytes were read")

    monkeypatch.setattr(bucket, "open", unused)
    record = copy(Place(bucket, "p", "artifacts:"), Place(bucket, "q", "artifacts:"))
    assert (record.state, record.failures, record.bytes_done) == ("done", (), 1001)
    record = copy(Place(bucket, "q", "artifacts:"), Place(bucket, "r", "artifacts:"), move=True)
    assert (record.state, record.failures) == ("done", ())
    assert [entry.path for entry in bucket.walk()] == ["p/a", "p/b", "r/a", "r/b"]
