"""Resumable uploads: pieces, cuts, restarts, publication."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from memory_store import MemoryStore, passing

from jupyter_storage.errors import (
    AlreadyExists,
    ChecksumMismatch,
    Conflict,
    InvalidRequest,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotFound,
    Protected,
    Unreachable,
)
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.uploads import LIFE, Uploads

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
DATA = random.Random(1).randbytes(300_000)


class Desk:
    """Uploads of a server, which can be started again."""

    def __init__(self, base: Path) -> None:
        self.local = LocalStore(base / "tier")
        self.bucket = MemoryStore()
        self.directory = base / "uploads"
        self.start()

    def start(self) -> None:
        self.uploads = Uploads(self.directory, self.resolve, Engine(pause=0.01))

    def resolve(self, path: str) -> Place:
        root, _, key = path.partition(":")
        if key.startswith("system"):
            raise Protected("This is system data", path=path)
        store = self.local if root == "local" else self.bucket
        return Place(store, key.rstrip("/"), f"{root}:", key.endswith("/"))

    def send(self, identifier: str, offset: int, data: bytes, *, checked: bool = False) -> int:
        checksum = f"crc32 {zlib.crc32(data):08x}" if checked else None
        with self.uploads.open_piece(identifier, offset, checksum) as piece:
            piece.write(data)
            return piece.commit()

    def content(self, path: str) -> bytes | None:
        place = self.resolve(path)
        try:
            return place.store.read(place.key)
        except NotFound:
            return None

    def staged(self) -> list[str]:
        """Everything that is on disk and not a published file."""
        below = [p for p in self.local.root.rglob("*") if p.name.startswith(".~")]
        return [path.name for path in [*below, *self.directory.glob("*.data")]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("path", ["local:new/deep/f.bin", "bucket:new/f.bin"])
@pytest.mark.parametrize("checked", [False, True])
def test_a_file_arrives_piece_by_piece_and_appears_at_the_end(desk, path, checked):
    record = desk.uploads.begin(path, size=len(DATA), modified=NOON)
    assert desk.send(record.id, 0, DATA[:100_000], checked=checked) == 100_000
    assert desk.uploads.get(record.id).offset == 100_000
    assert desk.content(path) is None
    assert list(desk.local.walk()) == []
    desk.send(record.id, 100_000, DATA[100_000:], checked=checked)
    entry = desk.uploads.commit(record.id)
    assert (entry.size, entry.modified) == (len(DATA), NOON)
    assert desk.content(path) == DATA
    assert desk.staged() == []
    assert desk.uploads.list() == []


@pytest.mark.parametrize("path", ["local:empty", "bucket:empty"])
def test_an_empty_file_can_be_uploaded(desk, path):
    record = desk.uploads.begin(path, size=0)
    assert desk.uploads.commit(record.id).size == 0
    assert desk.content(path) == b""


def test_a_cut_connection_keeps_what_arrived_without_a_checksum(desk):
    record = desk.uploads.begin("local:f", size=len(DATA))
    with desk.uploads.open_piece(record.id, 0) as piece:
        piece.write(DATA[:1234])
    assert desk.uploads.get(record.id).offset == 1234
    desk.send(record.id, 1234, DATA[1234:])
    desk.uploads.commit(record.id)
    assert desk.content("local:f") == DATA


def test_a_cut_connection_keeps_nothing_with_a_checksum(desk):
    record = desk.uploads.begin("local:f", size=len(DATA))
    with desk.uploads.open_piece(record.id, 0, "crc32 00000000") as piece:
        piece.write(DATA[:1234])
    assert desk.uploads.get(record.id).offset == 0


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
def test_the_same_file_goes_on_where_it_was_after_a_restart(desk, path, monkeypatch):
    monkeypatch.setattr("jupyter_storage.uploads.uploads._BETWEEN_PIECES", 0.0)
    first = desk.uploads.begin(path, size=len(DATA), modified=NOON, sample="one")
    desk.send(first.id, 0, DATA[:1000])
    desk.start()
    again = desk.uploads.begin(path, size=len(DATA), modified=NOON, sample="one")
    assert (again.id, again.offset) == (first.id, 1000)
    assert [record.id for record in desk.uploads.list()] == [first.id]
    desk.send(again.id, 1000, DATA[1000:])
    desk.uploads.commit(again.id)
    assert desk.content(path) == DATA
    # And from the beginning once it is done.
    anew = desk.uploads.begin(
        path, size=len(DATA), modified=NOON, sample="one", conflict=ConflictPolicy.OVERWRITE
    )
    assert anew.offset == 0


@pytest.mark.parametrize(
    "change",
    [
        {"sample": "two"},
        {"modified": NOON + timedelta(seconds=1)},
        {"size": len(DATA) + 1},
        {"owner": "eve"},
        {"path": "local:g"},
    ],
)
def test_another_file_begins_anew(desk, change, monkeypatch):
    monkeypatch.setattr("jupyter_storage.uploads.uploads._BETWEEN_PIECES", 0.0)
    file = {"path": "local:f", "size": len(DATA), "modified": NOON, "sample": "one", "owner": "me"}
    first = desk.uploads.begin(**file)
    desk.send(first.id, 0, DATA[:1000])
    assert desk.uploads.begin(**file | change).offset == 0
    assert desk.uploads.get(first.id).offset == 1000


def test_a_beginning_whose_answer_was_lost_is_one_upload(desk):
    records = [desk.uploads.begin("local:f", size=5, sample="one") for _ in range(2)]
    assert records[0].id == records[1].id
    assert len(desk.uploads.list()) == 1


def test_two_windows_that_send_the_same_file_do_not_disturb_each_other(desk):
    first = desk.uploads.begin("local:f", size=len(DATA), sample="one")
    desk.send(first.id, 0, DATA[:1000])
    assert desk.uploads.get(first.id).active
    policy = ConflictPolicy.OVERWRITE
    second = desk.uploads.begin("local:f", size=len(DATA), sample="one", conflict=policy)
    assert (second.id != first.id, second.offset) == (True, 0)
    desk.send(second.id, 0, DATA)
    desk.send(first.id, 1000, DATA[1000:])
    desk.uploads.commit(first.id)
    desk.uploads.commit(second.id)
    assert desk.content("local:f") == DATA


def test_a_person_sees_their_own_uploads(desk):
    for owner in ("me", "you", None):
        desk.uploads.begin("local:f", size=5, sample="one", owner=owner)
    assert len(desk.uploads.list("me")) == 2
    assert len(desk.uploads.list()) == 1


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
def test_two_servers_that_share_the_directory_take_turns(desk, path):
    other = Uploads(desk.directory, desk.resolve, Engine(pause=0.01))
    record = desk.uploads.begin(path, size=len(DATA))
    with desk.uploads.open_piece(record.id, 0) as piece:
        piece.write(DATA[:1000])
        with pytest.raises(Conflict, match="another server"):
            other.open_piece(record.id, 0)
        assert other.get(record.id).active
        piece.commit()
    with other.open_piece(record.id, 1000) as piece:
        piece.write(DATA[1000:])
        piece.commit()
    assert desk.uploads.commit(record.id) == other.commit(record.id)
    assert desk.content(path) == DATA


def test_a_wrong_checksum_keeps_nothing_of_the_piece(desk):
    record = desk.uploads.begin("local:f", size=len(DATA))
    desk.send(record.id, 0, DATA[:10], checked=True)
    piece = desk.uploads.open_piece(record.id, 10, "crc32 deadbeef")
    piece.write(DATA[10:])
    with pytest.raises(ChecksumMismatch):
        piece.commit()
    assert desk.uploads.get(record.id).offset == 10
    desk.send(record.id, 10, DATA[10:], checked=True)
    desk.uploads.commit(record.id)
    assert desk.content("local:f") == DATA


@pytest.mark.parametrize("checksum", ["md5 00000000", "crc32 0", "crc32 zzzzzzzz", ""])
def test_a_checksum_that_cannot_be_read_is_refused(desk, checksum):
    record = desk.uploads.begin("local:f", size=1)
    with pytest.raises(InvalidRequest):
        desk.uploads.open_piece(record.id, 0, checksum)
    desk.send(record.id, 0, b"x")


@pytest.mark.parametrize("offset", [0, 9, 11])
def test_a_wrong_offset_is_refused_with_the_right_one(desk, offset):
    record = desk.uploads.begin("local:f", size=100)
    desk.send(record.id, 0, bytes(10))
    with pytest.raises(Conflict, match="begins at byte 10"):
        desk.uploads.open_piece(record.id, offset)


def test_more_bytes_than_announced_are_refused(desk):
    record = desk.uploads.begin("local:f", size=5)
    with desk.uploads.open_piece(record.id, 0) as piece:
        piece.write(b"123")
        with pytest.raises(InvalidRequest):
            piece.write(b"456")
    assert desk.uploads.get(record.id).offset == 3


def test_one_connection_sends_at_a_time(desk):
    record = desk.uploads.begin("local:f", size=5)
    with desk.uploads.open_piece(record.id, 0) as piece:
        with pytest.raises(Conflict, match="another connection"):
            desk.uploads.open_piece(record.id, 0)
        with pytest.raises(Conflict):
            desk.uploads.commit(record.id)
        piece.write(b"12345")
        piece.commit()
    assert desk.uploads.commit(record.id).size == 5


def test_an_incomplete_upload_is_not_published(desk):
    record = desk.uploads.begin("local:f", size=5)
    desk.send(record.id, 0, b"123")
    with pytest.raises(Conflict, match="3 of 5"):
        desk.uploads.commit(record.id)
    assert desk.content("local:f") is None


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
def test_an_upload_outlives_the_server(desk, path):
    record = desk.uploads.begin(path, size=len(DATA), modified=NOON)
    desk.send(record.id, 0, DATA[:5000])
    # What a piece leaves that was under way when the server was killed.
    (staged,) = [*desk.local.root.rglob(".~*"), *desk.directory.glob("*.data")]
    with staged.open("ab") as file:
        file.write(b"never accepted")
    desk.start()
    (again,) = desk.uploads.list()
    assert (again.id, again.path, again.offset) == (record.id, path, 5000)
    desk.send(record.id, 5000, DATA[5000:])
    desk.start()
    assert desk.uploads.commit(record.id).modified == NOON
    assert desk.content(path) == DATA


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
def test_publishing_again_gives_the_same_answer(desk, path):
    record = desk.uploads.begin(path, size=3)
    desk.send(record.id, 0, b"abc")
    first = desk.uploads.commit(record.id)
    desk.start()
    assert desk.uploads.commit(record.id) == first


def test_a_crash_between_rename_and_note_is_made_good(desk, monkeypatch):
    record = desk.uploads.begin("local:f", size=3)
    desk.send(record.id, 0, b"abc")
    states = desk.uploads._states
    save = states.save
    saved = []

    def crash_after_the_rename(state):
        saved.append(state)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(state)

    monkeypatch.setattr(states, "save", crash_after_the_rename)
    with pytest.raises(KeyboardInterrupt):
        desk.uploads.commit(record.id)
    assert desk.content("local:f") == b"abc"
    desk.start()
    assert desk.uploads.commit(record.id).size == 3


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
@pytest.mark.parametrize("policy", [ConflictPolicy.FAIL, ConflictPolicy.SKIP])
def test_an_existing_file_is_refused_at_once_and_at_the_end(desk, path, policy):
    place = desk.resolve(path)
    place.store.write("f", b"old")
    with pytest.raises(AlreadyExists, match=path):
        desk.uploads.begin(path, size=3, conflict=policy)
    place.store.delete("f")
    record = desk.uploads.begin(path, size=3, conflict=policy)
    desk.send(record.id, 0, b"new")
    place.store.write("f", b"old")
    with pytest.raises(AlreadyExists):
        desk.uploads.commit(record.id)
    assert desk.content(path) == b"old"
    desk.uploads.abort(record.id)
    assert desk.staged() == []


def test_an_existing_file_is_replaced_when_asked(desk):
    desk.local.write("f", b"old", modified=NOON)
    with pytest.raises(AlreadyExists):
        desk.uploads.begin("local:f", size=3, modified=NOON, conflict=ConflictPolicy.NEWER)
    for policy, data in [(ConflictPolicy.NEWER, b"new"), (ConflictPolicy.OVERWRITE, b"one")]:
        later = NOON + timedelta(hours=1)
        record = desk.uploads.begin("local:f", size=3, modified=later, conflict=policy)
        desk.send(record.id, 0, data)
        desk.uploads.commit(record.id)
        assert desk.content("local:f") == data


def test_a_link_stays_a_link(desk):
    desk.local.write("real", b"old")
    (desk.local.root / "link").symlink_to("real")
    record = desk.uploads.begin("local:link", size=3, conflict=ConflictPolicy.OVERWRITE)
    desk.send(record.id, 0, b"new")
    desk.uploads.commit(record.id)
    assert (desk.local.root / "link").is_symlink()
    assert desk.content("local:real") == b"new"


@pytest.mark.parametrize(
    ("path", "size", "error"),
    [
        ("local:", 1, IsADirectory),
        ("local:d/", 1, IsADirectory),
        ("local:d", 1, IsADirectory),
        ("local:file/below", 1, NotADirectory),
        ("local:f", -1, InvalidRequest),
        ("local:f", 2**60, NoSpace),
        ("bucket:f", 2**60, NoSpace),
        ("local:system/x", 1, Protected),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_byte(desk, path, size, error):
    desk.local.make_directory("d")
    desk.local.write("file", b"")
    with pytest.raises(error, match=path):
        desk.uploads.begin(path, size=size)
    assert desk.staged() == []


@pytest.mark.parametrize("path", ["local:f", "bucket:f"])
def test_aborting_leaves_nothing(desk, path):
    record = desk.uploads.begin(path, size=10)
    desk.send(record.id, 0, b"123")
    desk.uploads.abort(record.id)
    assert desk.staged() == []
    assert list(desk.directory.iterdir()) == []
    with pytest.raises(NotFound):
        desk.uploads.get(record.id)


def test_aborting_while_a_piece_is_on_its_way_brings_nothing_back(desk):
    record = desk.uploads.begin("local:f", size=10)
    piece = desk.uploads.open_piece(record.id, 0)
    piece.write(b"123")
    desk.uploads.abort(record.id)
    with pytest.raises(NotFound):
        piece.commit()
    assert desk.staged() == []
    assert list(desk.directory.iterdir()) == []


@pytest.mark.parametrize("identifier", ["", "../../etc/passwd", "0" * 32, "A" * 32, "0" * 31])
def test_unknown_ids_are_not_found(desk, identifier):
    for work in (desk.uploads.get, desk.uploads.commit, desk.uploads.abort):
        with pytest.raises(NotFound):
            work(identifier)
    with pytest.raises(NotFound):
        desk.uploads.open_piece(identifier, 0)


def test_forgotten_uploads_are_cleaned_and_others_are_not(desk):
    old = desk.uploads.begin("local:old", size=10)
    desk.send(old.id, 0, b"123")
    fresh = desk.uploads.begin("local:fresh", size=10)
    past = time.time() - LIFE - 60
    os.utime(desk.directory / f"{old.id}.json", (past, past))
    assert desk.uploads.clean() == 1
    assert [record.id for record in desk.uploads.list()] == [fresh.id]
    assert len(desk.staged()) == 1


def test_state_is_private_and_holds_no_content(desk):
    record = desk.uploads.begin("local:f", size=10)
    file = desk.directory / f"{record.id}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert desk.directory.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text())["size"] == 10


def test_a_damaged_state_harms_no_other(desk):
    good = desk.uploads.begin("local:f", size=10)
    (desk.directory / ("1" * 32 + ".json")).write_text("{")
    assert [record.id for record in desk.uploads.list()] == [good.id]


def test_staged_bytes_that_vanished_are_said_to_be_gone(desk):
    record = desk.uploads.begin("local:f", size=10)
    (staged,) = desk.local.root.iterdir()
    staged.unlink()
    with pytest.raises(NotFound, match="gone"):
        desk.uploads.open_piece(record.id, 0)
    with pytest.raises(NotFound):
        desk.uploads.open_piece(record.id, 0)


def test_publishing_to_a_bucket_survives_passing_errors(desk):
    record = desk.uploads.begin("bucket:f", size=len(DATA))
    desk.send(record.id, 0, DATA)
    desk.bucket.fault = passing("write", 2)
    desk.uploads.commit(record.id)
    assert desk.content("bucket:f") == DATA


def test_a_failed_publication_can_be_tried_again(desk):
    record = desk.uploads.begin("bucket:f", size=len(DATA))
    desk.send(record.id, 0, DATA)
    desk.bucket.fault = passing("write", 3)
    with pytest.raises(Unreachable, match="bucket:f"):
        desk.uploads.commit(record.id)
    desk.uploads.commit(record.id)
    assert desk.content("bucket:f") == DATA


def test_racing_commits_publish_once(desk):
    record = desk.uploads.begin("local:f", size=len(DATA))
    desk.send(record.id, 0, DATA)
    results = []

    def commit():
        try:
            results.append(desk.uploads.commit(record.id).size)
        except Conflict:
            results.append("busy")

    threads = [threading.Thread(target=commit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(DATA) in results
    assert set(results) <= {len(DATA), "busy"}
    assert desk.content("local:f") == DATA
