from __future__ import annotations

import asyncio
import json
import time

import pytest

from jupyter_storage.server.document import request_validator
from jupyter_storage.server.emitter import INTERVAL, SCHEMAS


@pytest.fixture(autouse=True)
def enabled(environment, monkeypatch, jp_root_dir):
    """Let the server take snapshots. This fixture comes before the server."""
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOTS", "true")
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_INTERVAL", "0.2")
    (jp_root_dir / "a.txt").write_text("first")
    (jp_root_dir / "sub").mkdir()
    (jp_root_dir / "sub" / "b.txt").write_text("second")


async def status_when(api, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        status = json.loads((await api("GET", "snapshots/status")).body)
        if condition(status):
            return status
        assert time.monotonic() < deadline, status
        await asyncio.sleep(0.1)


def is_saved(status):
    return status["state"] == "ok" and status["last"] is not None


async def restored(api, snapshot, target):
    response = await api("POST", f"snapshots/{snapshot}/restore", json_body={"target": target})
    assert response.code == 202, response.body
    record = json.loads(response.body)
    assert record["operation"] == "restore"
    deadline = time.monotonic() + 60
    while record["state"] in {"waiting", "planning", "running"}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
        record = json.loads((await api("GET", f"transfers/{record['id']}")).body)
    return record


async def test_the_project_is_saved_listed_and_restored(api, jp_root_dir, tmp_path):
    status = await status_when(api, is_saved)
    request_validator("SnapshotStatus").validate(status)
    assert status["project"] == str(jp_root_dir.resolve())
    (jp_root_dir / "a.txt").write_text("changed")
    taken = await api("POST", "snapshots", body=b"")
    assert taken.code == 202
    request_validator("SnapshotStatus").validate(json.loads(taken.body))
    await status_when(api, lambda now: is_saved(now) and now["last"]["id"] != status["last"]["id"])
    listed = json.loads((await api("GET", "snapshots")).body)
    request_validator("Snapshots").validate(listed)
    times = [snapshot["time"] for snapshot in listed["snapshots"]]
    assert times == sorted(times, reverse=True)
    assert listed["snapshots"][-1]["id"] == status["last"]["id"]
    record = await restored(api, listed["snapshots"][-1]["short_id"], "back/first")
    assert record["state"] == "done", record
    assert (jp_root_dir / "back/first/a.txt").read_text() == "first"
    assert (jp_root_dir / "back/first/sub/b.txt").read_text() == "second"


async def test_the_last_change_before_the_stop_is_saved(api, extension, service, jp_root_dir):
    await status_when(api, is_saved)
    (jp_root_dir / "late.txt").write_text("late")
    workspace = service.snapshots
    await extension.stop_extension()
    target = jp_root_dir.parent / "restored"
    await asyncio.to_thread(workspace.restore, "latest", target)
    assert (target / "late.txt").read_text() == "late"


async def test_a_restore_stays_in_the_project_directory(api, jp_root_dir):
    await status_when(api, is_saved)
    (jp_root_dir / "out").symlink_to("..")
    for target in ("../x", "a/../../x", "out/x", "nul\0"):
        response = await api("POST", "snapshots/latest/restore", json_body={"target": target})
        assert response.code == 400, target
    assert not (jp_root_dir.parent / "x").exists()
    for body in ({}, {"target": 5}, {"target": "x", "overwrite": True}):
        assert (await api("POST", "snapshots/latest/restore", json_body=body)).code == 400


async def test_an_unknown_snapshot_is_a_failed_transfer_that_says_so(api, jp_root_dir):
    await status_when(api, is_saved)
    record = await restored(api, "0123abcd", "back")
    assert record["state"] == "failed"
    assert record["failures"][0]["kind"] == "NotFound"
    assert not list((jp_root_dir / "back").glob("*"))


async def test_the_state_of_snapshots_is_told_as_events(api, extension, jp_serverapp):
    heard = []

    async def listen(logger, schema_id, data):
        heard.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=SCHEMAS["snapshot"], listener=listen)
    await api("POST", "snapshots", body=b"")
    await status_when(api, is_saved)
    await asyncio.sleep(3 * INTERVAL)
    assert heard
    assert heard[-1]["state"] in {"ok", "waiting", "capturing"}
    assert any(event["last"] for event in heard)


async def test_open_files_are_noted_and_no_path_leads_out(api, service):
    await status_when(api, is_saved)
    response = await api("PUT", "snapshots/open", json_body={"paths": ["sub/b.txt", "a.txt"]})
    assert response.code == 204, response.body
    assert await asyncio.to_thread(service.snapshots.documents.read) == ["sub/b.txt", "a.txt"]
    for body in ({}, {"paths": "a"}, {"paths": ["../x"]}, {"paths": ["a"], "more": 1}):
        assert (await api("PUT", "snapshots/open", json_body=body)).code == 400, body


async def test_a_takeover_of_what_is_held_already_is_a_snapshot(api, jp_root_dir):
    await status_when(api, is_saved)
    (jp_root_dir / "a.txt").write_text("changed")
    response = await api("POST", "snapshots/takeover", body=b"")
    assert response.code == 200, response.body
    record = json.loads(response.body)
    request_validator("Snapshot").validate(record)
    assert record["fork"] is None
    assert (await status_when(api, is_saved))["fork"] is None
