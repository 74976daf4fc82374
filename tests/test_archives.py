"""Zips as streams: what is in them, their size, and how they fail."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import subprocess
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from jupyter_storage.archives import PIECE, Archive
from jupyter_storage.errors import Conflict, Unreachable
from jupyter_storage.paths import distinct
from jupyter_storage.records import Entry
from jupyter_storage.stores.local import LocalStore

UNPACKERS = {
    "unzip": ["unzip", "-q"],
    "7z": ["7z", "x", "-y", "-bd"],
    "bsdtar": ["bsdtar", "-xf"],
}
NOW = datetime.now(timezone.utc)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "tier").mkdir()
    return LocalStore(tmp_path / "tier")


def zipped(archive: Archive) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(archive)))


def assert_invalid(archive: Archive, error: type[Exception]) -> None:
    """What arrives before the error is no zip, and so no program takes it for a whole one."""
    received = io.BytesIO()
    with pytest.raises(error):
        received.writelines(archive)
    assert not zipfile.is_zipfile(received)


def plant(root: Path) -> Path:
    for name in ["a b.txt", "ünï ☃/<img onerror=1>.txt", "deep/er/still/f", "100%#?.csv"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
        os.utime(path, (1_700_000_001, 1_700_000_001))
    (root / "zero").touch()
    (root / "empty/inside").mkdir(parents=True)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a b.txt")
    return root


@pytest.mark.parametrize("unpacker", ["python", *UNPACKERS])
def test_a_tree_is_unpacked_as_it_was(store, tmp_path, unpacker):
    source, target = plant(store.root / "project"), tmp_path / "out"
    target.mkdir()
    archive = Archive([(store, "project", "project")], "project.zip")
    archive.plan()
    file = tmp_path / "project.zip"
    file.write_bytes(b"".join(archive))
    assert file.stat().st_size == archive.content_length
    if unpacker == "python":
        with zipfile.ZipFile(file) as opened:
            assert opened.testzip() is None
            opened.extractall(target)
        # zipfile does not make links: it writes their targets into files.
        (target / "project/link").unlink()
        (target / "project/link").symlink_to("a b.txt")
    else:
        if shutil.which(unpacker) is None:
            pytest.skip(f"{unpacker} is not installed")
        subprocess.run([*UNPACKERS[unpacker], str(file)], cwd=target, check=True)
        assert (target / "project/run.sh").stat().st_mode & 0o777 == 0o755
        # In UTC, to the second: DOS times are local and even.
        assert (target / "project/a b.txt").stat().st_mtime == 1_700_000_001
    subprocess.run(
        ["diff", "-r", "--no-dereference", str(source), str(target / "project")], check=True
    )


def test_the_plan_counts_files_and_bytes(store):
    (store.root / "d").mkdir()
    (store.root / "d/a").write_bytes(bytes(10))
    (store.root / "d/b").write_bytes(bytes(5))
    plan = Archive([(store, "d", "d")], "d.zip").plan()
    assert (plan.files, plan.bytes) == (2, 15)


def test_what_takes_long_to_count_is_sent_without_a_size(store):
    for number in range(1200):
        (store.root / f"{number}.txt").write_text("x")
    archive = Archive([(store, "", "data")], "data.zip")
    assert archive.plan_within(0) is None
    assert archive.content_length is None
    with zipped(archive) as file:
        assert len(file.namelist()) == 1201
    assert archive.plan_within(60) == archive.plan()


def test_times_that_zip_cannot_tell_are_clamped(store):
    for name, seconds in [("ancient", 0), ("before", -(10**9)), ("future", 2**32 + 10**9)]:
        (store.root / name).touch()
        os.utime(store.root / name, (seconds, seconds))
    found = zipped(Archive([(store, "", "tier")], "x.zip"))
    years = {info.filename: info.date_time[0] for info in found.infolist()}
    assert years["tier/ancient"] == years["tier/before"] == 1980
    assert years["tier/future"] == 2107


def test_a_name_that_is_not_utf8_does_not_stop_the_zip(store):
    Path(os.fsdecode(os.fsencode(store.root) + b"/caf\xe9")).write_bytes(b"x")
    assert "tier/caf\ufffd" in zipped(Archive([(store, "", "tier")], "x.zip")).namelist()


def test_links_are_stored_as_links(store):
    (store.root / "l").symlink_to("/etc/passwd")
    (info,) = (found := zipped(Archive([(store, "l", "l")], "x.zip"))).infolist()
    assert stat.S_ISLNK(info.external_attr >> 16)
    assert found.read("l") == b"/etc/passwd"


def test_a_chosen_link_to_a_file_of_the_tier_gives_the_file(store):
    (store.root / "d").mkdir()
    (store.root / "d/f").write_text("content")
    (store.root / "l").symlink_to("d/f")
    found = zipped(Archive([(store, "l", "l"), (store, "d/f", "f")], "x.zip"))
    assert {name: found.read(name) for name in found.namelist()} == {
        "l": b"content",
        "f": b"content",
    }


def test_a_selection_with_equal_names_is_numbered(store):
    for name in ["a/x.txt", "b/x.txt", "c/x.txt", "x (2).txt"]:
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text(name)
    keys = ["a/x.txt", "b/x.txt", "x (2).txt", "c/x.txt"]
    found = zipped(Archive([(store, key, key.rpartition("/")[2]) for key in keys], "x.zip"))
    assert {name: found.read(name).decode() for name in found.namelist()} == {
        "x.txt": "a/x.txt",
        "x (3).txt": "b/x.txt",
        "x (2).txt": "x (2).txt",
        "x (4).txt": "c/x.txt",
    }


@given(st.lists(st.sampled_from(["a", "a (2)", "a.txt", "a (2).txt", ".a", "b"]), max_size=8))
def test_numbered_names_never_meet(names):
    assert len(set(distinct(names))) == len(names)


def test_objects_keep_their_order_while_they_are_fetched_side_by_side():
    bucket = MemoryStore()
    generator = random.Random(1)
    for number in range(60):
        bucket.objects[f"p/{number:02}"] = (generator.randbytes(number * 100), NOW)
    bucket.objects["p/large"] = (generator.randbytes(3 * PIECE + 1), NOW)
    bucket.objects["p/none/"] = (b"", NOW)
    bucket.fault = lambda verb, key, offset: time.sleep(generator.random() / 500)
    archive = Archive([(bucket, "p", "p")], "p.zip")
    length = archive.plan().content_length
    whole = b"".join(archive)
    found = zipfile.ZipFile(io.BytesIO(whole))
    assert len(whole) == length
    assert found.namelist()[1:] == sorted(found.namelist()[1:])
    assert "p/none/" in found.namelist()
    for key, (data, _) in bucket.objects.items():
        assert found.read(key) == data


@pytest.mark.parametrize("size", [100, 3 * PIECE])
def test_a_file_that_cannot_be_read_leaves_an_invalid_zip(size):
    bucket = MemoryStore()
    for name in ["a", "b", "c"]:
        bucket.objects[f"p/{name}"] = (bytes(size), NOW)

    def fault(verb, key, offset):
        if (verb, key) == ("open", "p/b"):
            raise Unreachable("The connection was cut", path=key)

    bucket.fault = fault
    assert_invalid(Archive([(bucket, "p", "p")], "p.zip"), Unreachable)


@pytest.mark.parametrize("change", [b"longer than before", b""])
def test_a_file_that_changed_since_it_was_listed_leaves_an_invalid_zip(store, change, monkeypatch):
    (store.root / "f").write_bytes(b"before")
    archive = Archive([(store, "", "t")], "t.zip")
    listed = list(store.walk())
    monkeypatch.setattr(store, "walk", lambda key: iter(listed))
    (store.root / "f").write_bytes(change)
    assert_invalid(archive, Conflict)


@pytest.mark.parametrize("change", ["more", "fewer", "grown"])
def test_what_differs_from_the_plan_leaves_an_invalid_zip(store, change):
    (store.root / "f").write_bytes(b"before")
    archive = Archive([(store, "", "t")], "t.zip")
    archive.plan()
    if change == "more":
        (store.root / "g").touch()
    elif change == "fewer":
        (store.root / "f").unlink()
    else:
        (store.root / "f").write_bytes(b"before and after")
    assert_invalid(archive, Conflict)


def test_a_reader_that_leaves_ends_the_threads(store):
    (store.root / "big").write_bytes(bytes(50 * PIECE))
    before = threading.active_count()
    pieces = iter(Archive([(store, "", "t")], "t.zip"))
    next(pieces)
    assert threading.active_count() > before
    pieces.close()
    assert threading.active_count() == before


class HugeStore(MemoryStore):
    """Holds files that are larger than any memory, all zeros."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes

    def stat(self, key):
        if key not in self.sizes:
            return Entry(key, key, "directory")
        return Entry(key, key, "file", self.sizes[key], NOW)

    def walk(self, key=""):
        for name in self.sizes:
            yield self.stat(name)

    @contextmanager
    def open(self, key, *, offset=0, length=None) -> Iterator[Iterator[bytes]]:
        zeros = bytes(4 * PIECE)
        size = self.sizes[key]
        yield (zeros[: min(len(zeros), size - at)] for at in range(0, size, len(zeros)))


