from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_storage.errors import Unreachable
from jupyter_storage.stores import directories
from jupyter_storage.stores.directories import Directories


class Service:
    """Directories, and how often was asked about them."""

    def __init__(self, *paths):
        self.paths, self.listings, self.questions = set(paths), 0, 0

    def names_in(self, directory):
        self.listings += 1
        above = f"{directory}/" if directory else ""
        inside = [path[len(above) :] for path in self.paths if path.startswith(above)]
        return None if len(inside) > 3 else {path.partition("/")[0] for path in inside}

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


def test_a_directory_with_too_many_in_it_is_asked_name_by_name():
    service = Service("a/1", "a/2", "a/3", "a/4")
    known_ = known(service)
    assert known_.has("a/4")
    assert not known_.has("a/5")
    assert (service.listings, service.questions) == (1, 2)


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

    def slowly(directory):
        time.sleep(0.2)
        return service.names_in(directory)

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

    def names_in(directory):
        if errors:
            raise errors.pop()
        return service.names_in(directory)

    known_ = Directories(names_in, service.is_directory)
    with pytest.raises(Unreachable):
        known_.has("a/b")
    assert known_.has("a/b")
