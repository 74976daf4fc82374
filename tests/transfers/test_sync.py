"""One directory made like another: what is copied, what is deleted, and when nothing is."""

from __future__ import annotations

import os
import threading
import tracemalloc
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore, passing

from jupyter_storage.errors import AccessDenied, InvalidRequest, NotFound, Unreachable, Unsupported
from jupyter_storage.records import Entry, Failure
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.pairs import pairs
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.sync import SyncOptions, changes

EARLY = datetime(2020, 1, 1, tzinfo=timezone.utc)
LATE = datetime(2021, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    (tmp_path / "local").mkdir()
    return LocalStore(tmp_path / "local")


@pytest.fixture
def bucket() -> MemoryStore:
    return MemoryStore()


def at(store, key: str) -> Place:
    return Place(store, key, "shared:" if isinstance(store, LocalStore) else "s3://bucket/")


def sync(source: Place, target: Place, *, cancel=None, **options):
    meter = Meter("sync")
    Engine(pause=0.01).sync(
        source, target, SyncOptions(**options), meter=meter, cancel=cancel or threading.Event()
    )
    return meter.finish()


def would(source: Place, target: Place, **options):
    found = list(changes(source, target, SyncOptions(**options), threading.Event()))
    assert not [each for each in found if isinstance(each, Failure)]
    return [(change.action, change.path) for change in found]


def plant(root: Path, files: dict[str, bytes], modified: datetime = EARLY) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (modified.timestamp(), modified.timestamp()))


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_only_what_differs_is_copied(local, bucket):
    plant(local.root / "src", {"a": b"1", "d/b": b"22", "d-e": b"3", "d/c/f": b"4"})
    first = sync(at(local, "src"), at(bucket, "p"))
    assert (first.state, first.files_done, first.files_skipped) == ("done", 4, 0)
    plant(local.root / "src", {"d/b": b"333", "new": b"5"})
    assert would(at(local, "src"), at(bucket, "p")) == [
        ("replace", "s3://bucket/p/d/b"),
        ("copy", "s3://bucket/p/new"),
    ]
    second = sync(at(local, "src"), at(bucket, "p"))
    assert (second.files_done, second.files_skipped, second.bytes_done) == (2, 3, 4)
    assert bucket.objects["p/d/b"][0] == b"333"


def test_a_bucket_s_file_is_unchanged_if_it_came_later(local, bucket):
    plant(local.root / "src", {"old": b"1", "new": b"1"}, EARLY)
    bucket.objects["p/old"] = (b"2", LATE)
    bucket.objects["p/new"] = (b"2", datetime(2019, 1, 1, tzinfo=timezone.utc))
    assert would(at(local, "src"), at(bucket, "p")) == [("replace", "s3://bucket/p/new")]


@pytest.mark.parametrize("other", [datetime(2019, 1, 1, tzinfo=timezone.utc), LATE])
def test_between_directories_another_time_is_another_file(local, other):
    plant(local.root / "src", {"a": b"1", "b": b"1"}, EARLY)
    plant(local.root / "dst", {"a": b"2"}, other)
    plant(local.root / "dst", {"b": b"2"}, EARLY)
    assert sync(at(local, "src"), at(local, "dst")).files_done == 1
    assert contents(local.root / "dst") == {"a": b"1", "b": b"2"}


def test_checksums_see_what_times_do_not(local, bucket):
    plant(local.root / "src", {"same": b"1", "other": b"1", "size": b"1"}, EARLY)
    for name, content in (("same", b"1"), ("other", b"2"), ("size", b"12")):
        bucket.objects[f"p/{name}"] = (content, LATE)
    assert would(at(local, "src"), at(bucket, "p"), checksum=True) == [
        ("replace", "s3://bucket/p/other"),
        ("replace", "s3://bucket/p/size"),
    ]
    record = sync(at(local, "src"), at(bucket, "p"), checksum=True)
    assert (record.files_done, record.files_skipped) == (2, 1)
    assert (record.bytes_done, record.bytes_total) == (2, 2)
    assert {data for data, _ in bucket.objects.values()} == {b"1"}


