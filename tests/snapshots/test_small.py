"""Small files: read in one go, here or in a second process."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from oracle import tree_of

from jupyter_storage.snapshots import batches, helper
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.nodes import describe, file_text
from jupyter_storage.snapshots.repository.crypto import Keys
from jupyter_storage.snapshots.repository.packs import open_blob
from jupyter_storage.snapshots.repository.tree import decode_tree, encode_tree, to_go_json
from jupyter_storage.snapshots.small import LARGEST, read_small

NAMES = [
    "plain",
    'quo"te',
    "back\\slash",
    "<&>",
    "ä\u2028",
    "new\nline",
    "bad\udcff",
    " ~'`",
    "x\x7f",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"content"])
@pytest.mark.parametrize("mode", [0o644, 0o4755])
def test_the_text_of_a_file_is_that_of_its_node(tmp_path, name, content, mode):
    path = str(tmp_path / name)
    Path(path).write_bytes(content)
    Path(path).chmod(mode)
    os.utime(path, ns=(1_700_000_000_120_000_000, 10**18))
    if content:
        os.link(path, tmp_path / "other")
    node = describe(path, name, os.lstat(path))
    [small] = read_small([(path, name)], Keys.random(), lambda _: False)
    node["content"] = [small.identifier.hex()] if content else []
    assert small.text == to_go_json(node)
    assert encode_tree([], [(name, small.text)]) == encode_tree([node])
    assert decode_tree(encode_tree([], [(name, small.text)])) == decode_tree(encode_tree([node]))
    assert (small.size, small.links) == (len(content), 2 if content else 1)


def test_the_text_of_a_file_has_its_attributes(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    try:
        os.setxattr(path, "user.note", b"\xff<")
    except OSError:
        pytest.skip("no extended attributes here")
    node = describe(str(path), "file", path.lstat())
    node["content"] = ["00"]
    text = file_text("file", path.lstat(), node["extended_attributes"], ["00"])
    assert text == to_go_json(node)
    [small] = read_small([(str(path), "file")], Keys.random(), lambda _: False)
    assert "user.note" in small.text


def test_what_needs_care_is_left_to_others(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * (LARGEST + 1))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("large")
    with sqlite3.connect(tmp_path / "database") as database:
        database.execute("create table t (x)")
    database.close()
    (tmp_path / "plain").write_bytes(b"plain")
    names = ("large", "pipe", "plain", "link", "database", "missing")
    found = read_small([(str(tmp_path / n), n) for n in names], Keys.random(), lambda _: False)
    assert [name for name, small in zip(names, found, strict=True) if small] == ["plain"]


def test_files_of_a_batch_are_sealed_once_and_open_to_what_they_hold(tmp_path):
    contents = {"a": b"x" * 5000, "b": os.urandom(777), "c": b"", "d": b"x" * 5000, "e": b"1"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    keys, known = Keys.random(), hashlib.sha256(b"1").digest()
    files = [(str(tmp_path / name), name) for name in contents]
    found = read_small(files, keys, known.__eq__)
    assert [name for name, small in zip(contents, found, strict=True) if small.sealed] == ["a", "b"]
    for name, small in zip("ab", found, strict=False):
        assert (
            open_blob(keys, small.identifier.hex(), small.sealed, small.uncompressed)
            == (contents[name])
        )
    assert found[0].uncompressed == 5000
    assert found[1].uncompressed == 0
    assert found[3].identifier == found[0].identifier


@pytest.fixture
def many(project, monkeypatch):
    """More files than one process reads, half of them twice."""
    monkeypatch.setattr(batches, "worthwhile", lambda files: files > 10)
    monkeypatch.setattr(batches, "_MANY", 8)
    for number in range(600):
        path = project / f"d{number % 7}/e{number % 3}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number // 2} <text>".encode() * (number % 50))
    return project


def test_a_second_process_reads_the_same(many, open_repository, restic, tmp_path, monkeypatch):
    asked = []
    ask = helper.Helper.ask
    monkeypatch.setattr(
        helper.Helper,
        "ask",
        lambda self, files, answer: asked.extend(files) or ask(self, files, answer),
    )
    record = capture(open_repository(), many)
    assert asked
    assert (record.files, record.files_new, record.failures) == (600, 600, ())
    restic("restore", "latest", "--target", tmp_path / "out")
    assert tree_of(tmp_path / "out" / str(many).lstrip("/")) == tree_of(many)
    assert capture(open_repository(), many).id == record.id


def test_a_second_process_that_dies_costs_nothing_but_time(
    many, open_repository, restic, tmp_path, monkeypatch
):
    ask, killed = helper.Helper.ask, []

    def dying(self, files, answer):
        ask(self, files, answer)
        if not killed:
            os.kill(self.pid, signal.SIGKILL)
            killed.append(self.pid)

    monkeypatch.setattr(helper.Helper, "ask", dying)
    record = capture(open_repository(), many)
    assert killed
    assert (record.files, record.failures) == (600, ())
    restic("restore", "latest", "--target", tmp_path / "out")
    assert tree_of(tmp_path / "out" / str(many).lstrip("/")) == tree_of(many)
