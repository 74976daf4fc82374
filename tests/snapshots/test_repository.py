"""Repositories: opening, racing, locking, damage."""

import io
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from oracle import PASSWORD

from jupyter_storage.errors import AccessDenied, ChecksumMismatch, Conflict, NotFound
from jupyter_storage.snapshots.repository import Repository, chunker
from jupyter_storage.snapshots.repository.crypto import Keys, digest, make_key_file, open_key_file
from jupyter_storage.snapshots.repository.times import now, to_text


@pytest.mark.parametrize("first", [0, 7, 2**128 - 2])
def test_messages_sealed_together_share_no_value_of_the_counter(monkeypatch, first):
    monkeypatch.setattr(os, "urandom", lambda size: first.to_bytes(size, "big"))
    keys = Keys(b"e" * 32, b"k" * 16, b"r" * 16)
    plains = [b"a" * 40, b"", b"b", b"c" * 16, b"", b"d" * 1000]
    sealed = keys.seal_all(plains)
    assert [keys.open(each) for each in sealed] == plains
    used = [
        (int.from_bytes(each[:16], "big") + block) % 2**128
        for each, plain in zip(sealed, plains, strict=True)
        for block in range(max(1, -(-len(plain) // 16)))
    ]
    assert used == [(first + number) % 2**128 for number in range(len(used))]


def test_a_seal_notices_any_changed_bit():
    keys = Keys.random()
    sealed = keys.seal(b"some text")
    assert keys.open(sealed) == b"some text"
    for position in range(len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(ChecksumMismatch):
            keys.open(bytes(broken))
    with pytest.raises(ChecksumMismatch):
        keys.open(sealed[:20])
    with pytest.raises(ChecksumMismatch):
        Keys.random().open(sealed)


def test_a_key_file_opens_with_its_password_only(quick_keys):
    quick_keys.undo()
    keys = Keys.random()
    content = make_key_file("pässword", keys)
    assert open_key_file("pässword", content) == keys
    assert open_key_file("password", content) is None
    assert open_key_file("pässword", b"{}") is None
    # One from outside must not make us take all memory.
    assert open_key_file("pässword", content.replace(b'"N": 32768', b'"N": 1073741824')) is None


def test_opening_takes_a_moment_only(open_repository, restic, quick_keys):
    quick_keys.undo()
    open_repository()
    start = time.process_time()
    open_repository()
    assert time.process_time() - start < 1


def test_a_wrong_password_is_said(open_repository, restic):
    open_repository()
    with pytest.raises(AccessDenied, match="password does not open"):
        open_repository(password="other")


def test_a_missing_repository_is_said(store):
    with pytest.raises(NotFound, match="no snapshot repository"):
        Repository.open(store, PASSWORD)


def test_a_repository_is_closed_to_others(open_repository, store, restic):
    open_repository()
    assert store.root.stat().st_mode & 0o077 == 0


def test_many_who_make_a_repository_at_once_agree(store, restic):
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: Repository.create(store, PASSWORD), range(6)))
    assert len({repository.id for repository in made}) == 1
    assert len(os.listdir(store.root / "keys")) == 1
    blobs = [repository.save_blob("data", b"x") for repository in made]
    assert len(set(blobs)) == 1
    for repository in made:
        repository.flush()
        repository.close()


def test_a_key_left_by_a_maker_who_died_is_removed(open_repository, store, restic):
    open_repository()
    for _ in range(3):
        orphan = make_key_file(PASSWORD, Keys.random())
        store.write(f"keys/{digest(orphan).hex()}", orphan)
    open_repository()
    assert len(os.listdir(store.root / "keys")) == 1


def test_keys_that_restic_added_open_it(open_repository, restic, tmp_path):
    open_repository()
    (tmp_path / "new").write_text("second\n")
    restic("key", "add", "--new-password-file", tmp_path / "new")
    assert open_repository(password="second").id == open_repository().id


def test_blobs_are_stored_once(open_repository, store, restic):
    one = open_repository()
    identifier = one.save_blob("data", b"content" * 1000)
    assert one.save_blob("data", b"content" * 1000) == identifier
    one.flush()
    two = open_repository()
    two.refresh()
    two.save_blob("data", b"content" * 1000)
    two.flush()
    assert sum(len(files) for _, _, files in os.walk(store.root / "data")) == 1
    assert two.load_blob("data", identifier) == b"content" * 1000


def test_large_blobs_are_compressed_where_a_part_of_them_shrinks(open_repository, store, restic):
    repository = open_repository()
    noise, text = os.urandom(2**20), b"text, " * 2**15
    blobs = [noise, noise + text, text + noise, noise[:-1] + text + noise]
    identifiers = [repository.save_blob("data", blob) for blob in blobs]
    repository.flush()
    places = [repository.locate("data", identifier) for identifier in identifiers]
    assert [place.uncompressed for place in places] == [0, *map(len, blobs[1:])]
    assert all(place.length < len(noise) + 5000 for place in places)
    loaded = [repository.load_blob("data", identifier) for identifier in identifiers]
    assert loaded == blobs


def test_a_forgotten_index_makes_us_forget(open_repository, store, restic):
    repository = open_repository()
    identifier = repository.save_blob("data", b"x" * 100)
    repository.flush()
    repository.refresh()
    assert repository.has_blob("data", identifier)
    restic("prune")
    repository.refresh()
    assert not repository.has_blob("data", identifier)


def test_others_wait_while_restic_prunes(open_repository, restic, store):
    repository = open_repository()
    lock = {"time": to_text(now()), "exclusive": True, "hostname": "far", "username": "u", "pid": 1}
    identifier = repository.save_unpacked("locks", lock)
    with pytest.raises(Conflict, match="locked by u@far"), repository.lock():
        pass
    repository.delete_file("locks", identifier)
    half_an_hour = 31 * 60
    moment = now() - half_an_hour * 10**9
    stale = repository.save_unpacked("locks", {**lock, "time": to_text(moment)})
    os.utime(store.root / "locks" / stale, ns=(moment, moment))
    with repository.lock() as confirm:
        confirm()
        assert len(repository.list_files("locks")) == 2
    assert repository.list_files("locks") == [stale]
    restic("unlock")


def test_an_exclusive_lock_excludes_a_shared_one(open_repository, restic):
    repository = open_repository()
    with repository.lock(), pytest.raises(Conflict), repository.lock(exclusive=True):
        pass
    assert repository.list_files("locks") == []


def test_locks_of_dead_processes_are_removed_and_living_ones_stay(
    open_repository, restic, tmp_path
):
    repository = open_repository()
    records = tmp_path / "locks"
    lock = {"time": to_text(now()), "exclusive": False, "hostname": "h", "username": "u", "pid": 1}
    dead = repository.save_unpacked("locks", lock)
    records.mkdir()
    (records / dead).touch()
    with repository.lock(records=records):
        assert dead not in repository.list_files("locks")
        with repository.lock(records=records):
            assert len(repository.list_files("locks")) == 2
    assert repository.list_files("locks") == []
    assert os.listdir(records) == []


def test_the_cache_is_only_a_copy(open_repository, restic, tmp_path):
    repository = open_repository(cache=tmp_path / "cache")
    identifier = repository.save_tree([])
    repository.flush()
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"broken")
    fresh = open_repository(cache=tmp_path / "cache")
    fresh.refresh()
    assert fresh.load_tree(identifier) == []


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("size", [0, 1, 2**19, 2**20, 9 * 2**20, 20 * 2**20 + 17])
def test_chunks_add_up_and_keep_their_bounds(size, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(chunker, "_cutter", lambda: None)
    content = os.urandom(size)
    left = memoryview(content)

    def readinto(view):
        nonlocal left
        count = min(len(view), len(left), 300_001)
        view[:count] = left[:count]
        left = left[count:]
        return count

    chunks = list(chunker.chunks(readinto))
    assert b"".join(chunks) == content
    assert all(chunker.MINIMUM <= len(chunk) <= chunker.MAXIMUM for chunk in chunks[:-1])


def test_an_insertion_leaves_most_chunks_as_they_are():
    content = os.urandom(20 * 2**20)

    def cut(data):
        return {digest(chunk) for chunk in chunker.chunks(io.BytesIO(data).readinto)}

    before, after = cut(content), cut(content[:1000] + b"inserted" + content[1000:])
    assert len(before & after) >= len(before) - 2


def test_borders_do_not_tell_where_the_buffer_ended(monkeypatch):
    chance = random.Random(3)
    words = chance.randbytes(3_000)
    data = b"".join(
        [
            chance.randbytes(9_000_000),
            bytes(20_000_000),
            words * 4_000,
            chance.randbytes(30_000_000),
        ]
    )
    lengths = set()
    for buffer in (chunker._BUFFER, 3 * chunker.MAXIMUM + 12_345, 2 * len(data)):
        monkeypatch.setattr(chunker, "_BUFFER", buffer)
        lengths.add(tuple(map(len, chunker.chunks(io.BytesIO(data).readinto))))
    assert len(lengths) == 1


def test_writers_from_many_threads_lose_nothing(open_repository, restic):
    repository = open_repository()
    contents = [os.urandom(200_000) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        identifiers = list(pool.map(lambda data: repository.save_blob("data", data), contents))
    repository.flush()
    fresh = open_repository()
    fresh.refresh()
    assert [fresh.load_blob("data", name) for name in identifiers] == contents
    assert threading.active_count() < 50
