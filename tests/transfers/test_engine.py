"""Copies, moves and deletes between real directories and a store that behaves like a bucket."""

from __future__ import annotations

import os
import random
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from memory_store import PIECE, MemoryStore, passing

from jupyter_storage.errors import (
    Cancelled,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotFound,
    Unreachable,
)
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.store import CHUNK
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.streams import TRIES

FAIL, OVERWRITE, SKIP, NEWER = ConflictPolicy


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    (tmp_path / "local").mkdir()
    return LocalStore(tmp_path / "local")


@pytest.fixture
def bucket() -> MemoryStore:
    return MemoryStore()


def at(store, key: str, *, directory: bool = False) -> Place:
    label = "shared:" if isinstance(store, LocalStore) else "s3://bucket/"
    return Place(store, key, label, directory)


def copy(sources, target, *, engine=None, cancel=None, meter=None, **options):
    meter = meter or Meter()
    engine = engine or Engine(pause=0.01)
    sources = sources if isinstance(sources, list) else [sources]
    engine.copy(sources, target, meter=meter, cancel=cancel or threading.Event(), **options)
    return meter.finish()


def delete(*targets, recursive=True, engine=None):
    meter = Meter("delete")
    (engine or Engine(pause=0.01)).delete(
        list(targets), recursive=recursive, meter=meter, cancel=threading.Event()
    )
    return meter.finish()


