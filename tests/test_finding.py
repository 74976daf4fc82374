from __future__ import annotations

import itertools

import pytest

from jupyter_storage import finding
from jupyter_storage.finding import find, with_directories
from jupyter_storage.listings import name_filter
from jupyter_storage.records import Entry
from jupyter_storage.stores.local import LocalStore


@pytest.fixture
def store(tmp_path):
    for path in ("a/report.csv", "a/b/Report-2.csv", "c/other.txt", "report"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return LocalStore(tmp_path)


def test_names_are_found_at_any_depth(store):
    *_, last = steps = list(find(store.walk(), name_filter("report"), limit=10))
    found = [entry.path for step in steps for entry in step.entries]
    assert found == ["a/b/Report-2.csv", "a/report.csv", "report"]
    assert (last.done, last.complete, last.looked) == (True, True, 7)


def test_too_many_results_are_cut_and_it_is_said(store):
    *_, last = steps = list(find(store.walk(), name_filter("report"), limit=2))
    assert sum(len(step.entries) for step in steps) == 2
    assert (last.done, last.complete) == (True, False)


def test_exactly_as_many_results_as_are_wanted_are_all(store):
    *_, last = find(store.walk(), name_filter("report"), limit=3)
    assert last.complete


def test_a_search_that_could_not_look_everywhere_is_not_complete(store):
    *_, last = find(store.walk(), name_filter("report"), limit=3, unlisted=["a/private"])
    assert (last.done, last.unlisted, last.complete) == (True, 1, False)


def test_a_search_without_results_tells_that_it_goes_on(monkeypatch):
    monkeypatch.setattr(finding, "INTERVAL", 0)
    entries = (Entry(f"{i}", f"{i}", "file") for i in itertools.count())
    steps = find(entries, name_filter("none"), limit=1)
    assert [next(steps).looked for _ in range(3)] == [64, 128, 192]
    steps.close()


def test_directories_that_a_bucket_only_implies_are_there_once():
    entries = [Entry(key, key, "file") for key in ("t/a/b/1", "t/a/b/2", "t/a/c/3", "t/d")]
    paths = [entry.path for entry in with_directories("t", iter(entries))]
    assert paths == ["t/a", "t/a/b", "t/a/b/1", "t/a/b/2", "t/a/c", "t/a/c/3", "t/d"]
    entries = [Entry(key, key, "file") for key in ("a/1", "b")]
    assert [entry.path for entry in with_directories("", iter(entries))] == ["a", "a/1", "b"]
