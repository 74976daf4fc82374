"""One bit that is wrong in the store, in every kind of object: it is found, and never restored."""

import shutil

import pytest
from bench import contents_of
from oracle import PASSWORD
from test_faults import TAGS, acknowledge, made, project_of

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.capture import take
from jupyter_storage.snapshots.restore import restore

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PLACES = 9


@pytest.fixture
def filled(bench):
    made(bench)
    project = project_of(bench)
    for number in range(3):
        (project / "sub/changing").write_bytes(bench.chance.random.randbytes(3000))
        (project / "sub/deep/notebook.ipynb").write_text(f'{{"number": {number}}}')
        acknowledge(bench, take(bench.open(), project, tags=TAGS), project)
    bench.open().keys(PASSWORD).add("another")
    bench.unlock()
    bench.verify()
    return bench


def flips(bench, kind):
    """Flip one bit at a time, at places all over each file of a kind."""
    for path in sorted(bench.store.root.rglob("*")):
        if path.is_file() and path.relative_to(bench.store.root).parts[0] == kind:
            whole = path.read_bytes()
            for place in range(PLACES):
                broken = bytearray(whole)
                broken[place * (len(whole) - 1) // (PLACES - 1)] ^= 1 << place % 8
                path.write_bytes(broken)
                bench.cases += 1
                yield path, place
            path.write_bytes(whole)


def problems(bench):
    """What our check finds; what cannot be opened is found as well."""
    try:
        return bench.open().check(percent=100).failures
    except StorageError as error:
        return (error,)


def reads_nothing_wrong(bench):
    """Whatever can be read of the snapshots is right; returns whether all of it could be."""
    try:
        repository = bench.open()
        snapshots = repository.snapshots()
    except StorageError:
        return False
    whole = len(snapshots) == len(bench.acknowledged)
    for snapshot in snapshots:
        try:
            assert contents_of(repository, snapshot) == bench.acknowledged[snapshot.id]
        except StorageError:
            whole = False
    return whole


@pytest.mark.parametrize("kind", ["config", "keys", "index", "snapshots", "data"])
def test_a_flipped_bit_is_found_and_never_read_as_something_else(filled, kind):
    unread = 0
    for path, place in flips(filled, kind):
        assert problems(filled), f"{path.name}, place {place}"
        unread += not reads_nothing_wrong(filled)
        if place == PLACES // 2 and kind != "keys":
            with pytest.raises(AssertionError, match="restic"):
                filled.restic().check()
    assert unread or kind == "keys"
    filled.verify()


def test_a_flipped_bit_is_never_restored(filled):
    failed = 0
    for _, place in flips(filled, "data"):
        if place % 3:
            continue
        repository = filled.open()
        for snapshot in repository.snapshots():
            target = filled.base / "restored"
            try:
                failed += len(restore(repository, snapshot, target).failures)
            except StorageError:
                failed += 1
            project = str(filled.base / "project")[1:]
            for path in target.rglob("*"):
                if path.is_file():
                    key = f"{project}/{path.relative_to(target)}"
                    assert path.read_bytes() == filled.acknowledged[snapshot.id][key]
            shutil.rmtree(target, ignore_errors=True)
    assert failed
