from __future__ import annotations

import pytest

from jupyter_storage.errors import AccessDenied, Conflict, NotFound, Unreachable
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.testing import Fault, FaultyStore


@pytest.fixture
def faulty(tmp_path):
    return FaultyStore(LocalStore(tmp_path))


@pytest.fixture
def store(faulty):
    return RetryingStore(faulty, tries=4, pause=0.001)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_may_pass_is_tried_again(store, faulty, when):
    for name in ("a/1", "a/2", "b"):
        faulty.inner.write(name, b"x")
    faulty.faults = [
        Fault(verb, times=3 if when == "before" else 1, when=when)
        for verb in ("stat", "list", "make_directory", "delete", "open")
    ]
    assert store.stat("b").size == 1
    assert [entry.name for entry in store.list("a").entries] == ["1", "2"]
    store.make_directory("c")
    store.delete("b")
    assert store.read("a/1") == b"x"
    with pytest.raises(NotFound):
        store.stat("b")
    assert all(fault.times == 0 for fault in faulty.faults)


def test_patience_ends(store, faulty):
    faulty.faults = [Fault("stat", times=-1)]
    with pytest.raises(Unreachable):
        store.stat("a")
    assert len(faulty.operations) == 4


def test_what_will_not_pass_is_not_tried_again(store, faulty):
    faulty.faults = [Fault("stat", error=lambda key: AccessDenied("No", path=key))]
    with pytest.raises(AccessDenied):
        store.stat("a")
    assert len(faulty.operations) == 1


def test_deleting_what_was_never_there_is_not_found(store):
    with pytest.raises(NotFound):
        store.delete("missing")


def test_a_deletion_of_a_directory_whose_answer_was_lost_counts_right(store, faulty):
    for number in range(5):
        faulty.inner.write(f"d/{number}", b"x")
    faulty.faults = [Fault("delete_directory", when="after")]
    assert store.delete_directory("d") == 5


def test_a_stream_reads_on_where_it_broke(store, faulty):
    data = bytes(range(256)) * 4096 * 12
    faulty.inner.write("file", data)
    faulty.faults = [Fault("read", after=1), Fault("read", after=2), Fault("open", after=1)]
    assert store.read("file", offset=7) == data[7:]
    assert [verb for verb, _ in faulty.operations].count("open") == 4
    assert store.read("file", offset=10, length=9_000_000) == data[10:9_000_010]


def test_halves_of_two_versions_make_no_file(store, faulty):
    class Versioned:
        def __init__(self, pieces, version):
            self.version, self._pieces = version, pieces

        def __next__(self):
            return next(self._pieces)

        def __iter__(self):
            return self

    versions = iter(["1", "2"])
    pieces = faulty._pieces
    faulty._pieces = lambda key, found: Versioned(pieces(key, found), next(versions))
    faulty.inner.write("file", bytes(9 * 2**20))
    faulty.faults = [Fault("read", after=1)]
    with pytest.raises(Conflict):
        store.read("file")


def test_a_walk_goes_on_and_yields_each_once(store, faulty):
    for number in range(20):
        faulty.inner.write(f"d{number % 3}/{number:02}", b"x")
    expected = [entry.path for entry in faulty.inner.walk("")]
    faulty.faults = [Fault("walk", after=4), Fault("walk", after=20)]
    assert [entry.path for entry in store.walk("")] == expected


def test_a_walk_that_lost_its_place_says_so(store, faulty):
    for name in "abc":
        faulty.inner.write(name, b"x")
    faulty.faults = [Fault("walk", after=1)]
    walk = store.walk("")
    assert next(walk).path == "a"
    faulty.inner.delete("a")
    with pytest.raises(Conflict):
        list(walk)


def test_a_flipped_bit_is_flipped_once(faulty):
    faulty.inner.write("file", b"\x00\x01")
    faulty.faults = [Fault("read", when="flip")]
    assert faulty.read("file") == b"\x01\x01"
    assert faulty.read("file") == b"\x00\x01"
