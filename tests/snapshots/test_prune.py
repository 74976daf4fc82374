"""Pruning: what nothing needs goes at the second pass, and nothing else."""

import os
from dataclasses import replace

import pytest
from history import DAY, forget, packs, pass_time, prune, read_snapshot, write_snapshot
from oracle import PASSWORD

from jupyter_storage.errors import ChecksumMismatch, Conflict, StorageError, Unsupported
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.marks import Marks
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.local import LocalStore


def test_what_nothing_needs_goes_at_the_second_pass_a_day_later(open_repository, store, restic):
    repository = open_repository()
    old = write_snapshot(repository, [os.urandom(50_000)])
    content = [os.urandom(50_000)]
    write_snapshot(repository, content)
    forget(repository, old)
    before = packs(store)
    first = prune(repository, store)
    assert (first.packs_deleted, first.packs_waiting) == (0, 2)
    assert packs(store) == before
    pass_time(store, DAY - 60)
    assert prune(repository, store).packs_deleted == 0
    pass_time(store, 61)
    second = prune(repository, store)
    assert (second.packs_deleted, second.packs_waiting) == (2, 0)
    assert second.bytes_deleted == first.bytes_waiting > 50_000
    assert len(packs(store)) == 2
    assert second.bytes_stored == sum(
        path.stat().st_size for path in (store.root / "data").rglob("*") if path.is_file()
    )
    fresh = open_repository()
    fresh.refresh()
    assert [read_snapshot(fresh, each) for each in fresh.snapshots()] == [content]


def test_what_is_needed_again_meanwhile_begins_to_wait_anew(open_repository, store, restic):
    repository = open_repository()
    contents = [os.urandom(50_000)]
    keep = write_snapshot(repository, [b"other"])
    forget(repository, write_snapshot(repository, contents))
    prune(repository, store)
    pass_time(store)
    again = write_snapshot(repository, contents)
    assert prune(repository, store).packs_deleted == 0
    assert len(packs(store)) == 4
    forget(repository, again)
    # The first pass is more than a day ago, but the last one found them needed.
    assert prune(repository, store).packs_deleted == 0
    pass_time(store)
    assert prune(repository, store).packs_deleted == 2
    assert [snapshot.id for snapshot in repository.snapshots()] == [keep]


def test_packs_that_a_crash_left_go_as_well(open_repository, store, restic):
    repository = open_repository()
    write_snapshot(repository, [b"kept"])
    lost = open_repository()
    lost.save_blob("data", os.urandom(1000))
    lost.flush()
    for name in set(os.listdir(store.root / "index")) - set(repository._catalog.known):
        (store.root / "index" / name).unlink()
    assert prune(repository, store).packs_waiting == 1
    pass_time(store)
    assert prune(repository, store).packs_deleted == 1


def test_wasteful_packs_are_written_anew(open_repository, store, restic):
    repository = open_repository()
    kept = os.urandom(200_000)
    old = write_snapshot(repository, [kept, os.urandom(2_000_000)])
    write_snapshot(repository, [kept])
    forget(repository, old)
    first = prune(repository, store)
    assert first.packs_repacked == 1
    assert first.bytes_repacked > 2_000_000
    assert first.packs_waiting == 2
    pass_time(store)
    second = prune(repository, store)
    assert (second.packs_deleted, second.packs_repacked) == (2, 0)
    assert 200_000 < second.bytes_stored < 210_000
    fresh = open_repository()
    fresh.refresh()
    assert [read_snapshot(fresh, each) for each in fresh.snapshots()] == [[kept]]


def test_a_little_waste_is_left(open_repository, store, restic):
    repository = open_repository()
    kept = os.urandom(1_000_000)
    old = write_snapshot(repository, [kept, os.urandom(40_000)])
    write_snapshot(repository, [kept])
    forget(repository, old)
    record = prune(repository, store)
    assert (record.packs_repacked, record.packs_waiting) == (0, 1)


def test_many_small_packs_become_one(open_repository, store, restic):
    repository = open_repository()
    contents = [[f"version {number}".encode() * 30] for number in range(110)]
    for content in contents:
        write_snapshot(repository, content)
    assert prune(repository, store).packs_repacked == 220
    pass_time(store)
    assert prune(repository, store).packs_deleted == 220
    assert len(packs(store)) == 2
    fresh = open_repository()
    fresh.refresh()
    assert [read_snapshot(fresh, each) for each in fresh.snapshots()] == contents


def test_others_that_are_at_work_are_not_disturbed(open_repository, store, restic):
    repository, other = open_repository(), open_repository()
    write_snapshot(repository, [b"x"])
    with other.lock(), pytest.raises(Conflict, match="locked by"):
        prune(repository, store)
    with repository.lock(exclusive=True), pytest.raises(Conflict), other.lock():
        pass


def test_a_process_that_knew_the_old_index_goes_on(open_repository, store, restic):
    repository, other = open_repository(), open_repository()
    contents = [os.urandom(30_000)]
    forget(repository, write_snapshot(repository, contents))
    other.refresh()
    prune(repository, store)
    pass_time(store)
    assert prune(repository, store).packs_deleted == 2
    write_snapshot(other, contents)
    fresh = open_repository()
    fresh.refresh()
    assert read_snapshot(fresh, fresh.snapshots()[0]) == contents


