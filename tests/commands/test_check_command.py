from __future__ import annotations

import json

import pytest


@pytest.fixture
def data(directory):
    """A directory, and one in a tier that is the same."""
    (directory / "data/sub").mkdir(parents=True)
    for name in ("a.csv", "sub/b.csv", "c.tmp"):
        (directory / "data" / name).write_text("1")
    return directory / "data"


def test_a_copy_is_found_to_be_the_same_by_content(call, data):
    call("cp", "-r", "data", "artifacts:d")
    # Times say nothing here.
    (data / "a.csv").write_text("1")
    done = call("check", "data", "artifacts:d")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Found 3 files the same, 3 B")


def test_each_file_that_differs_is_named_and_the_status_is_one(call, data):
    (data / "d.csv").write_text("1")
    call("cp", "-r", "data", "shared:d")
    (data / "a.csv").write_text("2")
    (data / "c.tmp").write_text("123")
    (data / "new.csv").write_text("1")
    (data / "sub/b.csv").unlink()
    done = call("check", "data", "shared:d", "--json")
    assert done.status == 1
    record = json.loads(done.out)
    assert (record["state"], record["failure_count"], record["files_done"]) == ("partial", 4, 1)
    assert sorted((each["path"], each["kind"]) for each in record["failures"]) == [
        (f"{data}/new.csv", "NotFound"),
        ("shared:d/a.csv", "ChecksumMismatch"),
        ("shared:d/c.tmp", "ChecksumMismatch"),
        ("shared:d/sub/b.csv", "NotFound"),
    ]
    assert "1 bytes in place of 3" in call("check", "data", "shared:d").err
    # Nothing was changed.
    assert call("cat", "shared:d/a.csv").out == "1"


def test_one_way_lets_the_other_have_more_and_filters_choose(call, data):
    call("cp", "-r", "data", "shared:d")
    (data / "sub/b.csv").unlink()
    (data / "c.tmp").write_text("2")
    assert call("check", "--one-way", "--exclude", "*.tmp", "data", "shared:d").status == 0
    assert call("check", "--exclude", "*.tmp", "data", "shared:d").status == 1
    assert call("check", "--one-way", "data", "shared:d").status == 1


def test_a_file_or_nothing_is_refused_with_a_way_out(call, data):
    file = call("check", "data/a.csv", "shared:d")
    assert (file.status, "It is a file" in file.err) == (1, True)
    missing = call("check", "missing", "shared:d")
    assert (missing.status, "missing" in missing.err) == (1, True)
