from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from jupyter_storage.config import resolve
from jupyter_storage.errors import (
    AlreadyExists,
    InvalidPath,
    InvalidRequest,
    IsADirectory,
    NotFound,
    Protected,
)
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.service import Service
from jupyter_storage.tiers import registry
from jupyter_storage.uploads import BatchFile


@pytest.fixture
def heard():
    return []


@pytest.fixture
def service(tmp_path, heard):
    settings = resolve(
        environ={
            "JUPYTER_STORAGE_ROOT": str(tmp_path / "root"),
            "JUPYTER_STORAGE_WORKSPACE_ID": "w1",
        },
        project=tmp_path / "project",
    )
    service = Service(settings, listener=lambda kind, record: heard.append((kind, record)))
    yield service
    service.close()


def put(service, path, data=b"data"):
    with service.create(path) as writer:
        writer.write(data)
        return writer.commit()


def test_entries_are_spelled_as_the_caller_spelled_the_root(service):
    assert put(service, "shared:a/b.txt").path == "shared:a/b.txt"
    assert service.stat("shared:a/b.txt").path == "shared:a/b.txt"
    assert [entry.path for entry in service.list("shared:a").entries] == ["shared:a/b.txt"]
    local = service.local_path("shared:a/b.txt")
    assert service.stat(str(local)).path == str(local)
    assert [entry.path for entry in service.walk(str(local.parent))] == [str(local)]


def test_errors_name_the_file_as_the_caller_did(service):
    for wrong in (service.stat, service.list, service.delete, service.url):
        with pytest.raises(NotFound) as caught:
            wrong("shared:no/such")
        assert str(caught.value).startswith("shared:no/such: ")


def test_a_root_has_the_tiers_name(service):
    entry = service.stat("shared:")
    assert (entry.path, entry.name, entry.type) == ("shared:", "shared", "directory")


def test_a_uri_inside_a_tier_is_the_tier(service):
    put(service, "artifacts:models/m.pt")
    uri = service.settings.artifacts + "/models/m.pt"
    assert service.stat(uri).size == 4


def test_faces_hear_of_changes(service, heard):
    put(service, "shared:a/b.txt")
    service.rename("shared:a/b.txt", "shared:c/d.txt")
    service.make_directory("shared:e")
    service.delete("shared:c", recursive=True)
    directories = [record.directory for kind, record in heard if kind == "change"]
    assert directories == ["a", "a", "c", "", ""]


def test_an_exclusive_writer_replaces_nothing(service):
    put(service, "shared:a")
    with pytest.raises(AlreadyExists) as caught:
        service.create("shared:a", exclusive=True)
    assert caught.value.path == "shared:a"


def test_directories_are_deleted_only_when_said_so(service):
    put(service, "shared:data/x")
    put(service, "shared:data2/x")
    put(service, "shared:data.bak")
    with pytest.raises(IsADirectory):
        service.delete("shared:data")
    assert service.delete("shared:data", recursive=True) == 1
    assert service.stat("shared:data2/x").size == 4
    assert service.stat("shared:data.bak").size == 4


def test_a_link_to_a_directory_is_deleted_as_a_link(service):
    put(service, "shared:data/x")
    service.local_path("shared:link").symlink_to(service.local_path("shared:data"))
    service.delete("shared:link")
    assert service.stat("shared:data/x").size == 4


@pytest.mark.parametrize(
    "below", ["workspaces/w1/snapshots/config", "shared_storage/x", "artifact_storage/../x"]
)
def test_system_data_is_protected_by_any_spelling(service, below):
    root = service.settings.system_uri
    path = f"{root}/{below.replace('artifact_storage/../', '')}"
    with pytest.raises(Protected) as caught:
        service.create(path)
    assert "cannot be undone" in caught.value.hint
    put_forced = service.create(path, force=True)
    put_forced.write(b"1")
    put_forced.commit()
    for spelling in (path, path.removeprefix("file://")):
        with pytest.raises(Protected):
            service.delete(spelling)
        with pytest.raises(Protected):
            service.remove([spelling])
        with pytest.raises(Protected):
            service.rename(spelling, spelling + "2")
    assert service.delete(path, force=True) == 1


