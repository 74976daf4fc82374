from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts.mounters import BUILT_IN, choose


@pytest.fixture
def project(service):
    return Path(service.settings.project)


@pytest.fixture
def mounting(service):
    """Skip where nothing can be mounted; take away what the test mounted."""
    try:
        choose("here", "s3://bucket", wanted=BUILT_IN)
    except Unsupported as error:
        pytest.skip(error.message)
    yield
    for record in service.mounts.all():
        service.mounts.unmount(Path(record.target), force=True)


async def asked(api, method, path, body=None, status=200):
    response = await api(method, path, json_body=body)
    assert response.code == status, response.body
    return json.loads(response.body) if response.body else None


async def ended(api, record):
    for _ in range(400):
        record = await asked(api, "GET", f"transfers/{record['id']}")
        if record["state"] in {"done", "partial", "failed", "cancelled"}:
            return record
        await asyncio.sleep(0.05)
    raise AssertionError(record)


async def test_a_part_of_a_tier_is_mounted_flushed_and_unmounted(api, mounting, project, tier):
    (tier / "d").mkdir()
    (tier / "d/a.txt").write_text("a")
    request = {"path": "shared:d", "target": "./here", "cached": True}
    made = await asked(api, "POST", "mounts", request, 201)
    assert (made["mode"], made["state"], made["pending"]) == ("MOUNT_CACHED", "ok", 0)
    here = project / "here"
    assert made["target"] == str(here.resolve())
    assert await asyncio.to_thread((here / "a.txt").read_text) == "a"
    file = await asyncio.to_thread((here / "b.txt").open, "w")
    await asyncio.to_thread(lambda: (file.write("b"), file.flush()))
    (record,) = (await asked(api, "GET", "mounts"))["mounts"]
    assert (record["pending"], record["waiting"]) == (1, ["b.txt"])
    await asyncio.to_thread(file.close)
    flushed = await asked(api, "POST", f"mounts/{made['id']}", {"action": "flush"})
    assert flushed["pending"] == 0
    assert (tier / "d/b.txt").read_text() == "b"
    await asked(api, "DELETE", f"mounts/{made['id']}", status=204)
    assert (await asked(api, "GET", "mounts"))["mounts"] == []
    missing = await asked(api, "DELETE", f"mounts/{made['id']}", status=404)
    assert missing["hint"]


async def test_a_copy_stands_in_for_a_mount_and_is_brought_back(api, project, tier):
    (tier / "d").mkdir()
    (tier / "d/a.txt").write_text("a")
    request = {"path": "shared:d", "target": "./copy", "copy": True}
    record = await ended(api, await asked(api, "POST", "mounts", request, 202))
    assert (record["state"], record["files_done"]) == ("done", 1)
    (project / "copy/a.txt").write_text("changed")
    (made,) = (await asked(api, "GET", "mounts"))["mounts"]
    assert (made["mode"], made["state"], made["waiting"]) == ("COPY", "ok", ["a.txt"])
    assert (tier / "d/a.txt").read_text() == "a"
    flushed = await asked(api, "POST", f"mounts/{made['id']}", {"action": "flush"})
    assert flushed["pending"] == 0
    assert (tier / "d/a.txt").read_text() == "changed"
    (tier / "d/b.txt").write_text("b")
    await asked(api, "POST", f"mounts/{made['id']}", {"action": "repair"})
    assert (project / "copy/b.txt").read_text() == "b"
    await asked(api, "DELETE", f"mounts/{made['id']}", status=204)
    assert (project / "copy/b.txt").read_text() == "b"


async def test_what_is_open_is_not_unmounted_unless_forced(api, mounting, project, tier):
    request = {"path": "shared:", "target": "./here"}
    made = await asked(api, "POST", "mounts", request, 201)
    file = await asyncio.to_thread((project / "here/b.txt").open, "w")
    refused = await asked(api, "DELETE", f"mounts/{made['id']}", status=409)
    assert "are open" in refused["message"]
    await asked(api, "DELETE", f"mounts/{made['id']}?force=1", status=204)
    with pytest.raises(OSError):
        await asyncio.to_thread(lambda: (file.write("lost"), file.close()))


async def test_a_page_chooses_neither_hosts_nor_places_outside(api, project):
    for wrong in (
        {"path": "s3://bucket/x", "target": "./here"},
        {"path": "shared:", "target": "/tmp/here"},
        {"path": "shared:", "target": "./../here"},
        {"path": "shared:", "storage": "cats", "target": "./here"},
        {"target": "./here"},
    ):
        response = await api("POST", "mounts", json_body=wrong)
        assert response.code in {400, 404}, wrong
    for wrong in ("/etc/passwd", "./../x.yaml", "shared:x.yaml"):
        assert (await api("POST", "apply", json_body={"path": wrong})).code == 400
    assert (await asked(api, "GET", "mounts"))["mounts"] == []


async def test_a_file_is_planned_applied_listed_and_its_storage_deleted(api, project, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.csv").write_text("1,2\n")
    target = tmp_path / "target"
    (project / "task.yaml").write_text(
        f"file_mounts:\n  {target}:\n    name: cats-2026\n    source: {source}\n    mode: COPY\n"
    )
    plan = await asked(api, "POST", "apply", {"path": "./task.yaml", "dry_run": True})
    assert [step["action"] for step in plan["steps"]] == ["create", "upload", "copy"]
    assert (await asked(api, "GET", "storages"))["storages"] == []
    record = await ended(api, await asked(api, "POST", "apply", {"path": "./task.yaml"}, 202))
    assert record["state"] == "done", record
    (storage,) = (await asked(api, "GET", "storages"))["storages"]
    assert (storage["name"], storage["status"]) == ("cats-2026", "READY")
    assert storage["command"].endswith("task.yaml")
    loss = await asked(api, "DELETE", "storages/cats-2026?dry_run=1")
    assert (loss["files"], loss["bytes"]) == (1, 4)
    record = await ended(api, await asked(api, "DELETE", "storages/cats-2026", status=202))
    assert record["state"] == "done", record
    assert (await asked(api, "GET", "storages"))["storages"] == []
    await asked(api, "GET", "storages/cats-2026", status=404)


async def test_what_is_wrong_in_a_file_is_said_with_its_line(api, project):
    (project / "task.yaml").write_text("file_mounts:\n  /d:\n    modus: COPY\n")
    error = await asked(api, "POST", "apply", {"path": "./task.yaml", "dry_run": True}, 400)
    assert error["path"].endswith("task.yaml:3")
    assert "modus" in error["message"]
