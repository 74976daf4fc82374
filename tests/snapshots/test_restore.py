"""Restoring, from repositories that mean harm as well."""

import os
import threading
from dataclasses import replace

import pytest
from oracle import tree_of

from jupyter_storage.errors import AlreadyExists, Cancelled, NotADirectory
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.repository.crypto import digest
from jupyter_storage.snapshots.repository.times import now, to_text
from jupyter_storage.snapshots.restore import restore

TIMES = {"mtime": to_text(10**18), "atime": to_text(10**18), "ctime": to_text(10**18)}


@pytest.fixture
def captured(project, open_repository, restic):
    (project / "directory").mkdir()
    (project / "directory/file").write_text("from the snapshot")
    (project / "other").write_text("other")
    repository = open_repository()
    capture(repository, project)
    return repository, repository.snapshots()[0]


def make(repository, nodes):
    """A snapshot whose root holds these nodes, without any check."""
    tree = repository.save_tree(nodes)
    repository.flush()
    snapshot = Snapshot(id="", time=now(), tree=tree, paths=("/",))
    return replace(snapshot, id=repository.save_snapshot(snapshot))


def node(name, kind="file", **fields):
    mode = {"dir": 1 << 31 | 0o755, "symlink": 1 << 27 | 0o777}.get(kind, 0o644)
    content = [] if kind == "file" else None
    base = {"name": name, "type": kind, "mode": mode, **TIMES, "uid": 0, "gid": 0}
    return {**base, "content": content, **fields}


def test_a_target_with_files_is_refused(captured, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(AlreadyExists, match="not empty"):
        restore(*captured, target)
    assert os.listdir(target) == ["mine"]
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectory):
        restore(*captured, tmp_path / "file")


def test_overwrite_replaces_what_the_snapshot_has_and_keeps_the_rest(captured, project, tmp_path):
    target = tmp_path / "target"
    (target / "directory").mkdir(parents=True)
    (target / "directory/file").write_text("old")
    (target / "mine").write_text("mine")
    (target / "other").mkdir()
    record = restore(*captured, target, policy=ConflictPolicy.OVERWRITE)
    assert record.failures == ()
    assert (target / "mine").read_text() == "mine"
    (target / "mine").unlink()
    os.utime(target, ns=(0, project.stat().st_mtime_ns))
    assert tree_of(target) == tree_of(project)


def test_overwrite_does_not_write_again_what_is_there(captured, tmp_path):
    target = tmp_path / "target"
    restore(*captured, target)
    before = (target / "other").stat().st_ino
    assert restore(*captured, target, policy=ConflictPolicy.OVERWRITE).failures == ()
    assert (target / "other").stat().st_ino == before


def test_a_full_directory_in_a_files_place_is_a_failure_and_stays(captured, tmp_path):
    target = tmp_path / "target"
    (target / "other").mkdir(parents=True)
    (target / "other/mine").write_text("mine")
    record = restore(*captured, target, policy=ConflictPolicy.OVERWRITE)
    assert [failure.path for failure in record.failures] == ["other"]
    assert (target / "other/mine").read_text() == "mine"
    assert (target / "directory/file").read_text() == "from the snapshot"
    assert not [name for name in os.listdir(target) if name.startswith(".~")]


def test_skip_goes_on_with_a_restore_that_was_cut_off(captured, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "other").write_text("edited meanwhile")
    assert restore(*captured, target, policy=ConflictPolicy.SKIP).failures == ()
    assert (target / "other").read_text() == "edited meanwhile"
    assert (target / "directory/file").read_text() == "from the snapshot"


def test_links_in_the_target_are_not_followed(captured, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    target = tmp_path / "target"
    target.mkdir()
    (target / "directory").symlink_to(outside)
    (target / "other").symlink_to(outside / "file")
    assert restore(*captured, target, policy=ConflictPolicy.OVERWRITE).failures == ()
    assert (outside / "file").read_text() == "mine"
    assert (target / "directory/file").read_text() == "from the snapshot"
    assert (target / "other").read_text() == "other"


def test_names_that_lead_out_are_refused(open_repository, store, tmp_path):
    repository = open_repository()
    repository.refresh()
    blob = repository.save_blob("data", b"evil")
    inner = repository.save_tree([node("x", content=[blob], size=4)])
    evil = [node(name, content=[blob], size=4) for name in ("../up", "/abs", "..", ".", r"\x00")]
    evil += [node("..", "dir", subtree=inner)]
    # A link, and then a directory of the same name to write through it.
    evil += [node("way", "symlink", linktarget=str(tmp_path)), node("way", "dir", subtree=inner)]
    evil += [node("good", content=[blob], size=4), node("strange", "wormhole")]
    target = tmp_path / "deep/target"
    record = restore(repository, make(repository, evil), target)
    assert len(record.failures) == 8
    assert sorted(os.listdir(target)) == ["good", "way"]
    assert sorted(os.listdir(tmp_path)) == ["deep", "repository"]
    assert os.listdir(tmp_path / "deep") == ["target"]


def test_a_missing_blob_fails_its_files_only(captured, project, tmp_path, store):
    repository, _ = captured
    blob = repository.save_blob("data", b"there")
    nodes = [node("good", content=[blob], size=5), node("bad", content=["0" * 64], size=5)]
    snapshot = make(repository, nodes)
    record = restore(repository, snapshot, tmp_path / "target")
    assert [failure.path for failure in record.failures] == ["bad"]
    assert os.listdir(tmp_path / "target") == ["good"]
    # Stock restic rightly finds fault with a snapshot that lacks something.
    repository.delete_file("snapshots", snapshot.id)


def test_a_damaged_pack_fails_its_files_only(project, open_repository, store, tmp_path):
    (project / "small").write_bytes(os.urandom(1000))
    repository = open_repository()
    capture(repository, project)
    repository.refresh()
    snapshot = repository.snapshots()[0]
    place = repository.locate("data", digest((project / "small").read_bytes()).hex())
    path = store.root / f"data/{place.pack[:2]}/{place.pack}"
    content = bytearray(path.read_bytes())
    content[place.offset + 20] ^= 1
    path.write_bytes(content)
    record = restore(repository, snapshot, tmp_path / "target")
    assert [failure.kind for failure in record.failures] == ["ChecksumMismatch"]
    assert os.listdir(tmp_path / "target") == []


def test_cancel_leaves_no_half_written_file(captured, tmp_path):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        restore(*captured, tmp_path / "target", cancel=cancel)
    assert not any(files for _, _, files in os.walk(tmp_path / "target"))


def test_progress_adds_up(captured, project, tmp_path):
    seen = []
    record = restore(
        *captured, tmp_path / "t", progress=lambda size, files: seen.append((size, files))
    )
    assert (sum(s for s, _ in seen), sum(f for _, f in seen)) == (record.bytes, record.files)
    assert record.files == 2
