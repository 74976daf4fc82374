"""The contract of stores as tests: subclass :class:`StoreSuite` and override ``store``.

Needs pytest, which is not among the package's own requirements.
"""

# ruff: noqa: S101, PT012

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from jupyter_storage.errors import (
    AlreadyExists,
    InvalidPath,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotFound,
    StorageError,
)
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import CHUNK, Store

__all__ = ["StoreSuite"]

NAMES = (
    "with space.txt",
    "Grüße-日本語.txt",
    "<img src=x onerror=alert(1)>.txt",
    "#hash?query%20percent+plus&.txt",
    "'quotes\"and`ticks`.txt",
    "back\\slash.txt",
    "colon:semi;comma,.txt",
    " leading and trailing ",
    "-rf",
    "~tilde",
    ".hidden",
    "%2e%2e%2fetc",
    "[brackets]{braces}*.txt",
)


class StoreSuite:
    """What every store must do.

    Attributes
    ----------
    pages : bool
        Whether the service gives listings in pages (emulators may not).
    races : bool
        Whether exactly one of several exclusive writers wins.
    modified_kept : bool
        Whether a modification time that was asked for is what is told afterwards.
    many : int
        How many files a directory of many has.
    refused : str
        Characters that no name may have.
    """

    pages: bool = True
    races: bool = True
    modified_kept: bool = False
    many: int = 57
    refused: str = ""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Give an empty store."""
        raise NotImplementedError

    # Looking

    def test_an_empty_root_is_a_directory_without_entries(self, store: Store) -> None:
        assert store.stat("").is_directory
        assert store.list("").entries == ()
        assert list(store.walk("")) == []
        store.check()

    @pytest.mark.parametrize("name", NAMES)
    def test_odd_names_come_back_as_they_were_given(self, store: Store, name: str) -> None:
        key = f"dir {name}/{name}"
        if set(name) & set(self.refused):
            with pytest.raises(InvalidPath):
                store.write(key, b"x")
            return
        store.write(key, name.encode())
        assert store.read(key) == name.encode()
        assert [entry.path for entry in store.list("").entries] == [f"dir {name}"]
        assert [entry.name for entry in store.list(f"dir {name}").entries] == [name]
        assert [entry.path for entry in store.walk("") if entry.type == "file"] == [key]
        store.rename(key, f"{key}2")
        assert store.stat(f"{key}2").size == len(name.encode())
        store.delete(f"{key}2")
        with pytest.raises(NotFound):
            store.stat(f"{key}2")

    def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        store.write("here/file", b"x")
        for key in ("missing", "here/missing", "her", "here/fil"):
            for ask in (
                lambda key=key: store.stat(key),
                lambda key=key: store.list(key),
                lambda key=key: list(store.walk(key)),
                lambda key=key: store.read(key),
                lambda key=key: store.read(key, offset=5, length=0),
                lambda key=key: store.delete(key),
                lambda key=key: store.delete_directory(key),
                lambda key=key: store.rename(key, "elsewhere"),
            ):
                with pytest.raises(NotFound) as caught:
                    ask()
                assert caught.value.path == key

    def test_a_file_is_no_directory_and_a_directory_no_file(self, store: Store) -> None:
        store.write("d/file", b"x")
        for ask in (
            lambda: store.list("d/file"),
            lambda: list(store.walk("d/file")),
            lambda: store.delete_directory("d/file"),
        ):
            with pytest.raises(NotADirectory) as caught:
                ask()
            assert caught.value.path == "d/file"
        for act in (
            lambda: store.read("d"),
            lambda: store.delete("d"),
            lambda: store.write("d", b"y"),
        ):
            with pytest.raises(IsADirectory) as refused:
                act()
            assert refused.value.path == "d"
        with pytest.raises(AlreadyExists):
            store.make_directory("d/file")
        assert store.read("d/file") == b"x"

    def test_directories_are_exact(self, store: Store) -> None:
        for key in ("data/a", "data/sub/b", "data2/c", "data.bak/d", "data-e", "dat"):
            store.write(key, key.encode())
        assert names(store, "data") == ["a", "sub"]
        assert {entry.path for entry in store.walk("data") if entry.type == "file"} == {
            "data/a",
            "data/sub/b",
        }
        assert set(names(store, "")) == {"dat", "data", "data-e", "data.bak", "data2"}

    def test_a_walk_comes_in_the_order_of_keys(self, store: Store) -> None:
        for key in ("d/a/x", "d/a/b/c", "d/a-b", "d/a.txt", "d/a0", "d/ü", "d/z/y"):
            store.write(key, b"x")
        files = [entry.path for entry in store.walk("d") if entry.type == "file"]
        assert files == ["d/a-b", "d/a.txt", "d/a/b/c", "d/a/x", "d/a0", "d/z/y", "d/ü"]
        walked = [entry.path + "/" * entry.is_directory for entry in store.walk("d")]
        assert walked == sorted(walked)

    def test_deleting_data_keeps_data2(self, store: Store) -> None:
        for key in ("data/a", "data/sub/b", "data2/c", "data.bak/d", "data-e"):
            store.write(key, b"x")
        counted: list[int] = []
        assert store.delete_directory("data", progress=counted.append) == 2
        assert sum(counted) == 2
        with pytest.raises(NotFound):
            store.stat("data")
        assert {entry.path for entry in store.walk("") if entry.type == "file"} == {
            "data2/c",
            "data.bak/d",
            "data-e",
        }

    def test_deleting_the_root_empties_it(self, store: Store) -> None:
        store.write("a/b", b"x")
        store.write("c", b"x")
        assert store.delete_directory("") == 2
        assert store.list("").entries == ()

    @pytest.mark.parametrize("limit", [1, 2, 7, 1000])
    def test_pages_give_every_entry_once_and_in_order(self, store: Store, limit: int) -> None:
        expected = [f"d/f{number:03}" for number in range(self.many)]
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda key: store.write(key, b"x"), [*expected, "d/f0/x", "d/z/y"]):
                continue
        found: list[Entry] = []
        cursor = None
        pages = 0
        while True:
            page = store.list("d", cursor=cursor, limit=limit)
            assert len(page.entries) <= limit or not self.pages
            found += page.entries
            cursor = page.cursor
            pages += 1
            if cursor is None:
                break
        assert sorted(entry.path for entry in found) == sorted([*expected, "d/f0", "d/z"])
        # Object stores count the slash at a directory's end.
        slashed = [entry.path + "/" * entry.is_directory for entry in found]
        assert slashed == sorted(slashed) or [e.path for e in found] == sorted(
            e.path for e in found
        )
        if self.pages and limit < self.many:
            assert pages > 1

    def test_an_entry_says_what_is_there(self, store: Store) -> None:
        before = datetime.now(timezone.utc) - timedelta(seconds=5)
        written = store.write("d/file", b"hello")
        after = datetime.now(timezone.utc) + timedelta(seconds=5)
        for entry in (written, store.stat("d/file"), store.list("d").entries[0]):
            assert (entry.path, entry.name, entry.type, entry.size) == (
                "d/file",
                "file",
                "file",
                5,
            )
            if entry.checksum is not None and entry.checksum.startswith("md5:"):
                assert entry.checksum == "md5:" + hashlib.md5(b"hello").hexdigest()  # noqa: S324
            if entry is written and entry.modified is None:
                continue
            assert entry.modified is not None
            assert entry.modified.utcoffset() == timedelta(0)
            assert before <= entry.modified <= after
        directory = store.stat("d")
        assert (directory.path, directory.type, directory.size) == ("d", "directory", None)

    # Bytes

    def test_empty_files(self, store: Store) -> None:
        assert store.write("empty", b"").size == 0
        assert store.read("empty") == b""
        assert store.read("empty", offset=3, length=4) == b""
        assert store.stat("empty").type == "file"

    def test_ranges(self, store: Store) -> None:
        data = random.Random(1).randbytes(1000)  # noqa: S311
        store.write("file", data)
        for offset in (0, 1, 500, 999, 1000, 2000):
            for length in (None, 0, 1, 499, 5000):
                expected = data[offset:] if length is None else data[offset : offset + length]
                assert store.read("file", offset=offset, length=length) == expected

    def test_a_large_file_comes_back_the_same(self, store: Store) -> None:
        data = random.Random(2).randbytes(21 * 2**20 + 3)  # noqa: S311
        with store.create("large", size=len(data)) as writer:
            view = memoryview(data)
            for start in range(0, len(data), 3_000_001):
                writer.write(view[start : start + 3_000_001])
            assert writer.commit().size == len(data)
        with store.open("large") as pieces:
            parts = list(pieces)
        assert max(map(len, parts)) <= CHUNK
        assert b"".join(parts) == data
        assert (
            store.read("large", offset=16 * 2**20 - 5, length=10)
            == (data[16 * 2**20 - 5 : 16 * 2**20 + 5])
        )

    @pytest.mark.parametrize("size", [0, 3, 17 * 2**20 + 3])
    def test_what_a_store_knows_of_a_file_is_true(self, store: Store, size: int) -> None:
        data = random.Random(4).randbytes(size)  # noqa: S311
        store.write("d/file", data)
        for checksum in store.checksums("d/file"):
            assert checksum.matches([data[:1000], data[1000:]])
            assert not checksum.matches([data, b"more"])
        with pytest.raises(IsADirectory):
            store.checksums("d")
        with pytest.raises(NotFound):
            store.checksums("missing")

    def test_a_large_file_of_unknown_size(self, store: Store) -> None:
        piece = random.Random(3).randbytes(2**20)  # noqa: S311
        with store.create("large") as writer:
            for _ in range(25):
                writer.write(piece)
            writer.commit()
        digest = hashlib.sha256()
        with store.open("large") as pieces:
            for part in pieces:
                digest.update(part)
        assert digest.digest() == hashlib.sha256(piece * 25).digest()

    @pytest.mark.parametrize("size", [5, 9 * 2**20, 21 * 2**20])
    def test_nothing_is_visible_before_commit_or_after_abort(self, store: Store, size: int) -> None:
        writer = store.create("d/file")
        writer.write(bytes(size))
        assert [entry for entry in store.walk("") if entry.type == "file"] == []
        writer.abort()
        writer.abort()
        assert [entry for entry in store.walk("") if entry.type == "file"] == []
        with pytest.raises(NotFound):
            store.stat("d/file")

    def test_an_aborted_overwrite_keeps_the_old_content(self, store: Store) -> None:
        store.write("file", b"old")
        with pytest.raises(RuntimeError), store.create("file") as writer:
            writer.write(b"new")
            raise RuntimeError
        assert store.read("file") == b"old"

    def test_overwriting_while_somebody_reads_mixes_nothing(self, store: Store) -> None:
        old, new = b"o" * (9 * 2**20), b"n" * (9 * 2**20)
        store.write("file", old)
        try:
            with store.open("file") as pieces:
                first = next(pieces)
                store.write("file", new)
                seen = first + b"".join(pieces)
        except StorageError:
            seen = old  # to refuse is as good
        assert seen == old
        assert store.read("file") == new

    def test_a_modification_time_is_kept_where_the_store_can(self, store: Store) -> None:
        moment = datetime(2020, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
        entry = store.write("file", b"x", modified=moment)
        assert (entry.modified == moment) == self.modified_kept

    # Exclusive creation

    @pytest.mark.parametrize("size", [3, 20 * 2**20])
    def test_exclusive_creation_keeps_what_is_there(self, store: Store, size: int) -> None:
        store.write("file", b"first", exclusive=True)
        with pytest.raises(AlreadyExists) as caught:
            store.write("file", bytes(size), exclusive=True)
        assert caught.value.path == "file"
        assert store.read("file") == b"first"
        assert [entry.path for entry in store.walk("")] == ["file"]

    def test_exclusive_creation_fails_where_somebody_was_faster(self, store: Store) -> None:
        writer = store.create("file", exclusive=True)
        writer.write(b"slow")
        store.write("file", b"fast")
        with writer, pytest.raises(AlreadyExists):
            writer.commit()
        assert store.read("file") == b"fast"

    @pytest.mark.parametrize("same", [False, True])
    def test_exactly_one_of_many_exclusive_writers_wins(self, store: Store, same: bool) -> None:
        if not self.races:
            pytest.skip("this service ignores conditions")
        count = 6
        barrier = threading.Barrier(count)

        def write(number: int) -> bool:
            content = b"same" if same else str(number).encode()
            with store.create("lease", exclusive=True, size=len(content)) as writer:
                writer.write(content)
                barrier.wait()
                try:
                    writer.commit()
                except AlreadyExists:
                    return False
                return True

        with ThreadPoolExecutor(count) as pool:
            won = list(pool.map(write, range(count)))
        assert won.count(True) == 1
        assert store.read("lease") == (b"same" if same else str(won.index(True)).encode())

    # Changing

    def test_an_empty_directory_can_be_made_twice_and_deleted(self, store: Store) -> None:
        store.make_directory("a/b")
        store.make_directory("a/b")
        assert store.stat("a/b").is_directory
        assert store.stat("a").is_directory
        assert store.list("a/b").entries == ()
        assert names(store, "a") == ["b"]
        assert "a/b" in [entry.path for entry in store.walk("") if entry.is_directory]
        assert store.delete_directory("a/b") == 0
        with pytest.raises(NotFound):
            store.stat("a/b")

    def test_a_directory_goes_if_it_is_empty_and_stays_otherwise(self, store: Store) -> None:
        store.make_directory("full/empty")
        store.write("full/file", b"x")
        store.delete_empty("full")
        assert store.read("full/file") == b"x"
        store.delete_empty("full/empty")
        assert names(store, "full") == ["file"]

    def test_renaming_a_file(self, store: Store) -> None:
        store.write("a", b"1")
        store.rename("a", "deep/er/b")
        assert store.read("deep/er/b") == b"1"
        with pytest.raises(NotFound):
            store.stat("a")
        store.write("c", b"2")
        with pytest.raises(AlreadyExists):
            store.rename("c", "deep/er/b")
        assert store.read("deep/er/b") == b"1"
        store.rename("c", "deep/er/b", exclusive=False)
        assert store.read("deep/er/b") == b"2"

    def test_renaming_a_directory_is_exact(self, store: Store) -> None:
        for key in ("data/a", "data/sub/b", "data2/c", "data.bak/d"):
            store.write(key, key.encode())
        store.make_directory("data/empty")
        store.rename("data", "moved/here")
        assert {entry.path for entry in store.walk("") if entry.type == "file"} == {
            "moved/here/a",
            "moved/here/sub/b",
            "data2/c",
            "data.bak/d",
        }
        assert store.read("moved/here/sub/b") == b"data/sub/b"
        assert store.stat("moved/here/empty").is_directory
        with pytest.raises(NotFound):
            store.stat("data")

    def test_a_directory_is_not_renamed_onto_another_or_into_itself(self, store: Store) -> None:
        store.write("a/x", b"1")
        store.write("b/y", b"2")
        store.write("file", b"3")
        with pytest.raises(AlreadyExists):
            store.rename("a", "b")
        with pytest.raises(AlreadyExists):
            store.rename("a", "b", exclusive=False)
        with pytest.raises(AlreadyExists):
            store.rename("a", "file")
        with pytest.raises(InvalidRequest):
            store.rename("a", "a/in")
        assert {entry.path for entry in store.walk("") if entry.type == "file"} == {
            "a/x",
            "b/y",
            "file",
        }

    def test_copying_inside(self, store: Store) -> None:
        if not store.can_copy_from(store):
            with pytest.raises(StorageError):
                store.copy_from(store, "a", "b")
            return
        store.write("a b", b"content")
        told: list[int] = []
        entry = store.copy_from(store, "a b", "d/c#?", progress=told.append)
        assert (entry.path, entry.size, sum(told)) == ("d/c#?", 7, 7)
        assert store.read("d/c#?") == b"content"
        with pytest.raises(AlreadyExists):
            store.copy_from(store, "a b", "d/c#?", exclusive=True)
        with pytest.raises(NotFound):
            store.copy_from(store, "missing", "e")
        with pytest.raises(IsADirectory):
            store.copy_from(store, "d", "e")

    def test_many_threads_at_once(self, store: Store) -> None:
        def work(number: int) -> bytes:
            key = f"t/{number}"
            store.write(key, str(number).encode() * 1000)
            return store.read(key)

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(work, range(16)))
        assert results == [str(number).encode() * 1000 for number in range(16)]
        assert len(store.list("t").entries) == 16

    def test_a_store_can_be_used_after_it_was_closed(self, store: Store) -> None:
        store.write("file", b"x")
        store.close()
        assert store.read("file") == b"x"

    def test_the_file_system_sees_the_same_files(self, store: Store) -> None:
        store.write("d/file", b"content")
        filesystem, root = store.filesystem()
        assert filesystem.cat_file(f"{root}/d/file") == b"content"


def names(store: Store, key: str) -> list[str]:
    """Sorted names of what is in a directory."""
    return sorted(entry.name for entry in store.list(key).entries)
