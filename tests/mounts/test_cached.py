from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from recorder import recorded
from waiting import eventually

from jupyter_storage.errors import Conflict
from jupyter_storage.mounts.cached import CachedOperations
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore


@pytest.fixture
def store(tmp_path):
    """A directory that stands in for a bucket."""
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def target(mounts, store, tmp_path):
    record = mounts.mount(tmp_path / "target", store.as_uri(), {}, cached=True)
    assert record.mode == "MOUNT_CACHED"
    return tmp_path / "target"


def _pids(tmp_path: Path, target: Path) -> dict[str, int]:
    return json.loads((directory_of(tmp_path / "mounts", str(target)) / "pids.json").read_text())


def test_any_write_works_and_arrives(mounts, target, store):
    (store / "old.log").write_text("first\n")
    with (target / "old.log").open("a") as file:
        file.write("second\n")
    with (target / "new.bin").open("w+b", buffering=0) as file:
        file.write(b"0123456789")
        file.seek(3)
        file.write(b"XX")
        file.seek(0)
        assert file.read() == b"012XX56789"
    assert (target / "old.log").read_text() == "first\nsecond\n"
    mounts.flush(target)
    assert (store / "old.log").read_text() == "first\nsecond\n"
    assert (store / "new.bin").read_bytes() == b"012XX56789"
    assert mounts.all()[0].pending == 0


def test_what_is_open_is_seen_here_and_not_elsewhere(mounts, target, store):
    with (target / "a.txt").open("w") as file:
        file.write("some")
        file.flush()
        assert os.listdir(target) == ["a.txt"]
        assert (target / "a.txt").read_text() == "some"
        assert not (store / "a.txt").exists()
        assert [each.key for each in mounts.pending(target)] == ["a.txt"]
        with pytest.raises(Conflict, match=r"a\.txt"):
            mounts.flush(target, patience=0.2)
    mounts.flush(target)
    assert (store / "a.txt").read_text() == "some"


def test_renaming_and_deleting_hold_for_what_is_not_uploaded(mounts, target, store):
    (target / "a.tmp").write_text("a")
    (target / "a.tmp").rename(target / "a.txt")
    (target / "b.txt").write_text("b")
    (target / "b.txt").unlink()
    os.truncate(target / "a.txt", 0)
    mounts.flush(target)
    assert eventually(lambda: os.listdir(store) == ["a.txt"])
    assert (store / "a.txt").read_bytes() == b""


def test_a_killed_process_loses_nothing_that_was_written(mounts, target, store, tmp_path):
    for number in range(3):
        (target / f"closed-{number}").write_bytes(bytes([number]) * 100_000)
        descriptor = os.open(target / f"open-{number}", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"written, and never closed")
        mounter = _pids(tmp_path, target)["mounter"]
        os.kill(mounter, signal.SIGKILL)
        with suppress(OSError):
            os.close(descriptor)
        eventually(lambda before=mounter: _pids(tmp_path, target)["mounter"] != before)
        eventually(lambda: os.listdir(target))
    mounts.flush(target)
    for number in range(3):
        assert (store / f"closed-{number}").read_bytes() == bytes([number]) * 100_000
        assert (store / f"open-{number}").read_bytes() == b"written, and never closed"


@pytest.fixture
def slowed(s3_bucket, s3_endpoint, tmp_path, monkeypatch):
    """A cache before a bucket whose first upload is slow, and the bucket."""
    uploads = []

    def fault(request):
        uploads.append(request.method == "PUT")
        if uploads[-1] and sum(uploads) == 1:
            time.sleep(0.5)

    with recorded(s3_endpoint, fault=fault) as (endpoint, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with closing(RetryingStore(open_store(f"s3://{s3_bucket}"))) as store:
            operations = CachedOperations(store, tmp_path / "cache")
            yield operations, store, lambda: eventually(lambda: any(uploads))
            operations.destroy("/")


def _written(operations: CachedOperations, number: int, data: bytes, offset: int = 0) -> None:
    operations.write("/n", data, offset, number)
    operations.release("/n", number)


def test_what_is_older_never_arrives_later(slowed):
    operations, store, begun = slowed
    _written(operations, operations.create("/n", 0o644), b"1")
    begun()
    _written(operations, operations.open("/n", os.O_WRONLY | os.O_APPEND), b"2", 1)
    assert operations._cache.wait()
    time.sleep(0.6)
    assert store.read("n") == b"12"
    # What was due twice keeps nobody busy.
    assert not list(operations._cache._directory.iterdir())


def test_what_is_written_anew_outlives_the_upload_of_what_was_deleted(slowed):
    operations, store, begun = slowed
    _written(operations, operations.create("/n", 0o644), b"1")
    begun()
    operations.unlink("/n")
    _written(operations, operations.create("/n", 0o644), b"new")
    assert operations._cache.wait()
    time.sleep(0.6)
    assert store.read("n") == b"new"


def test_appending_goes_to_the_end_wherever_the_kernel_takes_that_to_be(slowed):
    operations, store, _ = slowed
    store.write("n", b"12")
    _written(operations, operations.open("/n", os.O_WRONLY | os.O_APPEND), b"3", 0)
    assert operations._cache.wait()
    assert store.read("n") == b"123"


def test_what_cannot_be_uploaded_is_kept_and_named(mounts, target, store):
    (target / "d").mkdir()
    with (target / "d/a.txt").open("w") as file:
        file.write("precious")
        # A file stands where the directory of the object would be.
        (store / "d").rmdir()
        (store / "d").write_text("in the way")
    with pytest.raises(Conflict, match=r"d/a\.txt") as caught:
        mounts.flush(target, patience=1.0)
    assert "they may be open" not in caught.value.message
    assert mounts.all()[0].pending == 1
    (store / "d").unlink()
    mounts.flush(target)
    assert (store / "d/a.txt").read_text() == "precious"


def test_unmounting_uploads_first(mounts, target, store):
    for number in range(20):
        (target / f"{number}.bin").write_bytes(os.urandom(200_000))
    mounts.unmount(target)
    assert len(os.listdir(store)) == 20
    assert os.listdir(target) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte, on which the cache is."""
    disk = tmp_path / "mounts"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(path: Path, mode: str) -> None:
    with path.open(mode, buffering=0) as file:
        for _ in range(40):
            file.write(bytes(100_000))


def test_a_full_disk_is_an_error_and_no_loss(small_disk, mounts, target, store):
    (target / "before.txt").write_text("before")
    (store / "old.bin").write_bytes(b"old")
    # It may say so at the write or at the end of it: never afterwards.
    for name, mode in (("old.bin", "r+b"), ("new.bin", "wb")):
        with pytest.raises(OSError) as caught:
            _fill(target / name, mode)
        assert caught.value.errno == errno.ENOSPC
    mounts.flush(target)
    assert (store / "before.txt").read_text() == "before"
    # There is room again, and it goes on as if nothing had been.
    (target / "after.bin").write_bytes(bytes(500_000))
    mounts.flush(target)
    assert (store / "after.bin").read_bytes() == bytes(500_000)


def test_an_object_larger_than_the_free_cache_is_read_and_not_changed(
    small_disk, mounts, target, store
):
    content = os.urandom(3_000_000)
    (store / "big.bin").write_bytes(content)
    assert (target / "big.bin").read_bytes() == content
    with pytest.raises(OSError) as caught:
        (target / "big.bin").open("r+b")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError):
        (target / "big.bin").open("ab")
    mounts.flush(target)
    assert (store / "big.bin").read_bytes() == content
    assert (target / "big.bin").read_bytes() == content
