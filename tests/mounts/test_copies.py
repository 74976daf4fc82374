"""Copies in place of mounts, for machines where nothing can be mounted."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import datetime, timezone
from itertools import product
from pathlib import Path

import pytest
from waiting import eventually

from jupyter_storage.errors import AlreadyExists, Conflict, NotFound
from jupyter_storage.mounts import mounters
from jupyter_storage.mounts.copies import Known, decide
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.records import Entry
from jupyter_storage.stores.opening import open_store
from jupyter_storage.transfers.progress import Meter


class Bench:
    """A bucket, and a copy of it on this machine."""

    def __init__(self, state: Path, uri: str, target: Path) -> None:
        self.mounts, self.uri, self.target = Mounts(state), uri, target
        self.bucket = open_store(uri)

    def fetch(self, **options):
        meter = Meter()
        self.mounts.copy(
            self.target, self.uri, {}, meter=meter, cancel=threading.Event(), **options
        )
        return meter.finish()

    @property
    def record(self):
        (record,) = self.mounts.all()
        return record

    def there(self) -> dict[str, bytes]:
        return {each.path: self.bucket.read(each.path) for each in self.bucket.walk()}


@pytest.fixture
def bench(s3_bucket, tmp_path):
    made = Bench(tmp_path / "mounts", f"s3://{s3_bucket}", tmp_path / "copy")
    made.bucket.write("a.txt", b"a")
    made.bucket.write("d/b.txt", b"b")
    yield made
    for record in made.mounts.all():
        made.mounts.unmount(Path(record.target), force=True)
    made.bucket.close()


def test_all_is_fetched_and_what_is_changed_stays_here_until_it_is_brought_back(bench):
    bench.fetch()
    assert (bench.target / "d/b.txt").read_bytes() == b"b"
    assert (bench.record.mode, bench.record.state, bench.record.pending) == ("COPY", "ok", 0)
    with (bench.target / "a.txt").open("a") as file:
        file.write(" and more")
    (bench.target / "new").mkdir()
    (bench.target / "new/c.txt").write_text("c")
    assert (bench.record.pending, bench.record.waiting) == (2, ("a.txt", "new/c.txt"))
    assert bench.there() == {"a.txt": b"a", "d/b.txt": b"b"}
    assert bench.mounts.flush(bench.target) == 2
    assert bench.there() == {"a.txt": b"a and more", "d/b.txt": b"b", "new/c.txt": b"c"}
    assert bench.record.pending == 0
    assert bench.mounts.flush(bench.target) == 0


def test_deleting_is_never_propagated(bench):
    bench.fetch()
    (bench.target / "a.txt").unlink()
    bench.bucket.delete("d/b.txt")
    bench.mounts.flush(bench.target)
    bench.fetch()
    assert bench.there() == {"a.txt": b"a"}
    assert not (bench.target / "a.txt").exists()
    assert (bench.target / "d/b.txt").read_bytes() == b"b"


def test_what_changed_on_both_sides_is_kept_on_both_and_named(bench):
    bench.fetch()
    (bench.target / "a.txt").write_text("mine")
    (bench.target / "mine.txt").write_text("mine")
    bench.bucket.write("a.txt", b"theirs")
    with pytest.raises(Conflict, match="changed here") as caught:
        bench.mounts.flush(bench.target)
    assert caught.value.path == str(bench.target / "a.txt")
    assert bench.there() == {"a.txt": b"theirs", "d/b.txt": b"b", "mine.txt": b"mine"}
    bench.fetch()
    assert (bench.target / "a.txt").read_text() == "mine"
    # The way out that the hint says.
    (bench.target / "a.txt").rename(bench.target / "a-mine.txt")
    bench.mounts.flush(bench.target)
    bench.mounts.reconcile()
    assert (bench.target / "a.txt").read_text() == "theirs"
    assert bench.there()["a-mine.txt"] == b"mine"
    assert bench.record.pending == 0


def test_fetching_again_brings_what_is_new_and_leaves_what_was_changed_here(bench):
    bench.fetch()
    (bench.target / "a.txt").write_text("mine")
    bench.bucket.write("d/b.txt", b"newer")
    bench.bucket.write("c.txt", b"c")
    bench.fetch()
    found = {path.name: path.read_text() for path in bench.target.rglob("*.txt")}
    assert found == {"a.txt": "mine", "b.txt": "newer", "c.txt": "c"}
    assert bench.record.waiting == ("a.txt",)


def test_a_copy_is_brought_back_by_itself_as_often_as_told(bench):
    bench.fetch(every=0.1)
    (bench.target / "a.txt").write_text("changed")
    assert eventually(lambda: bench.bucket.read("a.txt") == b"changed", 20)
    assert eventually(lambda: bench.record.pending == 0)
    pids = directory_of(bench.mounts._state, str(bench.target)) / "pids.json"
    before = json.loads(pids.read_text())["supervisor"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{before}/cmdline").read_bytes())
    # A server that starts sees that nobody does it any more.
    bench.mounts.reconcile()
    (bench.target / "a.txt").write_text("once more")
    assert eventually(lambda: bench.bucket.read("a.txt") == b"once more", 20)


def test_taking_it_away_brings_back_first_and_leaves_the_files(bench):
    bench.fetch()
    (bench.target / "a.txt").write_text("changed")
    bench.mounts.unmount(bench.target)
    assert bench.there()["a.txt"] == b"changed"
    assert (bench.target / "a.txt").read_text() == "changed"
    assert bench.mounts.all() == []


def test_somebody_killed_after_an_upload_makes_no_conflict(bench):
    bench.fetch()
    (bench.target / "a.txt").write_text("changed")
    # It arrived, and nobody noted that.
    bench.bucket.write("a.txt", b"changed")
    assert bench.mounts.flush(bench.target) == 0
    assert bench.record.pending == 0


def test_what_is_on_a_lost_disk_is_fetched_again(bench):
    bench.fetch()
    for path in (bench.target / "a.txt", bench.target / "d/b.txt"):
        path.unlink()
    (bench.target / "d").rmdir()
    bench.target.rmdir()
    assert bench.record.state == "missing"
    assert [each.state for each in bench.mounts.reconcile()] == ["ok"]
    assert (bench.target / "d/b.txt").read_bytes() == b"b"


def test_a_link_is_passed_over_and_nothing_is_hidden(bench, tmp_path):
    bench.fetch()
    (bench.target / "link").symlink_to("a.txt")
    (bench.target / "c.txt").write_text("c")
    assert bench.mounts.flush(bench.target) == 1
    assert "link" not in bench.there()
    assert bench.record.pending == 0
    with pytest.raises(AlreadyExists, match="as COPY"):
        bench.mounts.mount(bench.target, bench.uri, {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    bench.target = tmp_path / "full"
    with pytest.raises(AlreadyExists, match="not empty"):
        bench.fetch()


def test_a_copy_that_may_not_write_brings_nothing_back(bench):
    bench.fetch(read_only=True)
    (bench.target / "a.txt").write_text("changed")
    assert bench.record.pending == 0
    assert bench.mounts.flush(bench.target) == 0
    assert bench.there()["a.txt"] == b"a"


def test_a_bucket_that_is_not_there_leaves_nothing(bench):
    bench.uri += "-none"
    with pytest.raises(NotFound):
        bench.fetch()
    assert bench.mounts.all() == []


def test_where_nothing_can_be_mounted_the_reason_is_told(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(mounters, "DEVICE", tmp_path / "no-fuse")
    bench.fetch()
    assert bench.record.reason.startswith("there is no")


def test_no_decision_loses_what_only_one_side_has():
    """All states of a file: unknown, the same as known, changed, missing; on each side."""
    old = datetime(2026, 1, 1, tzinfo=timezone.utc)
    new = datetime(2026, 2, 2, tzinfo=timezone.utc)
    newer = datetime(2026, 3, 3, tzinfo=timezone.utc)

    def entry(size: int, modified: datetime) -> Entry:
        return Entry("f", "f", "file", size, modified)

    marks = Known(f"1 {old.isoformat()} ", f"1 {old.isoformat()} ")
    heres = {"same": entry(1, old), "changed": entry(2, new), "missing": None}
    theres = {"same": entry(1, old), "changed": entry(2, newer), "missing": None}
    decided = {
        (here, there): decide(heres[here], theres[there], marks)
        for here, there in product(heres, theres)
    }
    assert decided == {
        ("same", "same"): "nothing",
        ("same", "changed"): "fetch",
        ("same", "missing"): "nothing",
        ("changed", "same"): "push",
        ("changed", "changed"): "clash",
        ("changed", "missing"): "push",
        ("missing", "same"): "nothing",
        ("missing", "changed"): "fetch",
        ("missing", "missing"): "nothing",
    }
    assert decide(None, entry(1, old), None) == "fetch"
    assert decide(entry(1, old), None, None) == "push"
    assert decide(entry(1, old), entry(1, old), None) == "same"
    assert decide(entry(1, old), entry(1, new), None) == "clash"


def test_a_change_while_it_is_fetched_is_noticed(bench):
    """The file is changed as soon as it is here, with the rest still on its way."""
    for number in range(200):
        bench.bucket.write(f"many/{number:03}.bin", os.urandom(1000))

    def change() -> None:
        while not (bench.target / "a.txt").exists():
            time.sleep(0.001)
        (bench.target / "a.txt").write_text("Z")

    changing = threading.Thread(target=change)
    changing.start()
    bench.fetch()
    changing.join(10)
    assert bench.record.waiting == ("a.txt",)
    bench.mounts.flush(bench.target)
    assert bench.bucket.read("a.txt") == b"Z"
