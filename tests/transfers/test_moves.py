"""What only has another name now is renamed at the target, and not sent again."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from memory_store import MemoryStore
from recorder import recorded

from jupyter_storage.errors import Unreachable
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.transfers import moves
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.sync import SyncOptions, changes

EARLY = 1_600_000_000


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    (tmp_path / "src").mkdir()
    return LocalStore(tmp_path)


def plant(root: Path, files: dict[str, bytes], modified: int = EARLY) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (modified, modified))


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def sync(source: Place, target: Place, **options):
    chosen = SyncOptions(delete=True, track_moves=True, **options)
    meter = Meter("sync")
    Engine(pause=0.01).sync(source, target, chosen, meter=meter, cancel=threading.Event())
    return meter.finish()


def test_a_directory_that_was_renamed_is_renamed_in_the_bucket(local, s3_bucket):
    root = local.root / "src"
    plant(root, {"old/a": b"1" * 5000, "old/b": b"2" * 5000, "same": b"3"})
    with recorded(os.environ["AWS_ENDPOINT_URL"]) as (endpoint, requests):
        store = open_store(f"s3://{s3_bucket}/", {"endpoint_url": endpoint})
        source, target = Place(local, "src", "/"), Place(store, "p", "s3://bucket/")
        assert sync(source, target).files_done == 3
        (root / "old").rename(root / "new")
        plant(root, {"fresh": b"4"})
        options = SyncOptions(delete=True, track_moves=True)
        found = changes(source, target, options, threading.Event())
        assert sorted((each.action, each.path, each.origin) for each in found) == [
            ("copy", "s3://bucket/p/fresh", None),
            ("move", "s3://bucket/p/new/a", "s3://bucket/p/old/a"),
            ("move", "s3://bucket/p/new/b", "s3://bucket/p/old/b"),
        ]
        before = len(requests)
        record = sync(source, target, max_delete=0)
        assert (record.state, record.files_done, record.bytes_done) == ("done", 3, 1)
        assert (record.bytes_total, record.files_total, record.files_deleted) == (1, 3, 0)
        sent = [each for each in requests[before:] if each.method == "PUT" and each.body]
        assert [each.path.rpartition("/")[2] for each in sent] == ["fresh"]
        assert {entry.path for entry in store.walk("p")} == {
            "p/fresh",
            "p/new/a",
            "p/new/b",
            "p/same",
        }
        assert store.read("p/new/b") == b"2" * 5000
        assert sync(source, target).files_done == 0
        store.close()


def test_between_directories_time_and_name_or_content_tell(local):
    source, target = Place(local, "src", "/"), Place(local, "dst", "/")
    files = {"a/name": b"12", "b/x": b"34", "c/other-time": b"56", "d/other-content": b"78"}
    plant(local.root / "src", files)
    sync(source, target)
    inodes = {name: (local.root / "dst" / name).stat().st_ino for name in files}
    for old, new in (
        ("a/name", "z/name"),
        ("b/x", "z/y"),
        ("c/other-time", "z/other-time"),
        ("d/other-content", "z/elsewhere"),
    ):
        (local.root / "src/z").mkdir(exist_ok=True)
        (local.root / "src" / old).rename(local.root / "src" / new)
    os.utime(local.root / "src/z/other-time", (EARLY + 9, EARLY + 9))
    (local.root / "src/a").rmdir()
    plant(local.root / "src", {"z/elsewhere": b"87"})
    record = sync(source, target, verify=True)
    assert (record.state, record.files_done, record.files_deleted) == ("done", 4, 2)
    assert contents(local.root / "dst") == contents(local.root / "src")
    assert (local.root / "dst/z/name").stat().st_ino == inodes["a/name"]
    assert (local.root / "dst/z/y").stat().st_ino == inodes["b/x"]
    assert not (local.root / "dst/a").exists()


def test_content_decides_in_a_bucket(local):
    bucket = MemoryStore()
    source, target = Place(local, "src", "/"), Place(bucket, "p", "s3://bucket/")
    plant(local.root / "src", {"a": b"12", "empty": b""})
    sync(source, target)
    (local.root / "src/a").rename(local.root / "src/b")
    (local.root / "src/empty").rename(local.root / "src/nothing")
    (local.root / "src/b").write_bytes(b"21")
    record = sync(source, target)
    assert (record.files_done, record.files_deleted) == (2, 2)
    assert ("rename", "p/a") not in bucket.calls
    assert bucket.objects["p/b"][0] == b"21"


def test_of_many_of_one_size_each_finds_its_own(local):
    bucket = MemoryStore()
    source, target = Place(local, "src", "/"), Place(bucket, "p", "s3://bucket/")
    names = {f"{number:02}": f"{number:02}".encode() for number in range(20)}
    plant(local.root / "src", names)
    sync(source, target)
    (local.root / "src/new").mkdir()
    for name in names:
        (local.root / "src" / name).rename(local.root / "src/new" / name)
    bucket.calls.clear()
    assert sync(source, target).files_done == 20
    assert sum(verb == "rename" for verb, _ in bucket.calls) == 20
    assert {key: data for key, (data, _) in bucket.objects.items()} == {
        f"p/new/{name}": content for name, content in names.items()
    }


def test_a_rename_that_fails_is_a_copy(local):
    bucket = MemoryStore()
    source, target = Place(local, "src", "/"), Place(bucket, "p", "s3://bucket/")
    plant(local.root / "src", {"a": b"12"})
    sync(source, target)
    (local.root / "src/a").rename(local.root / "src/b")

    def fault(verb, key, offset):
        if verb == "rename":
            raise Unreachable("The connection was cut", path=key)

    bucket.fault = fault
    record = sync(source, target)
    assert (record.state, record.bytes_done, record.bytes_total) == ("done", 2, 2)
    assert bucket.objects["p/b"][0] == b"12"
    assert sync(source, target).files_deleted == 1


def test_nothing_is_moved_where_the_source_is_not_known_as_a_whole(local):
    near, far = MemoryStore("near"), MemoryStore("far")
    near.write("s/b", b"12")
    for number in range(600):  # listings come in batches: the first is whole when the second breaks
        near.objects[f"s/c{number:03}"] = (b"3", near.objects["s/b"][1])
    far.write("p/a", b"12")

    def fault(verb, key, offset):
        if (verb, key) == ("entry", "s/c550"):
            raise Unreachable("The connection was cut", path=key)

    near.fault = fault
    record = sync(Place(near, "s", "near:"), Place(far, "p", "far:"))
    assert record.state == "partial"
    assert not [key for verb, key in far.calls if verb == "rename"]
    assert far.objects["p/a"][0] == far.objects["p/b"][0] == b"12"
    near.fault = lambda verb, key, offset: None
    assert sync(Place(near, "s", "near:"), Place(far, "p", "far:")).files_deleted == 1


def test_what_is_remembered_is_bounded(local, monkeypatch):
    monkeypatch.setattr(moves, "MOST", 2)
    bucket = MemoryStore()
    source, target = Place(local, "src", "/"), Place(bucket, "p", "s3://bucket/")
    plant(local.root / "src", {f"a{number}": bytes([number]) for number in range(5)})
    sync(source, target)
    for number in range(5):
        (local.root / f"src/a{number}").rename(local.root / f"src/b{number}")
    record = sync(source, target)
    assert (record.files_done, record.files_deleted) == (5, 3)
    assert sorted(bucket.objects) == [f"p/b{number}" for number in range(5)]
