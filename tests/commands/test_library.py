from __future__ import annotations

import subprocess
import sys

import pytest

import jupyter_storage
from jupyter_storage.commands.session import session
from jupyter_storage.errors import InvalidPath, Unsupported


@pytest.fixture(autouse=True)
def closed():
    yield
    session.close()


def test_a_tier_is_a_file_system_of_its_own(directory):
    filesystem = jupyter_storage.fs("shared")
    filesystem.makedirs("a")
    with filesystem.open("a/b.txt", "wt") as file:
        file.write("hello")
    assert filesystem.ls("a", detail=False) == ["a/b.txt"]
    assert jupyter_storage.fs("shared:a").cat("b.txt") == b"hello"
    assert jupyter_storage.path("shared:a/b.txt").read_text() == "hello"


def test_files_are_opened_by_their_paths(directory):
    with jupyter_storage.open("shared:new/dir/x.txt", "w", encoding="utf-8") as file:
        file.write("ü\n")
    with jupyter_storage.open("shared:new/dir/x.txt", "rt", encoding="utf-8") as file:
        assert file.read() == "ü\n"
    with pytest.raises(FileNotFoundError):
        jupyter_storage.open("shared:nosuch")


def test_a_bucket_works_the_same_but_has_no_local_path(directory, s3_bucket):
    root = f"s3://{s3_bucket}/prefix"
    with jupyter_storage.open(f"{root}/a.txt", "wb") as file:
        file.write(b"1")
    assert jupyter_storage.fs(root).cat("a.txt") == b"1"
    with pytest.raises(Unsupported) as caught:
        jupyter_storage.path(f"{root}/a.txt")
    assert "jupyter_storage.open" in caught.value.hint


def test_an_unknown_tier_is_told(directory):
    with pytest.raises(InvalidPath):
        jupyter_storage.open("shard:x")


def test_importing_the_package_costs_nothing():
    code = "import sys, jupyter_storage; print([m for m in sys.modules if 'fsspec' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
