from __future__ import annotations

import os

import pytest
from servers import make_s3_bucket

from jupyter_storage.errors import Conflict
from jupyter_storage.storages.document import read

needs_fuse = pytest.mark.skipif(
    not os.access("/dev/fuse", os.W_OK), reason="/dev/fuse is not there, or closed"
)


def _passing(name: str, mode: str = "COPY", target: str = "/d") -> str:
    fields = f"name: {name}, source: ~/datasets, mode: {mode}, persistent: false"
    return f"file_mounts:\n  {target}: {{{fields}}}\n"


def _coming(world, text: str):
    return world.service.workloads.coming(read(text, "task.yaml"), world.under)


def test_the_end_deletes_what_was_not_asked_to_stay_and_nothing_else(on_s3, home, name):
    text = _passing(name) + f"  /e: {{name: {name}-b, mode: COPY}}\n"
    on_s3.applied(text)
    assert on_s3.end(text).state == "done"
    assert [each.name for each in on_s3.service.storages()] == [f"{name}-b"]


def test_a_bucket_that_was_there_before_outlives_every_workload(on_s3, home, s3_endpoint, name):
    make_s3_bucket(s3_endpoint, name)
    text = _passing(name)
    assert _coming(on_s3, text).storages == ()
    on_s3.applied(text)
    assert on_s3.end(text).state == "done"
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]


def test_what_was_made_to_stay_stays_whatever_a_document_says_later(on_s3, home, name):
    on_s3.applied(_passing(name).replace("false", "true"))
    for _ in range(2):
        workload = _coming(on_s3, _passing(name))
        assert (workload.storages, workload.staying) == ((), (name,))
        on_s3.applied(_passing(name))
        on_s3.end(_passing(name))
        assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]


def test_what_is_asked_to_stay_later_stays(on_s3, home, name):
    on_s3.applied(_passing(name))
    workload = _coming(on_s3, _passing(name))
    assert workload.storages == (name,)
    on_s3.applied(_passing(name).replace("false", "true"))
    on_s3.service.wait(on_s3.service.end_workload(workload).id)
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]


@needs_fuse
def test_a_storage_that_somebody_still_has_mounted_is_not_deleted(on_s3, home, name, tmp_path):
    text = _passing(name, "MOUNT")
    mine = _coming(on_s3, text)
    on_s3.applied(text)
    other = tmp_path / "other"
    on_s3.service.mount(f"s3://{name}", other)
    try:
        ended = on_s3.service.wait(on_s3.service.end_workload(mine).id)
        assert [each.kind for each in ended.failures] == [Conflict.__name__]
        assert str(other) in ended.failures[0].message
        assert (other / "a.csv").read_text() == "a,b\n"
        # By its name neither.
        assert on_s3.delete(name).state == "failed"
        # What somebody else mounted where this one would, is not this one's to take away.
        on_s3.applied(text)
        coming = _coming(on_s3, text)
        assert (coming.targets, coming.storages, coming.staying) == ((), (), (name,))
    finally:
        on_s3.service.mounts.unmount(other)
        assert on_s3.end(text).state == "done"
    assert on_s3.service.storages() == []


@needs_fuse
def test_what_was_written_arrives_before_the_end(on_s3, home, name):
    text = f"file_mounts:\n  /d: {{name: {name}, mode: MOUNT_CACHED}}\n"
    on_s3.applied(text)
    for number in range(20):
        on_s3.path(f"/d/{number}").write_bytes(os.urandom(100_000))
    assert on_s3.end(text).state == "done"
    assert len(on_s3.keys(f"s3://{name}")) == 20
    assert on_s3.service.mounts.all() == []
