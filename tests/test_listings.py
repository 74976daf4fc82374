from __future__ import annotations

import os

import pytest

from jupyter_storage import listings
from jupyter_storage.errors import InvalidRequest
from jupyter_storage.listings import Listings
from jupyter_storage.stores.local import LocalStore


@pytest.fixture
def store(tmp_path):
    for number in range(25):
        path = tmp_path / f"File{number:02d}.txt"
        path.write_bytes(b"x" * ((number * 7) % 25))
        os.utime(path, (1_000_000 + (number * 11) % 25,) * 2)
    (tmp_path / "zoo").mkdir()
    (tmp_path / "Ant").mkdir()
    return LocalStore(tmp_path)


def everything(store, **order):
    pages = Listings()
    page = pages.page(store, "", limit=4, **order)
    entries = list(page.entries)
    while page.cursor:
        page = pages.page(store, "", limit=4, cursor=page.cursor, **order)
        assert len(page.entries) <= 4
        entries.extend(page.entries)
    return entries


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["size", "modified"])
def test_pages_in_any_order_show_each_entry_once(store, sort, descending):
    entries = everything(store, sort=sort, descending=descending)
    assert len({entry.name for entry in entries}) == len(entries) == 27
    assert [entry.is_directory for entry in entries[:3]] == [True, True, False]
    values = [getattr(entry, sort) for entry in entries[2:]]
    assert values == sorted(values, reverse=descending)


def test_pages_by_name_come_from_the_store_itself(store):
    names = [entry.name for entry in everything(store)]
    assert names == sorted(names)
    assert len(names) == 27


def test_a_directory_of_one_page_has_its_directories_first(store):
    names = [entry.name for entry in Listings().page(store, "").entries]
    assert names[:3] == ["Ant", "zoo", "File00.txt"]


def test_names_sort_without_regard_to_case(tmp_path):
    for name in ("b", "A", "C"):
        (tmp_path / name).touch()
    page = Listings().page(LocalStore(tmp_path), "")
    assert [entry.name for entry in page.entries] == ["A", "b", "C"]
    page = Listings().page(LocalStore(tmp_path), "", descending=True)
    assert [entry.name for entry in page.entries] == ["C", "b", "A"]


def test_a_forgotten_listing_says_so(store, monkeypatch):
    pages = Listings()
    first = pages.page(store, "", limit=2, sort="size")
    monkeypatch.setattr(listings, "KEPT", 1)
    pages.page(store, "", limit=2, sort="size")
    with pytest.raises(InvalidRequest, match="no longer known"):
        pages.page(store, "", limit=2, sort="size", cursor=first.cursor)


@pytest.mark.parametrize("cursor", ["sorted:", "sorted:x:y", "sorted:0:-1"])
def test_a_made_up_cursor_is_refused(store, cursor):
    with pytest.raises(InvalidRequest):
        Listings().page(store, "", sort="size", cursor=cursor)


def test_too_many_entries_cannot_be_sorted(store, monkeypatch):
    monkeypatch.setattr(listings, "SORTABLE", 10)
    with pytest.raises(InvalidRequest, match="too many to sort"):
        Listings().page(store, "", sort="modified")
    with pytest.raises(InvalidRequest):
        Listings().page(store, "", sort="colour")
    with pytest.raises(InvalidRequest):
        Listings().page(store, "", limit=0)


@pytest.mark.parametrize("order", [{}, {"sort": "size"}, {"descending": True}])
@pytest.mark.parametrize(
    ("matching", "count"), [("file1", 10), ("FILE*4.TXT", 3), ("file[01]?.txt", 20), ("none", 0)]
)
def test_only_matching_names_are_listed(store, order, matching, count):
    names = [entry.name for entry in everything(store, matching=matching, **order)]
    assert len(set(names)) == len(names) == count


def test_a_search_that_takes_long_hands_out_what_it_has(store, monkeypatch):
    monkeypatch.setattr(listings, "PATIENCE", 0.0)
    pages = Listings()
    page = pages.page(store, "", limit=4, matching="file2")
    assert page.entries == ()
    found = []
    while page.cursor:
        page = pages.page(store, "", limit=4, matching="file2", cursor=page.cursor)
        found += [entry.name for entry in page.entries]
    assert found == [f"File{number}.txt" for number in range(20, 25)]
