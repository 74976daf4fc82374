"""Directories that are listed side by side come as one walk would give them."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import pytest
from memory_store import MemoryStore

from jupyter_storage.errors import Unreachable
from jupyter_storage.transfers.walking import walk_together

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def bucket(*keys: str) -> MemoryStore:
    store = MemoryStore()
    store.objects = dict.fromkeys(keys, (b"x", NOON))
    return store


def files(entries):
    return [entry.path for entry in entries if entry.type == "file"]


def threads() -> int:
    return sum(each.name.startswith("jupyter-storage-list") for each in threading.enumerate())


@pytest.mark.parametrize(
    "store",
    [
        bucket("top"),
        bucket("d/only/a", "d/only/b/c", "d/x"),
        bucket(
            *(f"{d}/{n:04}" for d in ("a", "a-b", "a.c", "b/c", "ü") for n in range(1300)), "a!"
        ),
        bucket(*(f"{d:03}/f" for d in range(100))),
        bucket("e/", "e/f/", "e/f/g", "h/i"),
    ],
    ids=["flat", "one", "large", "many", "markers"],
)
@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_same_files_come_in_the_same_order(store, concurrency):
    found = list(walk_together(store, "", concurrency=concurrency))
    assert files(found) == files(store.walk(""))
    written = [entry.path + "/" * entry.is_directory for entry in found]
    assert written == sorted(written)
    assert len(set(written)) == len(written)


def test_several_are_listed_at_the_same_time():
    store = bucket(*(f"{d}/f" for d in "abc"))
    together = threading.Barrier(3, timeout=20)

    def fault(verb, key, offset):
        if verb == "walk":
            together.wait()

    store.fault = fault
    assert files(walk_together(store, "", concurrency=3)) == ["a/f", "b/f", "c/f"]


def test_an_error_is_raised_and_who_has_enough_leaves_no_thread():
    store = bucket(*(f"{d}/{n:05}" for d in "abcd" for n in range(5000)))
    walk = walk_together(store, "", concurrency=4)
    assert next(walk).path == "a"
    assert next(walk).path == "a/00000"
    walk.close()
    assert threads() == 0

    def fault(verb, key, offset):
        if verb == "entry" and key == "b/00100":
            raise Unreachable("The connection was cut", path=key)

    store.fault = fault
    with pytest.raises(Unreachable):
        list(walk_together(store, "", concurrency=4))
    assert threads() == 0