def test_nothing_is_removed_where_something_is_missing(open_repository, make_restic, store):
    repository = open_repository()
    forget(repository, write_snapshot(repository, [os.urandom(1000)]))
    prune(repository, store)
    pass_time(store)
    kept = os.urandom(5000)
    write_snapshot(repository, [kept])
    before = packs(store)
    path = next(
        path
        for path in (store.root / "data").rglob("*")
        if path.is_file() and path.stat().st_size > 5000
    )
    aside = path.rename(store.root.with_name("aside"))
    with pytest.raises(ChecksumMismatch, match="1 parts that snapshots need are missing") as caught:
        prune(repository, store)
    assert "snapshot repair" in caught.value.hint
    assert packs(store) == before - {path.name}
    aside.rename(path)
    assert prune(repository, store).packs_deleted == 2
    make_restic(store.root).check()


def test_marks_of_another_repository_count_for_nothing(open_repository, store, restic):
    repository = open_repository()
    forget(repository, write_snapshot(repository, [os.urandom(1000)]))
    before = Marks(LocalStore(store.root.with_name("upkeep")), "another")
    before.clock()
    before.write(frozenset(packs(store)))
    store.root.with_name("upkeep").joinpath("pass-broken").write_text("{")
    pass_time(store)
    assert prune(repository, store).packs_deleted == 0


class Timeless(ForwardingStore):
    def stat(self, key):
        from dataclasses import replace

        return replace(self.inner.stat(key), modified=None)


def test_a_store_that_tells_no_times_is_not_pruned(open_repository, store, restic):
    repository = open_repository()
    forget(repository, write_snapshot(repository, [os.urandom(1000)]))
    marks = Marks(Timeless(LocalStore(store.root.with_name("upkeep"))), repository.id)
    with pytest.raises(Unsupported, match="does not say when"):
        prune(repository, store, marks)
    assert len(packs(store)) == 2


def test_stock_restic_may_prune_in_between(open_repository, store, restic):
    repository = open_repository()
    contents = [[os.urandom(20_000), os.urandom(20_000)] for _ in range(6)]
    identifiers = [write_snapshot(repository, each) for each in contents]
    forget(repository, identifiers[0])
    prune(repository, store)
    restic("forget", "--prune", identifiers[1])
    pass_time(store)
    forget(repository, identifiers[2])
    prune(repository, store)
    restic("prune", "--max-unused", "0")
    pass_time(store)
    prune(repository, store)
    fresh = open_repository()
    fresh.refresh()
    assert [read_snapshot(fresh, each) for each in fresh.snapshots()] == contents[3:]


@pytest.mark.slow
def test_it_works_on_s3(s3_bucket, make_restic, tmp_path):

    from jupyter_storage.snapshots.place import Place, restic_environment
    from jupyter_storage.stores.opening import open_store

    uri = f"s3://{s3_bucket}/w/snapshots"
    repository = Repository.create(open_store(uri), PASSWORD)
    marks = Marks(open_store(f"{uri}.upkeep"), repository.id)
    contents = [os.urandom(30_000)]
    forget(repository, write_snapshot(repository, [os.urandom(30_000)]))
    write_snapshot(repository, contents)
    with repository.lock(exclusive=True) as hold:
        first = repository.prune(marks, hold)
        assert (first.packs_deleted, first.packs_waiting) == (0, 2)
        assert repository.prune(marks, hold).packs_deleted == 0
    variables = restic_environment(Place(uri, {}, tmp_path / "password"))
    (tmp_path / "password").write_text(PASSWORD)
    restic = make_restic(variables.pop("RESTIC_REPOSITORY"), **variables)
    restic.check()
    repository.close()


def test_a_pass_that_fails_is_taken_up_by_the_next(open_repository, store, restic):
    repository = open_repository()
    kept = os.urandom(100_000)
    old = write_snapshot(repository, [kept, os.urandom(500_000)])
    write_snapshot(repository, [kept])
    forget(repository, old)

    class Full(ForwardingStore):
        def create(self, key, **options):
            if key.startswith("data/"):
                raise StorageError("The disk is full", path=key)
            return self.inner.create(key, **options)

    failing = Repository.open(Full(store), PASSWORD)
    with pytest.raises(StorageError, match="disk is full"):
        prune(failing, store)
    failing.close()
    assert prune(repository, store).packs_repacked == 1
    fresh = open_repository()
    fresh.refresh()
    assert read_snapshot(fresh, fresh.snapshots()[0]) == [kept]


class LateStore(ForwardingStore):
    """Lists one snapshot long after it was written, as some object stores do."""

    def __init__(self, store, late):
        super().__init__(store)
        self.late = late

    def list(self, key="", **options):
        page = self.inner.list(key, **options)
        return replace(page, entries=tuple(e for e in page.entries if e.name != self.late))


def test_a_snapshot_that_this_machine_saw_is_kept_though_no_list_has_it(
    open_repository, store, restic, tmp_path
):
    contents = [os.urandom(50_000)]
    open_repository().close()
    repository = Repository.open(store, PASSWORD, cache=tmp_path / "cache")
    forget(repository, write_snapshot(repository, contents))
    prune(repository, store)
    pass_time(store)
    # It counts on data that the pass found unneeded, and its writer knows nothing of passes.
    again = write_snapshot(repository, contents)
    late = Repository.open(LateStore(store, again), PASSWORD, cache=tmp_path / "cache")
    assert again not in late.list_files("snapshots")
    assert prune(late, store).packs_deleted == 0
    assert [read_snapshot(late, each) for each in late.snapshots()] == [contents]
    forget(repository, again)
    assert late.snapshots() == []
