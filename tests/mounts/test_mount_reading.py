from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
from recorder import recorded

from jupyter_storage.errors import Conflict
from jupyter_storage.mounts import attributes, reading
from jupyter_storage.mounts.reading import Fetcher, Reader
from jupyter_storage.mounts.versions import KeptVersions
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore

SEED = 20261121
MIB = 2**20


@pytest.fixture
def store(s3_bucket):
    opened = RetryingStore(open_store(f"s3://{s3_bucket}"))
    yield opened
    opened.close()


@pytest.fixture
def reader(store):
    """Write a file and open it."""
    fetcher = Fetcher(store)

    def opened(content: bytes) -> Reader:
        store.write("file.bin", content)
        return Reader(fetcher, store.stat("file.bin"))

    yield opened
    fetcher.close()


def test_the_first_byte_after_an_open_takes_three_requests(mounts, s3_bucket, s3_endpoint):
    with recorded(s3_endpoint) as (endpoint, seen), pytest.MonkeyPatch.context() as environment:
        store = open_store(f"s3://{s3_bucket}")
        store.write("big.bin", bytes(6 * MIB))
        store.write("small.bin", b"small")
        store.close()
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        target = mounts._state.parent / "target"
        mounts.mount(target, f"s3://{s3_bucket}", {})
        # The first file of all also finds out how the service is asked fastest.
        assert (target / "small.bin").read_bytes() == b"small"
        seen.clear()
        with (target / "big.bin").open("rb") as file:
            assert file.read(1) == b"\0"
            objects = [each for each in seen if each.path.endswith("big.bin")]
        mounts.unmount(target, force=True)
    assert 1 <= len(objects) <= 3, [(each.method, each.path) for each in seen]
    assert [each.method for each in objects].count("GET") == 1


def test_ranges_fit_together_in_whatever_order_they_are_asked_for(reader):
    rng = random.Random(SEED)
    content = rng.randbytes(20 * MIB + 4321)
    file = reader(content)
    assert b"".join(file.read(at, 131_072) for at in range(0, len(content), 131_072)) == content
    for _ in range(200):
        offset, size = rng.randrange(len(content)), rng.randrange(1, 700_000)
        assert file.read(offset, size) == content[offset : offset + size]
    assert file.read(len(content), 10) == b""
    file.close()


def test_many_threads_read_several_places_in_order(reader):
    content = random.Random(SEED).randbytes(24 * MIB)
    file = reader(content)
    wrong = []

    def read(start: int) -> None:
        for offset in range(start, start + 3 * MIB, 128 * 1024):
            if file.read(offset, 128 * 1024) != content[offset : offset + 128 * 1024]:
                wrong.append(offset)

    # More places than are remembered: some are given up while others wait for them.
    threads = [threading.Thread(target=read, args=(3 * MIB * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []
    file.close()


def test_what_was_fetched_ahead_is_bounded_and_given_back(reader, monkeypatch):
    monkeypatch.setattr(reading, "MEMORY", 4 * MIB)
    content = random.Random(SEED).randbytes(24 * MIB)
    file = reader(content)
    most = 0
    for offset in range(0, len(content), MIB):
        assert file.read(offset, MIB) == content[offset : offset + MIB]
        most = max(most, file._fetcher._taken)
    assert 0 < most <= 4 * MIB
    file.close()
    assert file._fetcher._taken == 0


def test_a_file_that_changes_while_it_is_read_gives_no_mixture(reader, store):
    content = random.Random(SEED).randbytes(20 * MIB)
    file = reader(content)
    assert file.read(0, MIB) == content[:MIB]
    store.write("file.bin", bytes(20 * MIB))

    def go_on() -> None:
        for offset in range(MIB, len(content), MIB):
            assert file.read(offset, MIB) == content[offset : offset + MIB]

    with pytest.raises(Conflict, match="changed"):
        go_on()
    file.close()


def test_what_the_kernel_keeps_is_read_again_only_if_it_is_the_same(store):
    store.write("a.txt", b"first")
    kept = KeptVersions()
    first = store.stat("a.txt")
    assert not kept.is_same(first)
    assert kept.is_same(store.stat("a.txt"))
    store.write("a.txt", b"other")
    assert not kept.is_same(store.stat("a.txt"))
    kept.forget("a.txt")
    assert not kept.is_same(store.stat("a.txt"))


def test_reading_again_asks_for_no_bytes_and_still_sees_changes(mounted_bucket, on_s3, aside):
    content = os.urandom(3 * MIB)
    aside.write("a.bin", content)
    path = Path(on_s3 / "a.bin")
    assert path.read_bytes() == content
    assert path.read_bytes() == content
    other = os.urandom(3 * MIB)
    aside.write("a.bin", other)
    assert path.read_bytes() == other
    path.write_bytes(content)
    assert path.read_bytes() == content
    path.rename(path.with_name(uuid4().hex))
    aside.write("a.bin", other)
    assert path.read_bytes() == other


def test_who_looks_at_each_file_of_a_large_directory_asks_once_for_all(store, monkeypatch):
    monkeypatch.setattr(attributes, "FRESH", 0.0)
    monkeypatch.setattr(attributes, "LOOK", 1.0)
    for number in range(100):
        store.write(f"many/{number:03}", b"x")
    looking, begun = attributes.Attributes(store), time.monotonic()
    names = looking.list("many")
    # For as long as it took, a listing counts for every look.
    time.sleep(time.monotonic() - begun)
    store.write("many/000", b"xxx")
    monkeypatch.setattr(attributes, "TWICE", 60.0)
    assert [looking.look(f"many/{name}").size for name in names for _ in "ab"] == [1] * 200
    # Who looks again a moment later wants to know what is there now.
    monkeypatch.setattr(time, "monotonic", lambda: begun + 61.0)
    assert looking.look("many/000").size == 3
