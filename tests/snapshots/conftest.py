"""Repositories, and stock restic to judge them."""

from __future__ import annotations

import pytest
from bench import Bench
from oracle import PASSWORD, Restic, programs

from jupyter_storage.snapshots.repository import Repository, crypto
from jupyter_storage.stores.local import LocalStore


@pytest.fixture(autouse=True)
def quick_keys():
    """Keys that are quick to derive, for us and for restic: repositories are opened all the time.

    Processes that a test starts make real ones, and so does this one after ``undo()``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crypto, "_N", 2)
        yield patch


@pytest.fixture
def make_restic(tmp_path):
    if not programs():
        pytest.skip("stock restic is not installed")
    return lambda repository, **more: Restic(str(repository), tmp_path, **more)


@pytest.fixture
def crash_cases(record_property):
    """Note how often something went wrong on purpose, for the summary of all tests."""

    def crash_cases(number):
        record_property("crash cases", number)
        record_property("restic", " ".join(programs()))

    return crash_cases


@pytest.fixture
def bench(make_restic, monkeypatch, crash_cases):
    """A bucket that is put back to how it was; stock restic judges it after each case."""
    bench = Bench(monkeypatch)
    yield bench
    bench.close()
    crash_cases(bench.cases)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "repository")


@pytest.fixture
def restic(make_restic, store):
    """Stock restic; whatever a test wrote is checked when it ends."""
    restic = make_restic(store.root)
    yield restic
    if (store.root / "config").exists():
        restic.check()


@pytest.fixture
def open_repository(store):
    """Open a repository, as a new process would; it is made the first time."""
    opened = []

    def open_repository(password=PASSWORD, store=store, cache=None):
        make = Repository.open if Repository.exists(store) else Repository.create
        opened.append(make(store, password, cache=cache))
        return opened[-1]

    yield open_repository
    for repository in opened:
        repository.close()


@pytest.fixture
def project(tmp_path):
    directory = tmp_path / "project"
    directory.mkdir()
    return directory
