"""Tiers on a bucket as directories, and mounts inside the project directory."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from waiting import eventually

import jupyter_storage
from jupyter_storage.commands.session import session
from jupyter_storage.config import resolve
from jupyter_storage.errors import StorageError, Unsupported
from jupyter_storage.mounts import mounters
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.service import Service
from jupyter_storage.tiers import registry


@pytest.fixture
def started(s3_bucket, monkeypatch, tmp_path):
    """Start a service as a server does, again and again."""
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"s3://{s3_bucket}")
    monkeypatch.setenv("JUPYTER_STORAGE_NETWORK_BACKING", "bucket")
    monkeypatch.setenv("JUPYTER_STORAGE_MOUNT_TIERS", "MOUNT_CACHED")
    services: list[Service] = []

    def start(workload: str = "w1") -> Service:
        monkeypatch.setenv("JUPYTER_STORAGE_WORKLOAD_ID", workload)
        (tmp_path / "project").mkdir(exist_ok=True)
        service = Service(resolve(project=tmp_path / "project"))
        services.append(service)
        service.prepare()
        service.bring_back()
        return service

    yield start
    for service in services:
        for record in service.mounts.all():
            service.mounts.unmount(Path(record.target), force=True)
        service.close()


def test_a_kernel_sees_tiers_on_the_bucket_as_directories(fuse, started, s3_bucket, monkeypatch):
    service = started()
    paths = {name: service.tier(name).path for name in ("cluster", "user", "shared")}
    for name, path in paths.items():
        with (Path(path) / "log.txt").open("a") as file:
            file.write(name)
    service.mounts.flush(Path(paths["cluster"]))
    prefix = f"s3://{s3_bucket}/default/default"
    with service.open(f"{prefix}/workspaces/w1/cluster_storage/log.txt") as pieces:
        assert b"".join(pieces) == b"cluster"
    assert {each.state for each in service.mounts.all()} == {"ok"}
    session.close()
    try:
        assert jupyter_storage.path("shared:d/x.txt") == Path(paths["shared"]) / "d/x.txt"
    finally:
        session.close()


def test_they_heal_and_come_back_with_the_server(fuse, started):
    service = started()
    shared = Path(service.tier("shared").path)
    (shared / "a.txt").write_text("a")
    service.mounts.flush(shared)
    state = directory_of(service.settings.data_directory / "mounts", str(shared))
    pids = json.loads((state / "pids.json").read_text())
    os.kill(pids["mounter"], signal.SIGKILL)
    assert eventually(lambda: (shared / "a.txt").read_text() == "a")
    for pid in json.loads((state / "pids.json").read_text()).values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: service.mounts.mounted(shared) is None)
    again = started()
    assert (shared / "a.txt").read_text() == "a"
    assert len(again.mounts.all()) == 3


def test_another_workload_has_another_cluster_tier_and_takes_nothing_away(fuse, started):
    one = started("w1")
    mine = Path(one.tier("cluster").path)
    (mine / "mine.txt").write_text("mine")
    one.mounts.flush(mine)
    other = started("w2")
    theirs = Path(other.tier("cluster").path)
    assert theirs != mine
    assert os.listdir(theirs) == []
    assert os.listdir(mine) == ["mine.txt"]
    assert one.tier("shared").path == other.tier("shared").path


def test_where_nothing_can_be_mounted_tiers_work_without_a_directory(
    started, monkeypatch, tmp_path
):
    monkeypatch.setattr(mounters, "DEVICE", tmp_path / "no-fuse")
    with pytest.raises(Unsupported, match="there is no"):
        started()
    service = Service(resolve(project=tmp_path / "project"))
    assert service.tier("shared").state == "ok"
    with pytest.raises(StorageError):
        jupyter_storage.path("shared")
    session.close()
    service.close()


def test_a_link_leads_to_it_where_the_platform_has_its_paths(fuse, started, monkeypatch, tmp_path):
    monkeypatch.delenv("JUPYTER_STORAGE_ROOT")
    monkeypatch.setattr(registry, "MOUNT_POINT", tmp_path / "mnt")
    (tmp_path / "mnt").mkdir()
    started()
    (tmp_path / "mnt/shared_storage/a.txt").write_text("a")
    assert (tmp_path / "mnt/shared_storage/a.txt").read_text() == "a"


def test_what_is_mounted_in_the_project_directory_is_in_no_snapshot(fuse, started, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_MOUNT_TIERS", "no")
    service = started()
    project = service.settings.project
    (project / "mine.txt").write_text("mine")
    service.mount("shared:", project / "mounts/it's mine")
    (project / "mounts/it's mine/theirs.txt").write_text("theirs")
    snapshot = service.snapshots.now()
    assert snapshot.files == 1


def test_a_file_is_applied_at_the_start(started, monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_STORAGE_MOUNT_TIERS", "no")
    monkeypatch.setenv("JUPYTER_STORAGE_APPLY_AT_START", "task.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("a")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/task.yaml").write_text(
        f"file_mounts:\n  {tmp_path}/here: {tmp_path}/data\n"
    )
    service = started()
    (transfer,) = service.transfers()
    assert service.wait(transfer.id).state == "done"
    assert (tmp_path / "here/a.txt").read_text() == "a"
