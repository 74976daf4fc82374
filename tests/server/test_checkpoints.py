"""Checkpoints as Jupyter's clients see them, with versions from snapshots."""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest
from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints

from jupyter_storage.server.checkpoints import LISTED, SnapshotCheckpoints


@pytest.fixture
def enabled(environment, monkeypatch):
    """Let the server take snapshots. This fixture comes before the server."""
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOTS", "true")
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_INTERVAL", "0.2")


@pytest.fixture
def contents(extension, jp_fetch):
    """Ask the contents API for checkpoints."""

    async def contents(method, path, *more):
        body = {"body": b""} if method == "POST" else {}
        parts = ("api", "contents", *path.split("/"), "checkpoints", *more)
        response = await jp_fetch(*parts, method=method, allow_nonstandard_methods=True, **body)
        return json.loads(response.body) if response.body else None

    return contents


async def save(service, path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return await asyncio.to_thread(service.snapshots.now)


async def test_versions_of_snapshots_are_offered_and_one_comes_back(
    enabled, service, contents, jp_root_dir
):
    path = jp_root_dir / "sub dir" / "a.txt"
    await save(service, path, "one")
    await save(service, path, "two!")
    path.write_text("three, in no snapshot yet")
    listed = await contents("GET", "sub dir/a.txt")
    oldest = (await asyncio.to_thread(service.history.versions, "sub dir/a.txt"))[-1]
    assert listed[0]["id"] == f"snapshot-{oldest.snapshot}"
    times = [each["last_modified"] for each in listed]
    assert times == sorted(times)
    await contents("POST", "sub dir/a.txt", listed[0]["id"])
    assert path.read_text() == "one"
    found = await asyncio.to_thread(service.history.versions, "sub dir/a.txt")
    kept = [
        b"".join(service.history.open(each.snapshot, "sub dir/a.txt")).decode() for each in found
    ]
    assert "three, in no snapshot yet" in kept


async def test_jupyter_s_own_checkpoint_works_at_once_and_asks_for_a_snapshot(
    enabled, service, contents, jp_root_dir
):
    path = jp_root_dir / "a.txt"
    path.write_text("one")
    made = await contents("POST", "a.txt")
    assert made["id"] == "checkpoint"
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(service.snapshots.list):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    path.write_text("two")
    assert [each["id"] for each in await contents("GET", "a.txt")][-1] == "checkpoint"
    await contents("POST", "a.txt", "checkpoint")
    assert path.read_text() == "one"


async def test_only_the_newest_are_offered_and_they_cannot_be_deleted(
    enabled, service, contents, jp_root_dir
):
    path = jp_root_dir / "a.txt"
    for number in range(LISTED + 3):
        await save(service, path, "x" * number)
    listed = await contents("GET", "a.txt")
    assert len(listed) == LISTED
    with pytest.raises(Exception, match="403"):
        await contents("DELETE", "a.txt", listed[0]["id"])
    with pytest.raises(Exception, match="404"):
        await contents("POST", "a.txt", "snapshot-" + "0" * 64)
    assert path.read_text() == "x" * (LISTED + 2)


async def test_a_file_is_renamed_and_deleted_with_its_own_checkpoint(
    enabled, service, contents, jp_root_dir, jp_serverapp
):
    await save(service, jp_root_dir / "a.txt", "one")
    await save(service, jp_root_dir / "a.txt", "two")
    await contents("POST", "a.txt")
    manager = jp_serverapp.contents_manager
    await manager.rename("a.txt", "b.txt")
    assert os.listdir(jp_root_dir / ".ipynb_checkpoints") == ["b-checkpoint.txt"]
    await manager.delete("b.txt")
    assert os.listdir(jp_root_dir / ".ipynb_checkpoints") == []
    assert (await asyncio.to_thread(service.history.versions, "a.txt"))[0].size == 3


async def test_without_snapshots_all_is_as_in_jupyter(extension, jp_serverapp):
    assert type(jp_serverapp.contents_manager.checkpoints) is AsyncFileCheckpoints


@pytest.fixture
def turned_off(enabled, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_CHECKPOINTS", "false")


async def test_it_can_be_turned_off(turned_off, extension, jp_serverapp):
    assert type(jp_serverapp.contents_manager.checkpoints) is AsyncFileCheckpoints


@pytest.fixture
def others(jp_server_config):
    """Checkpoints that somebody chose."""
    jp_server_config["AsyncLargeFileManager"] = {"checkpoints_class": f"{__name__}.Chosen"}


class Chosen(AsyncFileCheckpoints):
    pass


async def test_checkpoints_that_somebody_chose_are_left_alone(
    others, enabled, extension, jp_serverapp
):
    manager = jp_serverapp.contents_manager
    assert not isinstance(manager.checkpoints, SnapshotCheckpoints)
    assert type(manager.checkpoints).__name__ == "Chosen"