def test_what_only_the_target_has_goes_only_if_asked(local, bucket):
    plant(local.root / "src", {"a": b"1"})
    bucket.objects |= {"p/a": (b"1", LATE), "p/b": (b"2", LATE), "p/c/d": (b"3", LATE)}
    bucket.objects["p2/x"] = (b"9", LATE)
    assert sync(at(local, "src"), at(bucket, "p")).files_deleted == 0
    assert would(at(local, "src"), at(bucket, "p"), delete=True) == [
        ("delete", "s3://bucket/p/b"),
        ("delete", "s3://bucket/p/c/d"),
    ]
    record = sync(at(local, "src"), at(bucket, "p"), delete=True)
    assert (record.state, record.files_deleted, record.files_skipped) == ("done", 2, 1)
    assert set(bucket.objects) == {"p/a", "p2/x"}


def test_directories_that_are_too_much_go_too(local):
    plant(local.root / "src", {"a": b"1"})
    (local.root / "src/kept").mkdir()
    plant(local.root / "dst", {"a": b"1", "b/c/d": b"2"})
    (local.root / "dst/empty/inside").mkdir(parents=True)
    sync(at(local, "src"), at(local, "dst"), delete=True)
    assert sorted(path.name for path in (local.root / "dst").iterdir()) == ["a", "kept"]


def test_what_is_excluded_is_left_alone_on_both_sides(local):
    plant(local.root / "src", {"a.csv": b"1", "b.tmp": b"1", "cache/x": b"1", "s/y.csv": b"1"})
    plant(local.root / "dst", {"old.tmp": b"2", "cache/z": b"2", "old.csv": b"2"})
    sync(at(local, "src"), at(local, "dst"), delete=True, excludes=["*.tmp", "cache/"])
    found = set(contents(local.root / "dst"))
    assert found == {"a.csv", "s/y.csv", "old.tmp", "cache/z"}


def test_with_patterns_to_include_nothing_else_is_touched(local):
    plant(local.root / "src", {"a.csv": b"1", "b.txt": b"1", "s/y.csv": b"1", "t/z.txt": b"1"})
    plant(local.root / "dst", {"old.csv": b"2", "old.txt": b"2"})
    sync(at(local, "src"), at(local, "dst"), delete=True, includes=["*.csv"])
    assert set(contents(local.root / "dst")) == {"a.csv", "s/y.csv", "old.txt"}
    assert not (local.root / "dst/t").exists()


def test_nothing_is_deleted_where_a_copy_failed_unless_told(local, bucket):
    plant(local.root / "src", {"a": b"1", "b": b"2"})
    bucket.objects["p/old"] = (b"3", LATE)

    def fault(verb, key, offset):
        if verb == "create" and key == "p/a":
            raise NotFound("It vanished", path=key)

    bucket.fault = fault
    record = sync(at(local, "src"), at(bucket, "p"), delete=True)
    assert (record.state, record.failure_count, record.files_deleted) == ("partial", 1, 0)
    assert "Nothing was deleted" in record.failures[-1].message
    assert set(bucket.objects) == {"p/b", "p/old"}
    record = sync(at(local, "src"), at(bucket, "p"), delete=True, ignore_errors=True)
    assert record.files_deleted == 1
    assert set(bucket.objects) == {"p/b"}


class Guarded(LocalStore):
    """A directory with one in it that may not be read, for root either."""

    def walk(self, key="", *, on_error=None):
        on_error(AccessDenied("Permission denied", path=f"{key}/secret"))
        return (entry for entry in super().walk(key) if "secret/" not in entry.path)


def test_nothing_is_deleted_where_a_directory_cannot_be_read(tmp_path, bucket):
    plant(tmp_path / "src", {"a": b"1", "secret/b": b"2"})
    bucket.objects["p/secret/b"] = (b"2", LATE)
    source = at(Guarded(tmp_path), "src")
    record = sync(source, at(bucket, "p"), delete=True, ignore_errors=True)
    assert (record.state, record.files_deleted) == ("partial", 0)
    assert record.failures[0].path == "shared:src/secret"
    assert set(bucket.objects) == {"p/a", "p/secret/b"}


def test_nothing_is_deleted_where_the_source_s_listing_breaks_off(local, bucket):
    for name in ("a", "b", "c"):
        bucket.objects[f"p/{name}"] = (b"1", EARLY)
    plant(local.root / "dst", {"a": b"1", "b": b"1", "c": b"1"})

    def fault(verb, key, offset):
        if verb == "entry" and key == "p/b":
            raise Unreachable("The connection was cut", path=key)

    bucket.fault = fault
    record = sync(at(bucket, "p"), at(local, "dst"), delete=True, ignore_errors=True)
    assert (record.failure_count, record.files_deleted) == (1, 0)
    assert set(contents(local.root / "dst")) == {"a", "b", "c"}


