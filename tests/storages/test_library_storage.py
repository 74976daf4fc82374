from __future__ import annotations

import os

import pytest

import jupyter_storage
from jupyter_storage.commands.session import session
from jupyter_storage.errors import InvalidRequest, NotFound, PartialFailure


@pytest.fixture(autouse=True)
def closed_session():
    yield
    session.close()


def test_a_storage_is_made_attached_and_deleted_from_code(s3_bucket, home, name, tmp_path):
    storage = jupyter_storage.Storage(name, "~/datasets", store="s3", mode="COPY")
    target = storage.attach(tmp_path / "here")
    assert (target / "deep/b.csv").read_text() == "c,d\n"
    (record,) = session.service().storages()
    assert (record.name, record.uri, record.status) == (name, f"s3://{name}", "READY")
    storage.delete()
    assert session.service().storages() == []
    with pytest.raises(NotFound):
        storage.delete()


@pytest.mark.skipif(not os.access("/dev/fuse", os.W_OK), reason="/dev/fuse is not there")
def test_a_block_of_code_is_a_workload(home, name, tmp_path):
    scratch = jupyter_storage.Storage(name, persistent=False)
    with pytest.raises(ZeroDivisionError), scratch.attached(tmp_path / "here") as here:  # noqa: PT012
        (here / "a").write_text("42")
        assert [each.name for each in session.service().storages()] == [name]
        raise ZeroDivisionError
    assert session.service().storages() == []
    assert session.service().mounts.all() == []


def test_what_makes_no_sense_is_said_at_once():
    with pytest.raises(InvalidRequest, match="neither a name nor a source"):
        jupyter_storage.Storage()
    with pytest.raises(InvalidRequest, match="no mode 'FAST'"):
        jupyter_storage.Storage("abc", mode="FAST")
    with pytest.raises(InvalidRequest, match="was there before"):
        jupyter_storage.Storage(source="s3://bucket").delete()


def test_what_could_not_be_done_is_raised(home, name, tmp_path):
    (tmp_path / "here").write_text("a file is in the way")
    with pytest.raises(PartialFailure, match="file"):
        jupyter_storage.Storage(name, "~/datasets", mode="COPY").attach(tmp_path / "here")
