"""Checks find every kind of damage; a repair of the index brings back what can be."""

import os

import pytest
from history import forget, packs, read_snapshot, write_snapshot

from jupyter_storage.snapshots.repository.names import quote


@pytest.fixture
def repository(open_repository):
    repository = open_repository()
    for number in range(4):
        write_snapshot(repository, [os.urandom(20_000), b"text " * number])
    return repository


def files(store, kind):
    return sorted(path for path in (store.root / kind).rglob("*") if path.is_file())


def data_packs(store):
    return [path for path in files(store, "data") if path.stat().st_size > 10_000]


def check(open_repository, percent=0.0):
    repository = open_repository()
    with repository.lock():
        return repository.check(percent=percent)


def repair(open_repository):
    repository = open_repository()
    with repository.lock(exclusive=True) as hold:
        return repository.repair_index(hold)


def test_a_whole_repository_is_clean(repository, open_repository, store, restic):
    record = check(open_repository, 100)
    assert record.failures == record.notes == ()
    assert (record.snapshots, record.packs, record.packs_read) == (4, 8, 8)
    assert record.blobs == 4 + 3 + 4
    assert record.bytes == record.bytes_read == sum(p.stat().st_size for p in files(store, "data"))


def test_what_stock_restic_wrote_is_clean_too(repository, open_repository, store, project, restic):
    for number in range(30):
        (project / f"file{number}").write_bytes(os.urandom(10_000))
    restic("backup", project)
    restic("forget", "--keep-last", "2", "--group-by", "", "--prune")
    record = check(open_repository, 100)
    assert record.failures == record.notes == ()


def test_a_sample_reads_its_share(repository, open_repository, restic):
    assert check(open_repository, 0).packs_read == 0
    assert check(open_repository, 25).packs_read == 2
    assert check(open_repository, 26).packs_read == 3


def test_a_missing_pack_is_found_with_the_files_that_need_it(repository, open_repository, store):
    lost = data_packs(store)[0]
    lost.unlink()
    record = check(open_repository)
    missing, file, *others = record.failures
    assert (missing.path, missing.message) == (
        f"data/{lost.parent.name}/{lost.name}",
        "A pack is missing",
    )
    assert file.path.endswith("/file0")
    assert "1 of the file's 1 parts are missing" in file.message
    assert all(other.path == file.path[:-1] + "1" for other in others)
    assert any(file.path.startswith(s.id[:8]) for s in repository.snapshots())


def test_a_short_pack_is_found(repository, open_repository, store):
    pack = data_packs(store)[0]
    pack.write_bytes(pack.read_bytes()[:-1])
    (failure,) = check(open_repository).failures
    assert "bytes in place of" in failure.message


@pytest.mark.parametrize("at", [0, 100, 10_000, -1, -40])
def test_a_flipped_bit_is_found_where_data_is_read(repository, open_repository, store, at):
    pack = data_packs(store)[0]
    content = bytearray(pack.read_bytes())
    content[at] ^= 1
    pack.write_bytes(content)
    assert check(open_repository).failures == ()
    (failure,) = check(open_repository, 100).failures
    assert failure.path.endswith(pack.name)
    assert "damaged" in failure.message


def test_a_damaged_directory_is_found(repository, open_repository, store):
    tree = next(path for path in files(store, "data") if path.stat().st_size < 10_000)
    content = bytearray(tree.read_bytes())
    content[20] ^= 1
    tree.write_bytes(content)
    failures = check(open_repository).failures
    assert any("The directory cannot be read" in failure.message for failure in failures)


@pytest.mark.parametrize("kind", ["snapshots", "index"])
def test_a_damaged_small_file_is_found(repository, open_repository, store, kind):
    path = files(store, kind)[0]
    path.write_bytes(path.read_bytes()[:-5])
    failures = check(open_repository).failures
    assert failures[0].path == f"{kind}/{path.name}"
    assert failures[0].hint