def test_what_holds_system_data_is_protected_too(service, tmp_path):
    put(service, "artifacts:x")
    for above in (
        service.settings.system_uri,
        str(tmp_path / "root"),
        str(tmp_path / "root/object_store"),
    ):
        with pytest.raises(Protected):
            service.delete(above, recursive=True)
    assert service.stat("artifacts:x").size == 4


def test_a_link_to_system_data_does_not_go_round_the_protection(service):
    put(service, "artifacts:x")
    system = Path(service.settings.system_uri.removeprefix("file://"))
    (system / "workspaces").mkdir()
    (system / "workspaces/config").write_text("precious")
    link = service.settings.project / "link"
    link.parent.mkdir()
    link.symlink_to(system)
    with pytest.raises(Protected):
        service.delete(str(link / "workspaces"), recursive=True)


def test_a_batch_of_uploads_does_not_follow_links_to_system_data(service, tmp_path):
    put(service, "artifacts:x")
    system = Path(service.settings.system_uri.removeprefix("file://"))
    (system / "precious").write_text("precious")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "file").symlink_to(system / "precious")
    (folder / "inner" / "directory").symlink_to(system)
    names = ["file", "inner/directory/precious", "inner/directory/new", "inner/plain"]
    files = [BatchFile(str(folder / name), b"x", zlib.crc32(b"x")) for name in names]
    errors = service.write_batch(files, ConflictPolicy.OVERWRITE)
    assert [type(error) for error in errors] == [Protected, Protected, Protected, type(None)]
    assert sorted(path.name for path in system.iterdir()) == ["artifact_storage", "precious"]
    assert (system / "precious").read_text() == "precious"


def test_snapshots_inside_the_artifacts_are_protected(service):
    with pytest.raises(Protected):
        service.create("artifacts:.jupyter_storage/workspaces/w1/snapshots/config")


def test_the_root_of_a_tier_is_never_deleted(service):
    put(service, "shared:x")
    with pytest.raises(InvalidPath):
        service.delete("shared:", recursive=True, force=True)
    with pytest.raises(InvalidPath):
        service.copy(["shared:"], "user:", recursive=True, move=True)


def test_a_rename_stays_inside_one_tier(service):
    put(service, "shared:x")
    with pytest.raises(InvalidRequest, match="one tier"):
        service.rename("shared:x", "user:x")


def test_an_unknown_tier_is_told_with_the_known_ones(service):
    with pytest.raises(InvalidPath) as caught:
        service.stat("shard:x")
    assert "shared" in caught.value.hint


def test_tiers_are_prepared_with_their_links(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "MOUNT_POINT", tmp_path / "mnt")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "mnt").mkdir()
    service = Service(resolve(environ={}, project=tmp_path / "project"))
    service.prepare()
    put(service, "shared:x")
    assert (tmp_path / "mnt/shared_storage/x").read_bytes() == b"data"
    again = Service(resolve(environ={}, project=tmp_path / "project"))
    assert again.local_path("shared:x") == (tmp_path / "mnt/shared_storage/x").resolve()
    for each in (service, again):
        each.close()


def test_tiers_are_described_without_touching_them(service, tmp_path):
    records = {record.name: record for record in service.tiers()}
    assert [*records] == service.tier_names()
    assert {record.state for record in records.values()} == {"ok"}
    assert records["artifacts"].quota == 100 * 10**9
    assert not (tmp_path / "root").exists()


def test_the_floor_below_the_faces_starts_without_cloud_libraries():
    code = (
        "import sys, jupyter_storage.service, jupyter_storage.config as c;"
        "s = jupyter_storage.service.Service(c.resolve(environ={}));"
        "print([m for m in ('s3fs','gcsfs','botocore','jupyter_server','IPython','cryptography')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "[]"