def test_what_was_listed_before_a_break_is_copied(local, bucket):
    for name in ("a", "b", "c"):
        bucket.objects[f"p/{name}"] = (name.encode(), EARLY)

    def fault(verb, key, offset):
        if verb == "entry" and key == "p/c":
            raise Unreachable("The connection was cut", path=key)

    bucket.fault = fault
    record = sync(at(bucket, "p"), at(local, "dst"))
    assert (record.state, record.files_done, record.failure_count) == ("partial", 2, 1)
    assert set(contents(local.root / "dst")) == {"a", "b"}


@pytest.mark.parametrize(
    ("limit", "deleted"),
    [
        ({"max_delete": 2}, 0),
        ({"max_delete": 3}, 3),
        ({"max_delete_share": 0.5}, 0),
        ({"max_delete_share": 0.8}, 3),
    ],
)
def test_too_many_deletions_are_none(local, bucket, limit, deleted):
    plant(local.root / "src", {"a": b"1"})
    for name in ("a", "b", "c", "d"):
        bucket.objects[f"p/{name}"] = (b"1", LATE)
    record = sync(at(local, "src"), at(bucket, "p"), delete=True, **limit)
    assert record.files_deleted == deleted
    assert len(bucket.objects) == 4 - deleted
    if not deleted:
        assert "it would be 3 of 4 files" in record.failures[0].message


def test_an_empty_source_empties_nothing(local, bucket):
    (local.root / "mount").mkdir()
    bucket.objects["p/a"] = (b"1", LATE)
    record = sync(at(local, "mount"), at(bucket, "p"), delete=True)
    assert (record.state, record.files_deleted) == ("failed", 0)
    assert "The source is empty" in record.failures[0].message
    assert set(bucket.objects) == {"p/a"}


def test_directories_in_one_another_and_files_are_refused(local):
    plant(local.root / "src", {"in/a": b"1"})
    for source, target in (("src", "src/in"), ("src/in", "src"), ("src", "src"), ("src/in/a", "x")):
        with pytest.raises(InvalidRequest):
            sync(at(local, source), at(local, target), delete=True)
    with pytest.raises(NotFound):
        sync(at(local, "nosuch"), at(local, "dst"), delete=True)
    assert set(contents(local.root)) == {"src/in/a"}


def test_a_file_never_goes_through_a_link_of_the_target(local):
    plant(local.root / "src", {"a": b"new"})
    plant(local.root / "else", {"precious": b"old"})
    (local.root / "dst").mkdir()
    (local.root / "dst/a").symlink_to("../else/precious")
    assert sync(at(local, "src"), at(local, "dst")).state == "done"
    assert (local.root / "else/precious").read_bytes() == b"old"
    assert (local.root / "dst/a").read_bytes() == b"new"
    assert not (local.root / "dst/a").is_symlink()


def test_links_stay_links_and_are_passed_over_by_buckets(local, bucket):
    plant(local.root / "src", {"a": b"1"})
    (local.root / "src/l").symlink_to("a")
    assert sync(at(local, "src"), at(local, "dst")).files_done == 2
    assert os.readlink(local.root / "dst/l") == "a"
    assert sync(at(local, "src"), at(local, "dst")).files_skipped == 2
    (local.root / "src/l").unlink()
    (local.root / "src/l").symlink_to("b")
    assert would(at(local, "src"), at(local, "dst")) == [("replace", "shared:dst/l")]
    bucket.objects["p/l"] = (b"what it was before", LATE)
    record = sync(at(local, "src"), at(bucket, "p"), delete=True)
    assert [failure.kind for failure in record.failures] == ["Skipped"]
    assert set(bucket.objects) == {"p/a", "p/l"}


def test_only_new_empty_directories_become_markers(local, bucket):
    plant(local.root / "src", {"d/a": b"1"})
    (local.root / "src/empty").mkdir()
    sync(at(local, "src"), at(bucket, "p"))
    assert set(bucket.objects) == {"p/d/a", "p/empty/"}
    bucket.calls.clear()
    sync(at(local, "src"), at(bucket, "p"))
    assert {verb for verb, _ in bucket.calls} == {"stat", "walk", "entry"}


def test_passing_errors_are_tried_again(local, bucket):
    plant(local.root / "src", {"a": b"1"})
    bucket.objects["p/b"] = (b"1", LATE)
    bucket.fault = passing("delete", key="p/b")
    record = sync(at(local, "src"), at(bucket, "p"), delete=True)
    assert (record.state, record.files_deleted) == ("done", 1)