def test_memory_is_bounded_however_slow_the_reader():
    store = HugeStore({"a": 400 * PIECE, "b": 10})
    tracemalloc.start()
    pieces = iter(Archive([(store, "", "t")], "t.zip"))
    for _ in range(20):
        assert len(next(pieces)) <= PIECE
        time.sleep(0.01)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pieces.close()
    assert peak < 60 * PIECE


def planned_length(sizes: dict[str, int]) -> int:
    return Archive([(HugeStore(sizes), "", "t")], "t.zip").plan().content_length


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("aü/", min_size=1, max_size=9), st.integers(0, 300), max_size=6))
def test_the_size_is_known_exactly(sizes):
    sizes = {name.strip("/").replace("//", "/") or "x": size for name, size in sizes.items()}
    archive = Archive([(HugeStore(sizes), "", "t")], "t.zip")
    assert archive.plan().content_length == len(b"".join(archive))


@pytest.mark.slow
def test_zip64_is_used_where_it_is_needed(tmp_path):
    """The file is sparse: runs of zeros are not written."""
    # The first is beyond what 32 bits count, and the second is where zipfile turns to zip64.
    sizes = {"huge": 2**32 + 5, "near": int((2**31 - 1) / 1.05) + 1, "after": 3}
    file, zeros = tmp_path / "t.zip", bytes(PIECE)
    try:
        with file.open("wb") as target:
            for piece in Archive([(HugeStore(sizes), "", "t")], "t.zip"):
                if piece == zeros:
                    target.seek(len(piece), os.SEEK_CUR)
                else:
                    target.write(piece)
        assert file.stat().st_size == planned_length(sizes)
        with zipfile.ZipFile(file) as opened:
            found = {info.filename: info.file_size for info in opened.infolist()}
            assert opened.read("t/after") == bytes(3)
        assert found == {"t/": 0, **{f"t/{name}": size for name, size in sizes.items()}}
        subprocess.run(["unzip", "-tq", str(file)], check=True, stdout=subprocess.DEVNULL)
    finally:
        file.unlink()


@pytest.mark.slow
def test_more_files_than_a_plain_zip_can_count(tmp_path):
    sizes = {f"{number:06}": number % 3 for number in range(66_000)}
    file = tmp_path / "t.zip"
    with file.open("wb") as target:
        for piece in Archive([(HugeStore(sizes), "", "t")], "t.zip"):
            target.write(piece)
    assert file.stat().st_size == planned_length(sizes)
    with zipfile.ZipFile(file) as opened:
        assert len(opened.namelist()) == 66_001
    for test in (["7z", "t", "-bd"], ["unzip", "-tq"], ["bsdtar", "-tf"]):
        subprocess.run([*test, str(file)], check=True, stdout=subprocess.DEVNULL)
