"""Uploads that nobody completed are found, told of and thrown away."""

from __future__ import annotations

import time

import pytest

from jupyter_storage.cli import Shell
from jupyter_storage.stores.s3 import S3Store


@pytest.fixture
def begun(s3_bucket, monkeypatch):
    """A bucket as artifacts, where two files were begun and one is whole."""
    monkeypatch.setenv("JUPYTER_STORAGE_ARTIFACTS", f"s3://{s3_bucket}/a")
    store = S3Store(s3_bucket, "a", {})
    store.write("whole", b"x")
    for key in ("runs/large", "other"):
        writer = store.create(key, size=40 * 2**20)
        writer.write(bytes(30 * 2**20))
        writer.suspend()
    outside = S3Store(s3_bucket, "b", {})
    writer = outside.create("else", size=40 * 2**20)
    writer.write(bytes(30 * 2**20))
    writer.suspend()
    yield store
    assert [each.path for each in outside.unfinished()] == ["else"]
    store.close()
    outside.close()


def test_what_nobody_completed_is_listed_and_thrown_away(call, begun, monkeypatch):
    assert call("cleanup", "-n", "--json").json == []  # it is too young
    time.sleep(1.1)
    done = call("cleanup", "-n", "--older", "1s", "--json")
    assert sorted(each["path"] for each in done.json) == ["artifacts:other", "artifacts:runs/large"]
    refused = call("cleanup", "--older", "1s")
    assert refused.status == 2
    assert "2 uploads would be thrown away" in refused.err
    monkeypatch.setattr(Shell, "ask", lambda self, question: False)
    assert call("cleanup", "--older", "1s").status == 1
    assert len(list(begun.unfinished())) == 2
    done = call("cleanup", "--older", "1s", "artifacts:runs", "--yes", "--json")
    assert [each["path"] for each in done.json] == ["artifacts:runs/large"]
    assert [each.path for each in begun.unfinished()] == ["other"]
    begun.discard(next(begun.unfinished()))
    assert list(begun.unfinished()) == []
    assert begun.read("whole") == b"x"


def test_an_upload_that_was_suspended_is_gone_on_with(begun):
    upload = next(each for each in begun.unfinished() if each.path == "other")
    first = begun.create("third", size=40 * 2**20)
    first.write(bytes(30 * 2**20))
    token = first.token
    first.suspend()
    writer = begun.resume("third", token, size=40 * 2**20)
    for _ in range(40):
        writer.write(bytes(2**20))
    assert writer.commit().size == 40 * 2**20
    assert begun.read("third") == bytes(40 * 2**20)
    assert begun.resume("third", token, size=40 * 2**20) is None
    assert begun.resume("third", "no token", size=40 * 2**20) is None
    begun.discard(upload)
    begun.discard(upload)
