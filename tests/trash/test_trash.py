"""What goes to the trash comes back, on directories and in buckets, whatever happens between."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jupyter_storage.errors import Cancelled, NotFound
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.testing.faulty_store import Fault, FaultyStore
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.trash import Trash, weigh

TREE = {
    "a.txt": b"a",
    "d/b.txt": b"bb",
    "d/e/ü c.txt": b"ccc",
    "d2/not this": b"n",
    "data.bak": b"n",
}
DOOMED = ("d", "a.txt")


@pytest.fixture(params=["directory", "bucket"])
def store(request, tmp_path):
    if request.param == "directory":
        yield LocalStore(tmp_path / "tier")
        return
    bucket = request.getfixturevalue("s3_bucket")
    opened = RetryingStore(open_store(f"s3://{bucket}/some/prefix", {}))
    yield opened
    opened.close()


def fill(store):
    for key, data in TREE.items():
        store.write(key, data)


def content(store):
    return {entry.path: store.read(entry.path) for entry in store.walk() if not entry.is_directory}


def trash_of(store):
    return Trash(Place(store, "", "shared:"), "me", concurrency=1)


def put(store, keys=DOOMED, cancel=None):
    meter = Meter("delete")
    places = [Place(store, key, "shared:") for key in keys]
    identifier = trash_of(store).put(
        places, weigh(places), meter=meter, cancel=cancel or threading.Event()
    )
    return identifier, meter.finish()


def restore(store, identifier):
    meter, trash = Meter("undelete"), trash_of(store)
    trash.restore(trash.bundle(identifier), meter=meter, cancel=threading.Event())
    return meter.finish()


def test_what_was_deleted_is_listed_nowhere_and_comes_back(store):
    fill(store)
    store.make_directory("d/empty")
    identifier, record = put(store)
    assert (record.state, record.files_done) == ("done", 2)
    assert record.trashed == (f"shared:{identifier}",)
    left = {"d2/not this": b"n", "data.bak": b"n"}
    assert content(store) == left
    assert {entry.name for entry in store.list().entries} == {"d2", "data.bak"}
    (bundle,) = trash_of(store).bundles()
    assert (list(bundle.keys), bundle.weight.files, bundle.weight.bytes) == (list(DOOMED), 3, 6)
    assert datetime.now(timezone.utc) - bundle.deleted < timedelta(minutes=1)

    assert restore(store, identifier).state == "done"
    assert content(store) == TREE
    assert store.stat("d/empty").is_directory
    assert list(trash_of(store).bundles()) == []
    if (local := store.local_path("")) is not None:
        names = [path for path in local.rglob("*") if path.is_file()]
        assert len(names) == len(TREE)
    else:
        with pytest.raises(NotFound):
            store.stat(f"{TEMPORARY_PREFIX}trash-me")


def test_nothing_is_replaced_when_something_comes_back(store):
    fill(store)
    identifier, _ = put(store)
    store.write("a.txt", b"newer")
    store.write("d/b.txt", b"newer")
    record = restore(store, identifier)
    assert record.failure_count == 2
    assert {failure.kind for failure in record.failures} == {"AlreadyExists"}
    assert content(store)["a.txt"] == content(store)["d/b.txt"] == b"newer"
    # What stood in the way goes, and the rest comes.
    store.delete("a.txt")
    store.delete("d/b.txt")
    store.delete_empty("d")
    assert restore(store, identifier).state == "done"
    assert content(store) == TREE


def test_a_kill_at_any_moment_loses_nothing(store, record_property):
    fill(store)
    cases = 0
    while True:
        faulty = FaultyStore(store, Fault(after=cases, times=-1, error=Crash))
        try:
            put(faulty)
        except (Crash, Cancelled):
            pass
        else:
            break
        cases += 1
        for bundle in list(trash_of(store).bundles()):
            record = restore(store, bundle.id)
            assert record.failures == ()
        assert content(store) == TREE
    for bundle in trash_of(store).bundles():
        last = bundle.id
    undone = 0
    while True:
        faulty = FaultyStore(store, Fault(after=undone, times=-1, error=Crash))
        try:
            restore(faulty, last)
        except (Crash, Cancelled):
            undone += 1
        else:
            break
    assert content(store) == TREE
    assert list(trash_of(store).bundles()) == []
    assert cases >= 4
    assert undone >= 2
    record_property("crash cases", cases + undone)


class Crash(BaseException):
    """The process is gone."""


def test_a_cancelled_deletion_leaves_each_thing_here_or_there(store):
    fill(store)
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Cancelled):
        put(store, cancel=stopped)
    assert content(store) == TREE


def test_emptying_takes_the_old_and_leaves_the_new(store):
    fill(store)
    identifier, _ = put(store, ["a.txt"])
    trash, cancel = trash_of(store), threading.Event()
    trash.empty(before=datetime.now(timezone.utc) - timedelta(days=1), meter=Meter(), cancel=cancel)
    assert [bundle.id for bundle in trash.bundles()] == [identifier]
    trash.empty(
        before=datetime.now(timezone.utc) + timedelta(seconds=2), meter=Meter(), cancel=cancel
    )
    assert list(trash.bundles()) == []
    assert "a.txt" not in content(store)


def test_a_bucket_takes_no_more_than_it_should_copy(s3_bucket):
    store = RetryingStore(open_store(f"s3://{s3_bucket}/p", {}))
    fill(store)
    places = [Place(store, "d", "data:")]
    weight = weigh(places)
    trash = trash_of(store)
    assert trash.problem(places, weight, 5) == ""
    assert "more than the trash of a bucket takes" in trash.problem(places, weight, 4)
    store.close()


def test_a_directory_that_nobody_may_write_to_has_no_trash(tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    store = LocalStore(tmp_path / "tier")
    fill(store)
    places = [Place(store, "d", "shared:")]
    (tmp_path / "tier").chmod(0o500)
    try:
        assert "may not make a trash" in trash_of(store).problem(places, weigh(places), 0)
    finally:
        (tmp_path / "tier").chmod(0o700)


def test_the_trash_of_a_directory_is_for_its_owner_only(tmp_path: Path):
    store = LocalStore(tmp_path)
    fill(store)
    put(store)
    assert (tmp_path / f"{TEMPORARY_PREFIX}trash-me").stat().st_mode & 0o777 == 0o700


def test_links_go_and_come_back_as_links(tmp_path: Path):
    store = LocalStore(tmp_path)
    fill(store)
    (tmp_path / "link").symlink_to("d2")
    identifier, record = put(store, ["link"])
    assert record.state == "done"
    assert (tmp_path / "d2" / "not this").exists()
    restore(store, identifier)
    assert (tmp_path / "link").readlink() == Path("d2")
