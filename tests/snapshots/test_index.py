"""Index files: merged when they are many, and never missed when they are gone."""

import os
import time

import pytest
from oracle import PASSWORD

from jupyter_storage.errors import Conflict
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.stores.forwarding import ForwardingStore


def write_snapshot(repository, number):
    """One file and its directory, as a capture writes them."""
    content = repository.save_blob("data", f"version {number}".encode() * 50)
    tree = repository.save_tree(
        [{"name": "file", "type": "file", "mode": 0o644, "size": 1, "content": [content]}]
    )
    repository.flush()
    return repository.save_snapshot(Snapshot("", now(), tree, ("/project",)))


def index_files(store):
    return len(os.listdir(store.root / "index"))


@pytest.mark.slow
def test_opening_stays_fast_after_a_thousand_snapshots(open_repository, store, restic, tmp_path):
    repository = open_repository()
    with repository.lock() as hold:
        repository.refresh()
        for number in range(1000):
            write_snapshot(repository, number)
            repository.merge_index(hold)
            # Those that have grown wait for others of their size.
            assert index_files(store) <= 33 + number // 250
    fresh = open_repository()
    start = time.process_time()
    fresh.refresh()
    assert time.process_time() - start < 0.5
    assert len(fresh.snapshots()) == 1000
    assert all(fresh.load_tree(snapshot.tree) for snapshot in fresh.snapshots())


def test_a_few_index_files_are_left_alone(open_repository, store, restic):
    repository = open_repository()
    with repository.lock() as hold:
        repository.refresh()
        for number in range(32):
            write_snapshot(repository, number)
        assert repository.merge_index(hold) == 0
        write_snapshot(repository, 32)
        assert repository.merge_index(hold) == 33
    assert index_files(store) == 1


def test_nothing_is_merged_while_somebody_else_is_at_work(open_repository, store, restic):
    repository, other = open_repository(), open_repository()
    with repository.lock() as hold:
        repository.refresh()
        for number in range(40):
            write_snapshot(repository, number)
        with other.lock():
            assert repository.merge_index(hold) == 0
            assert index_files(store) == 40
        assert repository.merge_index(hold) == 40


def test_large_index_files_are_not_written_again(open_repository, store, restic, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.merging._SIZES", (60,))
    repository = open_repository()
    written = set()
    with repository.lock() as hold:
        repository.refresh()
        for number in range(200):
            write_snapshot(repository, number)
            repository.merge_index(hold)
            written |= set(os.listdir(store.root / "index"))
    # Each 33rd was merged before it was seen here; the merged ones stayed.
    assert len(written) == 200 - 6 + 6
    assert index_files(store) < 33 + 6


def test_a_few_small_index_files_do_not_cost_those_of_another_size(
    open_repository, store, restic, monkeypatch
):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.merging._SIZES", (10, 1000))
    repository = open_repository()
    with repository.lock() as hold:
        repository.refresh()
        for number in range(20):
            for part in range(20):
                repository.save_blob("data", f"{number} {part}".encode())
            repository.flush()
        larger = set(os.listdir(store.root / "index"))
        for number in range(33):
            write_snapshot(repository, number)
            assert repository.merge_index(hold) == (33 if number == 32 else 0)
    assert len(larger) == 20
    assert larger < set(os.listdir(store.root / "index"))


def test_whoever_knew_the_old_index_files_goes_on(open_repository, store, restic):
    one, two = open_repository(), open_repository()
    with one.lock():
        one.refresh()
        for number in range(20):
            write_snapshot(one, number)
    two.refresh()
    with one.lock() as hold:
        for number in range(20, 40):
            write_snapshot(one, number)
        assert one.merge_index(hold) == 40
    with two.lock():
        two.refresh()
        assert len(two.snapshots()) == 40
        assert all(two.load_tree(snapshot.tree) for snapshot in two.snapshots())
        write_snapshot(two, 3)
    restic("backup", store.root / "keys")
    two.refresh()
    assert len(two.snapshots()) == 42


class MergedWhileReading(ForwardingStore):
    """Somebody merges the index just after it was listed."""

    def __init__(self, store, merge):
        super().__init__(store)
        self.merge = merge

    def list(self, key="", **options):
        page = self.inner.list(key, **options)
        if key == "index" and self.merge:
            merge, self.merge = self.merge, None
            merge()
        return page


def test_an_index_merged_between_listing_and_reading_is_read_again(open_repository, store, restic):
    writer = open_repository()
    with writer.lock() as hold:
        writer.refresh()
        for number in range(40):
            write_snapshot(writer, number)
        reader = Repository.open(
            MergedWhileReading(store, lambda: writer.merge_index(hold)), PASSWORD
        )
        reader.refresh()
    assert index_files(store) == 1
    assert all(reader.load_tree(snapshot.tree) for snapshot in reader.snapshots())


def test_a_snapshot_whose_parts_were_pruned_meanwhile_is_not_published(
    open_repository, store, restic
):
    sleeper = open_repository()
    content = b"kept by nobody" * 100
    lost = sleeper.save_blob("data", content)
    sleeper.flush()
    with sleeper.lock():
        sleeper.refresh()
        # Taken over from the repository, as the content is known.
        assert sleeper.save_blob("data", content) == lost
        tree = sleeper.save_tree(
            [{"name": "file", "type": "file", "mode": 0o644, "size": 1, "content": [lost]}]
        )
        # The machine sleeps, the lock goes stale, and somebody prunes.
        restic("unlock", "--remove-all")
        restic("prune")
        sleeper.flush()
        with pytest.raises(Conflict, match="pruned the repository meanwhile"):
            sleeper.save_snapshot(Snapshot("", now(), tree, ("/project",)))
        # The second try begins afresh.
        sleeper.save_blob("data", content)
        sleeper.flush()
        sleeper.save_snapshot(Snapshot("", now(), tree, ("/project",)))