def test_packs_that_nothing_needs_are_a_note(repository, open_repository, store, restic):
    (store.root / "index" / next(iter(repository._catalog.known))).rename(store.root / "aside")
    lost = open_repository()
    lost.save_blob("data", b"in no index")
    lost.flush()
    newest = max(files(store, "index"), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    (store.root / "aside").rename(store.root / "index" / next(iter(repository._catalog.known)))
    record = check(open_repository, 100)
    assert record.failures == ()
    assert "1 packs with" in record.notes[0].message


def test_a_lost_index_is_made_anew_from_the_packs(repository, open_repository, store, restic):
    before = {s.id: read_snapshot(repository, s) for s in repository.snapshots()}
    for path in files(store, "index"):
        path.unlink()
    assert check(open_repository).failures
    record = repair(open_repository)
    assert (record.packs_added, record.packs_removed, record.failures) == (8, 0, ())
    assert check(open_repository, 100).failures == ()
    fresh = open_repository()
    fresh.refresh()
    assert {s.id: read_snapshot(fresh, s) for s in fresh.snapshots()} == before


def test_a_damaged_index_file_is_replaced(repository, open_repository, store, restic):
    path = files(store, "index")[0]
    path.write_bytes(b"nonsense" * 10)
    record = repair(open_repository)
    assert (record.index_files_unreadable, record.packs_added) == (1, 2)
    assert not path.exists()
    assert check(open_repository, 100).failures == ()


def test_a_lost_pack_is_forgotten_so_that_the_next_snapshot_brings_it_back(
    open_repository, store, restic
):
    repository = open_repository()
    contents = [os.urandom(30_000)]
    write_snapshot(repository, contents)
    lost = data_packs(store)[0]
    lost.unlink()
    assert repair(open_repository).packs_removed == 1
    (failure,) = check(open_repository).failures
    assert failure.path.endswith("/file0")
    fresh = open_repository()
    write_snapshot(fresh, contents)
    assert check(open_repository, 100).failures == ()


def test_a_pack_without_a_readable_header_is_said_and_left(repository, open_repository, store):
    pack = data_packs(store)[0]
    pack.write_bytes(pack.read_bytes()[:-30])
    record = repair(open_repository)
    assert (record.packs_removed, record.failures[0].path[-64:]) == (1, pack.name)
    assert pack.name in packs(store)
    assert len(data_packs(store)) == 4


def test_a_whole_index_is_left_as_it_is(repository, open_repository, store, restic):
    before = files(store, "index")
    record = repair(open_repository)
    assert (record.packs_added, record.packs_corrected, record.packs_removed) == (0, 0, 0)
    assert files(store, "index") == before


def test_packs_of_any_length_are_read_back(open_repository, store, restic):
    repository = open_repository()
    for number in range(3000):
        repository.save_blob("data", f"small {number}".encode())
    write_snapshot(repository, [b"", b"x"])
    for path in files(store, "index"):
        path.unlink()
    assert repair(open_repository).packs_added == 2
    assert check(open_repository, 100).blobs == 3002


def test_files_are_named_as_people_know_them(open_repository, store):
    repository = open_repository()
    blob = repository.save_blob("data", os.urandom(20_000))
    name = "naïve\nname"
    tree = repository.save_tree(
        [{"name": quote(name), "type": "file", "mode": 0o644, "size": 1, "content": [blob]}]
    )
    repository.flush()
    from jupyter_storage.snapshots.repository import Snapshot

    repository.save_snapshot(Snapshot("", 1, tree, ("/p",)))
    data_packs(store)[0].unlink()
    assert check(open_repository).failures[1].path.endswith(f":/{name}")


def test_forgotten_snapshots_need_nothing(repository, open_repository, store):
    forget(repository, *(snapshot.id for snapshot in repository.snapshots()))
    data_packs(store)[0].unlink()
    (failure,) = check(open_repository).failures
    assert failure.message == "A pack is missing"