def test_a_listing_out_of_order_is_refused():
    def file(path):
        return Entry(path, path, "file", 1, EARLY)

    with pytest.raises(Unsupported):
        list(pairs([file("b"), file("a")], [], "", ""))


NAMES = st.text("ab-./0", min_size=1, max_size=6).filter(
    lambda name: not {"", ".", ".."} & set(name.split("/"))
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sets(NAMES, max_size=8), st.sets(NAMES, max_size=8))
def test_pairs_are_what_sets_say(left, right):
    def listing(base, names):
        return [Entry(f"{base}/{name}", name, "file") for name in sorted(names)]

    found = list(pairs(listing("s", left), listing("t/u", right), "s", "t/u"))
    assert [pair.name for pair in found] == sorted(left | right)
    assert {pair.name for pair in found if pair.target is None} == left - right
    assert {pair.name for pair in found if pair.source is None} == right - left


def _without_clashes(names):
    """Leave out what no directory can hold: 'a' beside 'a/b'."""
    return {name for name in names if not any(other.startswith(name + "/") for other in names)}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sets(NAMES, min_size=1, max_size=6), st.sets(NAMES, max_size=6))
def test_a_directory_is_made_like_a_bucket_and_back(tmp_path_factory, left, right):
    local = LocalStore(tmp_path_factory.mktemp("sync"))
    bucket = MemoryStore()
    left, right = _without_clashes(left), _without_clashes(right)
    # Where one side has a file and the other a directory, a person has to decide.
    right = {
        name
        for name in right
        if not any(is_above(name, other) or is_above(other, name) for other in left)
    }
    plant(local.root / "dst", dict.fromkeys(right, b"old"), LATE)
    bucket.objects = {f"p/{name}": (name.encode(), EARLY) for name in left}
    assert sync(at(bucket, "p"), at(local, "dst"), delete=True).state == "done"
    assert contents(local.root / "dst") == {name: name.encode() for name in left}
    bucket.objects["q/x/y/z/1/2"] = (b"?", EARLY)
    assert sync(at(local, "dst"), at(bucket, "q"), delete=True).state == "done"
    files = {key: data for key, (data, _) in bucket.objects.items() if not key.endswith("/")}
    assert {k[2:]: data for k, data in files.items() if k.startswith("q/")} == contents(
        local.root / "dst"
    )


def is_above(name: str, other: str) -> bool:
    return other.startswith(name + "/")


class Endless(MemoryStore):
    """A bucket of many files that are never all in memory."""

    def __init__(self, many: int) -> None:
        super().__init__()
        self.many = many

    def walk(self, key=""):
        for number in range(self.many):
            yield Entry(f"{key}/{number:08}", f"{number:08}", "file", 10, EARLY)

    def stat(self, key):
        return Entry(key, key, "directory")


def test_memory_does_not_grow_with_the_number_of_files():
    def peak(many: int) -> int:
        tracemalloc.start()
        record = sync(at(Endless(many), "a"), at(Endless(many), "b"), delete=True)
        assert record.files_skipped == many
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2_000)
    assert peak(40_000) < peak(8_000) + 1_000_000


def test_a_tree_is_synced_with_s3_and_back(tmp_path, s3_bucket):
    store = RetryingStore(open_store(f"s3://{s3_bucket}/prefix", {}))
    local = LocalStore(tmp_path)
    try:
        files = {f"d{number % 5}/f {number} ü": b"x" * number for number in range(60)}
        plant(tmp_path / "src", {**files, "d1-e": b"1", "d1.f": b"2"})
        there = at(store, "p")
        assert sync(at(local, "src"), there).files_done == 62
        again = sync(at(local, "src"), there, delete=True)
        assert (again.state, again.files_skipped, again.bytes_done) == ("done", 62, 0)
        same = sync(at(local, "src"), there, checksum=True)
        assert (same.files_skipped, same.bytes_done) == (62, 0)
        (tmp_path / "src/d1-e").unlink()
        assert sync(at(local, "src"), there, delete=True).files_deleted == 1
        assert sync(there, at(local, "back"), delete=True).files_done == 61
        assert contents(tmp_path / "back") == contents(tmp_path / "src")
        assert sync(there, at(local, "back"), delete=True).files_skipped == 61
        inside = sync(there, at(store, "q"))
        assert (inside.state, inside.files_done) == ("done", 61)
    finally:
        store.close()