def tree(root: Path) -> dict[str, object]:
    """Everything below a directory: contents, links, permissions."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = "directory"
        else:
            status = path.stat()
            found[name] = (path.read_bytes(), status.st_mode, round(status.st_mtime, 3))
    return found


def plant(root: Path) -> Path:
    """A tree with everything that a project has."""
    generator = random.Random(1)
    for name in ["a.csv", "a.csv.bak", "data/x y.txt", "data2/ünï ☃.txt", "deep/er/still/f"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(3000))
        os.utime(path, ns=(10**18, 10**18 + 123_456_000))
    (root / "big").write_bytes(generator.randbytes(9 * 2**20 + 1))
    (root / "zero").touch()
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o750)
    (root / "empty/inside").mkdir(parents=True)
    return root


def no_debris(root: Path) -> bool:
    return not [name for _, _, names in os.walk(root) for name in names if name.startswith(".~")]


# Copies


def test_a_tree_arrives_in_another_directory_as_it_was(local):
    source = plant(local.root / "src")
    (source / "link").symlink_to("data/x y.txt")
    (source / "broken").symlink_to("nowhere")
    record = copy(at(local, "src"), at(local, "dst"), recursive=True)
    assert (record.state, record.failures) == ("done", ())
    assert tree(local.root / "dst") == tree(source)
    assert record.files_done == record.files_total == 10
    assert record.bytes_done == record.bytes_total


def test_a_tree_comes_back_from_a_bucket_as_it_was(local, bucket):
    source = plant(local.root / "src")
    (source / "run.sh").chmod(0o644)  # a bucket keeps no permissions
    up = copy(at(local, "src"), at(bucket, "p"), recursive=True)
    down = copy(at(bucket, "p"), at(local, "dst"), recursive=True)
    assert (up.state, down.state) == ("done", "done")
    assert tree(local.root / "dst") == tree(source)
    assert up.bytes_done == up.bytes_total == down.bytes_done
    assert bucket.open_writers == 0


def test_only_empty_directories_become_markers(local, bucket):
    plant(local.root / "src")
    copy(at(local, "src"), at(bucket, "p"), recursive=True)
    assert [key for key in bucket.objects if key.endswith("/")] == ["p/empty/inside/"]


def test_an_empty_directory_can_be_copied(local, bucket):
    (local.root / "empty").mkdir()
    copy(at(local, "empty"), at(bucket, "e"), recursive=True)
    copy(at(bucket, "e"), at(local, "back"), recursive=True)
    assert (local.root / "back").is_dir()


def test_links_are_listed_and_do_not_fail_a_copy_to_a_bucket(local, bucket):
    (local.root / "src").mkdir()
    (local.root / "src/f").write_text("x")
    (local.root / "src/l").symlink_to("f")
    record = copy(at(local, "src"), at(bucket, "p"), recursive=True)
    assert record.state == "done"
    assert record.failure_count == 0
    assert [(f.path, f.kind) for f in record.failures] == [("shared:src/l", "Skipped")]
    assert set(bucket.objects) == {"p/f"}


def test_a_private_directory_stays_private(local):
    (local.root / "src/secret").mkdir(parents=True)
    (local.root / "src/secret/f").touch()
    (local.root / "src/secret").chmod(0o700)
    copy(at(local, "src"), at(local, "dst"), recursive=True)
    assert (local.root / "dst/secret").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("policy", "state", "content", "failed", "skipped"),
    [
        (FAIL, "partial", b"old", 1, 0),
        (OVERWRITE, "done", b"new", 0, 0),
        (SKIP, "done", b"old", 0, 1),
        (NEWER, "done", b"new", 0, 0),
    ],
)
def test_existing_files_are_treated_as_the_policy_says(
    local, bucket, policy, state, content, failed, skipped
):
    (local.root / "src").mkdir()
    (local.root / "src/f").write_bytes(b"new")
    (local.root / "src/g").write_bytes(b"other")
    bucket.objects["p/f"] = (b"old", datetime(2020, 1, 1, tzinfo=timezone.utc))
    record = copy(at(local, "src"), at(bucket, "p"), recursive=True, policy=policy)
    assert record.state == state
    assert (record.failure_count, record.files_skipped) == (failed, skipped)
    assert bucket.objects["p/f"][0] == content
    assert bucket.objects["p/g"][0] == b"other"


def test_a_file_that_appears_meanwhile_is_not_replaced(local, bucket):
    (local.root / "f").write_bytes(b"mine")

    def race(verb, key, offset):
        if verb == "write":
            bucket.objects["f"] = (b"theirs", datetime.now(timezone.utc))

    bucket.fault = race
    assert copy(at(local, "f"), at(bucket, "f")).failures[0].kind == "AlreadyExists"
    del bucket.objects["f"]
    record = copy(at(local, "f"), at(bucket, "f"), policy=SKIP)
    assert (record.state, record.files_skipped) == ("done", 1)
    assert bucket.objects["f"][0] == b"theirs"


def test_failures_are_listed_and_the_rest_is_carried_on(local, bucket):
    for number in range(20):
        bucket.objects[f"p/{number:02}"] = (b"x", datetime.now(timezone.utc))

    def fault(verb, key, offset):
        if verb == "open" and key == "p/07":
            raise NotFound("It vanished", path=key)

    bucket.fault = fault
    record = copy(at(bucket, "p"), at(local, "dst"), recursive=True)
    assert (record.state, record.files_done, record.failure_count) == ("partial", 19, 1)
    assert record.failures[0].path == "s3://bucket/p/07"
    assert record.failures[0].hint
    assert len(list((local.root / "dst").iterdir())) == 19


def test_a_listing_that_breaks_off_is_a_failure(local, bucket):
    for name in "abc":
        bucket.objects[f"p/{name}"] = (b"x", datetime.now(timezone.utc))

    def fault(verb, key, offset):
        if (verb, key) == ("entry", "p/b"):
            raise Unreachable("The connection was cut", path="p")

    bucket.fault = fault
    record = copy(at(bucket, "p"), at(local, "dst"), recursive=True)
    assert (record.state, record.failures[0].path) == ("partial", "s3://bucket/p")


def test_a_directory_that_cannot_be_listed_hides_no_other(local, bucket, monkeypatch):
    plant(local.root / "src")
    scandir = os.scandir

    def denied(path):
        if str(path).endswith("/deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    record = copy(at(local, "src"), at(bucket, "p"), recursive=True, move=True)
    assert record.state == "partial"
    assert [(f.path, f.kind) for f in record.failures] == [("shared:src/deep", "AccessDenied")]
    assert record.files_done == 7
    monkeypatch.undo()
    assert (local.root / "src/deep/er/still/f").exists()


def test_failures_are_capped_and_counted(local, bucket):
    for number in range(1100):
        bucket.objects[f"p/{number}"] = (b"x", datetime.now(timezone.utc))

    def fault(verb, key, offset):
        if verb == "open":
            raise NotFound("It vanished", path=key)

    bucket.fault = fault
    record = copy(at(bucket, "p"), at(local, "dst"), recursive=True)
    assert (record.state, record.failure_count) == ("failed", 1100)
    assert len(record.failures) == 1000


# Refusals


@pytest.mark.parametrize("target", ["src", "src/below"])
def test_a_directory_does_not_go_into_itself(local, target):
    plant(local.root / "src")
    before = tree(local.root)
    with pytest.raises(InvalidRequest):
        copy(at(local, "src"), at(local, target), recursive=True)
    assert tree(local.root) == before


def test_a_link_to_the_source_is_seen_through(local):
    (local.root / "src").mkdir()
    (local.root / "src/f").write_text("x")
    (local.root / "alias").symlink_to("src")
    with pytest.raises(InvalidRequest):
        copy(at(local, "src"), at(local, "alias"), recursive=True)


@pytest.mark.parametrize("move", [False, True])
def test_a_file_is_not_copied_onto_itself(local, move):
    (local.root / "f").write_text("precious")
    with pytest.raises(InvalidRequest):
        copy(at(local, "f"), at(local, "f"), policy=OVERWRITE, move=move)
    with pytest.raises(InvalidRequest):
        copy(at(local, "f"), at(LocalStore(local.root), ""), policy=OVERWRITE, move=move)
    assert (local.root / "f").read_text() == "precious"


def test_moving_onto_a_link_to_the_source_loses_nothing(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    (first / "f").write_text("precious")
    os.link(first / "f", second / "f")
    record = copy(
        at(LocalStore(first), ""),
        at(LocalStore(second), ""),
        recursive=True,
        move=True,
        policy=OVERWRITE,
    )
    assert record.failures[0].kind == "InvalidRequest"
    assert (first / "f").read_text() == "precious"


def test_contents_can_move_up_into_the_parent(local):
    (local.root / "a/b/b").mkdir(parents=True)
    (local.root / "a/b/f").write_text("1")
    (local.root / "a/b/b/f").write_text("2")
    record = copy(at(local, "a/b"), at(local, "a"), recursive=True)
    assert (local.root / "a/f").read_text() == "1"
    assert "inside the directory" in record.failures[0].message


def test_a_directory_without_recursive_names_the_way_out(local):
    (local.root / "d").mkdir()
    with pytest.raises(IsADirectory, match="shared:d") as caught:
        copy(at(local, "d"), at(local, "e"))
    assert "-r" in caught.value.hint


def test_a_missing_source_is_named_as_it_was_typed(local):
    with pytest.raises(NotFound, match="shared:no"):
        copy(at(local, "no"), at(local, "e"))


def test_a_file_written_with_a_slash_is_refused(local):
    (local.root / "f").touch()
    with pytest.raises(NotADirectory):
        copy(at(local, "f", directory=True), at(local, "g"))


def test_among_several_sources_a_missing_one_is_listed(local):
    (local.root / "f").write_text("x")
    record = copy([at(local, "no"), at(local, "f")], at(local, "d"))
    assert record.state == "partial"
    assert record.failures[0].path == "shared:no"
    assert (local.root / "d/f").read_text() == "x"


def test_objects_named_to_escape_stay_out(local, bucket, tmp_path):
    for name in ["p/../../out", "p//double", "p/fine"]:
        bucket.objects[name] = (b"x", datetime.now(timezone.utc))
    record = copy(at(bucket, "p"), at(local, "dst"), recursive=True)
    assert {f.kind for f in record.failures} == {"InvalidPath"}
    assert [p.name for p in (local.root / "dst").iterdir()] == ["fine"]
    assert not (tmp_path / "out").exists()


# Passing errors, checksums, change


@pytest.mark.parametrize("verb", ["open", "read", "create", "write", "commit"])
def test_passing_errors_are_tried_again(bucket, verb):
    other = MemoryStore("other")
    data = random.Random(2).randbytes(PIECE * 3)
    bucket.objects["f"] = (data, datetime.now(timezone.utc))
    (bucket if verb in {"open", "read"} else other).fault = passing(
        verb, TRIES - 1, offset=PIECE if verb in {"read", "write"} else 0
    )
    record = copy(at(bucket, "f"), at(other, "f"))
    assert (record.state, record.failures) == ("done", ())
    assert other.objects["f"][0] == data
    assert record.bytes_done == len(data)
    assert other.open_writers == 0


def test_an_error_that_stays_is_listed_and_leaves_nothing(local, bucket):
    (local.root / "f").write_bytes(b"x" * 100)
    bucket.fault = passing("write", 10**6)
    record = copy(at(local, "f"), at(bucket, "f"))
    assert (record.state, record.failures[0].kind) == ("failed", "Unreachable")
    assert record.bytes_done == 0
    assert bucket.objects == {}
    assert bucket.open_writers == 0
    assert [call for call in bucket.calls if call[0] == "create"] == [("create", "f")] * TRIES


@pytest.mark.parametrize("size", [100, 5 * 2**20])
def test_a_flipped_bit_on_the_way_is_noticed(local, bucket, size, monkeypatch):
    data = random.Random(3).randbytes(size)
    bucket.objects["f"] = (data, datetime.now(timezone.utc))
    honest = bucket._entry
    monkeypatch.setattr(
        bucket, "objects", {"f": (data[:50] + b"?" + data[51:], datetime.now(timezone.utc))}
    )
    checksum = "md5:" + "0" * 32
    monkeypatch.setattr(
        bucket,
        "_entry",
        lambda key: type(honest(key))(key, key, "file", size, None, checksum),
    )
    record = copy(at(bucket, "f"), at(local, "f"))
    assert record.failures[0].kind == "ChecksumMismatch"
    assert not (local.root / "f").exists()
    assert no_debris(local.root)


def test_a_source_that_grows_while_it_is_read_is_an_error(local, bucket):
    path = local.root / "log"
    path.write_bytes(b"x" * (5 * 2**20))

    def grow(verb, key, offset):
        if verb == "write" and offset == 0:
            with path.open("ab") as file:
                file.write(b"more")

    bucket.fault = grow
    record = copy(at(local, "log"), at(bucket, "log"))
    assert record.failures[0].kind == "Conflict"
    assert "changed while it was read" in record.failures[0].message
    assert bucket.objects == {}


def test_a_source_that_comes_to_rest_is_copied(local, bucket):
    path = local.root / "log"
    path.write_bytes(bytes(CHUNK + 1))  # what is smaller is read before anything is written
    grown = []

    def grow_once(verb, key, offset):
        if verb == "write" and not grown:
            grown.append(path.write_bytes(b"final"))

    bucket.fault = grow_once
    assert copy(at(local, "log"), at(bucket, "log")).state == "done"
    assert bucket.objects["log"][0] == b"final"


# Cancelling


@pytest.mark.parametrize("size", [PIECE * 50, PIECE * 100])
def test_cancelling_stops_within_a_piece_and_leaves_nothing(local, bucket, size):
    bucket.objects["f"] = (bytes(size), datetime.now(timezone.utc))
    cancel = threading.Event()
    read = []

    def fault(verb, key, offset):
        if verb == "read":
            read.append(offset)
            time.sleep(0.01)
            if len(read) == 5:
                cancel.set()

    bucket.fault = fault
    with pytest.raises(Cancelled):
        copy(at(bucket, "f"), at(local, "f"), cancel=cancel)
    assert len(read) < 12
    assert list(local.root.iterdir()) == []


def test_cancelling_keeps_whole_files_and_no_others(local, bucket):
    for number in range(200):
        bucket.objects[f"p/{number:03}"] = (bytes(1000), datetime.now(timezone.utc))
    cancel = threading.Event()
    meter = Meter()

    def fault(verb, key, offset):
        time.sleep(0.001)
        if key == "p/050":
            cancel.set()

    bucket.fault = fault
    with pytest.raises(Cancelled):
        copy(at(bucket, "p"), at(local, "d"), recursive=True, cancel=cancel, meter=meter)
    files = list((local.root / "d").iterdir())
    assert 0 < len(files) < 200
    assert {path.stat().st_size for path in files} == {1000}
    assert meter.snapshot().failure_count == 0
    assert no_debris(local.root)


def test_cancelling_ends_the_pause_before_another_try(local, bucket):
    (local.root / "f").write_bytes(b"x")
    bucket.fault = passing("commit", 10**6)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        copy(at(local, "f"), at(bucket, "f"), engine=Engine(pause=60), cancel=cancel)
    assert time.monotonic() - began < 5


# Moves


def test_a_directory_moves_by_one_rename(local):
    source = plant(local.root / "src")
    before, inode = tree(source), source.stat().st_ino
    assert copy(at(local, "src"), at(local, "new/dst"), recursive=True, move=True).state == "done"
    assert tree(local.root / "new/dst") == before
    assert (local.root / "new/dst").stat().st_ino == inode
    assert not source.exists()


def test_a_move_merges_and_keeps_what_could_not_move(local):
    (local.root / "src/sub").mkdir(parents=True)
    (local.root / "dst").mkdir()
    for name in ["src/a", "src/b", "src/sub/c", "dst/b"]:
        (local.root / name).write_text(name)
    record = copy(at(local, "src"), at(local, "dst"), recursive=True, move=True)
    assert (record.state, record.failures[0].path) == ("partial", "shared:dst/b")
    assert set(tree(local.root)) == {
        "src",
        "src/b",
        "dst",
        "dst/a",
        "dst/b",
        "dst/sub",
        "dst/sub/c",
    }
    assert (local.root / "dst/b").read_text() == "dst/b"


def test_a_move_to_a_bucket_deletes_each_source_after_its_copy(local, bucket):
    plant(local.root / "src")
    (local.root / "src/link").symlink_to("zero")
    record = copy(at(local, "src"), at(bucket, "p"), recursive=True, move=True)
    assert record.state == "done"
    # The link could not go along, so it stays.
    assert set(tree(local.root)) == {"src", "src/link"}
    assert bucket.objects["p/data/x y.txt"]


def test_a_failed_copy_keeps_its_source(local, bucket):
    (local.root / "src").mkdir()
    (local.root / "src/f").write_text("precious")
    bucket.fault = passing("commit", 10**6)
    assert copy(at(local, "src"), at(bucket, "p"), recursive=True, move=True).state == "failed"
    assert (local.root / "src/f").read_text() == "precious"


def test_a_move_out_of_a_bucket_takes_markers_along(local, bucket):
    for key in ["p/a", "p/empty/", "p2/a"]:
        bucket.objects[key] = (b"", datetime.now(timezone.utc))
    copy(at(bucket, "p"), at(local, "d"), recursive=True, move=True)
    assert set(bucket.objects) == {"p2/a"}
    assert set(tree(local.root)) == {"d", "d/a", "d/empty"}


# Deletions


def test_deleting_data_keeps_data2(local, bucket):
    for key in ["data/a", "data/b/c", "data2/a", "data.bak"]:
        bucket.objects[key] = (b"", datetime.now(timezone.utc))
        (local.root / key).parent.mkdir(parents=True, exist_ok=True)
        (local.root / key).touch()
    for store in (local, bucket):
        record = delete(at(store, "data"))
        assert (record.state, record.files_done) == ("done", 2)
    assert set(bucket.objects) == {"data2/a", "data.bak"}
    assert set(tree(local.root)) == {"data2", "data2/a", "data.bak"}


def test_deleting_a_link_keeps_what_it_leads_to(local):
    (local.root / "d").mkdir()
    (local.root / "d/f").touch()
    (local.root / "l").symlink_to("d")
    assert delete(at(local, "l")).state == "done"
    assert set(tree(local.root)) == {"d", "d/f"}


def test_deleting_lists_what_cannot_be_deleted_and_deletes_the_rest(bucket):
    for number in range(30):
        bucket.objects[f"d/{number:02}"] = (b"", datetime.now(timezone.utc))

    def fault(verb, key, offset):
        if (verb, key) == ("delete", "d/03"):
            raise InvalidRequest("It is locked", path=key)

    bucket.fault = fault
    record = delete(at(bucket, "d"), at(bucket, "no"))
    assert record.state == "partial"
    assert {f.path for f in record.failures} == {"s3://bucket/d/03", "s3://bucket/no"}
    assert set(bucket.objects) == {"d/03"}
    assert record.files_done == 29


def test_a_directory_is_not_deleted_without_recursive(local):
    (local.root / "d").mkdir()
    assert delete(at(local, "d"), recursive=False).failures[0].kind == "IsADirectory"
    assert (local.root / "d").exists()


# Estimates and memory


def test_an_estimate_says_what_is_in_the_way(local, bucket):
    plant(local.root / "src")
    bucket.objects["p/zero"] = (b"old", datetime.now(timezone.utc))
    places = [at(local, "src")], at(bucket, "p")
    estimate = Engine().estimate(*places, recursive=True)
    assert estimate.conflicts == ("s3://bucket/p/zero",)
    assert estimate.files == 7
    over = Engine().estimate(*places, recursive=True, policy=OVERWRITE)
    assert (over.files, over.conflict_count) == (8, 1)
    assert over.bytes == 5 * 3000 + 9 * 2**20 + 1 + 10
    assert set(bucket.objects) == {"p/zero"}


def test_one_listing_answers_for_a_directory_of_targets(local, bucket):
    (local.root / "src").mkdir()
    for number in range(50):
        (local.root / f"src/{number}").touch()
    bucket.objects["p/x"] = (b"", datetime.now(timezone.utc))
    copy(at(local, "src"), at(bucket, "p"), recursive=True)
    looks = [verb for verb, _ in bucket.calls if verb in {"stat", "list"}]
    assert len(looks) <= 4


def test_overwriting_does_not_look_at_each_target(local, bucket):
    (local.root / "src").mkdir()
    for number in range(50):
        (local.root / f"src/{number}").touch()
    copy(at(local, "src"), at(bucket, "p"), recursive=True, policy=OVERWRITE)
    assert len([verb for verb, _ in bucket.calls if verb in {"stat", "list"}]) == 1


def test_large_files_in_flight_are_bounded_together(bucket):
    other = MemoryStore("other")
    flying, most, lock = [0], [0], threading.Lock()
    for number in range(8):
        bucket.objects[f"p/{number}"] = (b"x", datetime.now(timezone.utc))
    honest = bucket._entry

    def large(key):
        entry = honest(key)
        return type(entry)(key, entry.name, "file", 2**40, None)

    bucket._entry = large

    def fault(verb, key, offset):
        with lock:
            flying[0] += verb == "open"
            most[0] = max(most[0], flying[0])
        if verb == "read":
            time.sleep(0.02)
            with lock:
                flying[0] -= 1

    bucket.fault = fault
    record = copy(at(bucket, "p"), at(other, "p"), recursive=True, engine=Engine(pause=0))
    assert record.failure_count == 8  # 1 byte came instead of a tebibyte
    assert 1 <= most[0] <= 3


def test_a_bandwidth_holds_for_all_files_together_and_a_cancellation_ends_the_wait(local, bucket):
    for number in range(6):
        (local.root / "src").mkdir(exist_ok=True)
        (local.root / f"src/{number}").write_bytes(bytes(50_000))
    began = time.monotonic()
    engine = Engine(bandwidth=400_000)
    record = copy(at(local, "src"), at(bucket, "p"), recursive=True, engine=engine)
    assert (record.state, record.files_done) == ("done", 6)
    assert time.monotonic() - began > 0.5
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        copy(
            at(local, "src"),
            at(bucket, "q"),
            recursive=True,
            engine=Engine(bandwidth=1000),
            cancel=cancel,
        )
    assert time.monotonic() - began < 30
