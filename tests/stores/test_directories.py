from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_storage.errors import Unreachable
from jupyter_storage.stores import directories
from jupyter_storage.stores.directories import Directories, Names

PAGE = 3


class Service:
    """Directories, and how often was asked about them."""

    def __init__(self, *paths):
        self.paths, self.listings, self.questions = set(paths), 0, 0

    def names_in(self, directory, start):
        self.listings += 1
        above = f"{directory}/" if directory else ""
        inside = [path[len(above) :].partition("/")[0] for path in self.paths]
        page = sorted({f"{name}/" for name in inside if f"{name}/" > start and name})
        more = len(page) > PAGE
        page = page[:PAGE]
        return Names({name.rstrip("/") for name in page}, page[-1] if more else None)

    def is_directory(self, key):
        self.questions += 1
        return key in self.paths


def known(service):
    return Directories(service.names_in, service.is_directory)


def test_one_listing_answers_for_all_files_next_to_each_other():
    service = Service("a/taken")
    known_ = known(service)
    assert not any(known_.has(f"a/{number}") for number in range(100))
    assert known_.has("a/taken")
    assert (service.listings, service.questions) == (1, 1)


def test_a_directory_that_comes_into_being_with_a_file_is_known_at_once():
    service = Service()
    known_ = known(service)
    assert not known_.has("a/b")
    assert not known_.has("a/c/d/e")
    service.paths |= {"a", "a/c", "a/c/d"}
    assert known_.has("a/c")
    assert known_.has("a/c/d")


def test_a_directory_that_is_gone_is_no_obstacle():
    service = Service("a/b")
    known_ = known(service)
    assert known_.has("a/b")
    service.paths.clear()
    assert not known_.has("a/b")


def test_of_a_large_directory_a_page_answers_that_begins_at_the_name():
    service = Service(*(f"a/{number:02}" for number in range(0, 90, 10)))
    known_ = known(service)
    assert [known_.has(f"a/{number:02}") for number in range(90)] == [
        number % 10 == 0 for number in range(90)
    ]
    assert service.listings == 3
    assert service.questions == 9


def test_names_of_a_large_directory_may_come_in_any_order():
    service = Service(*(f"a/{number:02}" for number in range(0, 90, 10)))
    known_ = known(service)
    for number in (80, 3, 50, 49, 51, 0, 89, 10):
        assert known_.has(f"a/{number:02}") == (number % 10 == 0)


def test_a_new_directory_that_grows_beyond_a_page_is_not_asked_about_for_each_file(monkeypatch):
    service = Service()
    known_ = known(service)
    clock = [0.0]
    monkeypatch.setattr(directories.time, "monotonic", lambda: clock[0])
    for number in range(100):
        clock[0] += directories.LIFE / 10
        assert not known_.has(f"a/{number:03}")
        service.paths.add(f"a/{number:03}")
    assert service.listings <= 12


def test_what_others_make_is_seen_after_a_while(monkeypatch):
    service = Service()
    known_ = known(service)
    assert not known_.has("a")
    service.paths.add("b")
    monkeypatch.setattr(directories.time, "monotonic", lambda: float(2**40))
    assert known_.has("b")


def test_memory_is_bounded():
    service = Service()
    known_ = known(service)
    for number in range(200):
        known_.has(f"{number}/f")
    assert len(known_._listings) <= directories.KEPT


def test_many_at_once_ask_once():
    service = Service()
    begun = threading.Barrier(8)

    def slowly(directory, start):
        time.sleep(0.2)
        return service.names_in(directory, start)

    known_ = Directories(slowly, service.is_directory)

    def ask(number):
        begun.wait()
        return known_.has(f"a/{number}")

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(ask, range(8)))
    assert service.listings == 1


def test_an_error_is_told_and_not_remembered():
    service = Service("a/b")
    errors = [Unreachable("gone")]

    def names_in(directory, start):
        if errors:
            raise errors.pop()
        return service.names_in(directory, start)

    known_ = Directories(names_in, service.is_directory)
    with pytest.raises(Unreachable):
        known_.has("a/b")
    assert known_.has("a/b")
