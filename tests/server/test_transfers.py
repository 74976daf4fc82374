from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import pytest

from jupyter_storage.records import Change, Failure, TransferRecord
from jupyter_storage.server.emitter import INTERVAL, SCHEMAS, Emitter


@pytest.fixture
def other(tmp_path):
    return tmp_path / "tiers" / "local_storage"


async def ended(api, identifier):
    for _ in range(200):
        record = json.loads((await api("GET", f"transfers/{identifier}")).body)
        if record["state"] in {"done", "partial", "failed", "cancelled"}:
            return record
        await asyncio.sleep(0.05)
    raise AssertionError(record)


async def test_a_copy_lands_in_the_directory_under_its_own_name(api, tier, other):
    (tier / "d" / "e").mkdir(parents=True)
    (tier / "d" / "e" / "x.txt").write_text("x")
    (tier / "f.txt").write_text("f")
    request = {
        "operation": "copy",
        "sources": ["shared:d", "shared:f.txt"],
        "destination": "local:in",
    }
    plan = await api("POST", "transfers", json_body={**request, "dry_run": True})
    assert plan.code == 200
    assert json.loads(plan.body)["files"] == 2
    assert not (other / "in").exists()
    response = await api("POST", "transfers", json_body=request)
    assert response.code == 202
    record = await ended(api, json.loads(response.body)["id"])
    assert (record["state"], record["files_done"], record["bytes_done"]) == ("done", 2, 2)
    assert (other / "in" / "d" / "e" / "x.txt").read_text() == "x"
    assert (other / "in" / "f.txt").read_text() == "f"
    listed = json.loads((await api("GET", "transfers")).body)["transfers"]
    assert [item["id"] for item in listed] == [record["id"]]


async def test_conflicts_are_told_before_and_handled_as_asked(api, tier, other):
    other.mkdir(parents=True, exist_ok=True)
    (other / "f.txt").write_text("old")
    (tier / "f.txt").write_text("new")
    request = {"operation": "copy", "sources": ["shared:f.txt"], "destination": "local:"}
    plan = json.loads((await api("POST", "transfers", json_body={**request, "dry_run": True})).body)
    assert plan["conflict_count"] == 1
    for conflict, state, content in (
        ("fail", "failed", "old"),
        ("skip", "done", "old"),
        ("overwrite", "done", "new"),
    ):
        response = await api("POST", "transfers", json_body={**request, "conflict": conflict})
        record = await ended(api, json.loads(response.body)["id"])
        assert (record["state"], (other / "f.txt").read_text()) == (state, content)
    assert record["failures"] == []


async def test_a_move_leaves_nothing_behind(api, tier, other):
    (tier / "m.txt").write_text("m")
    request = {"operation": "move", "sources": ["shared:m.txt"], "destination": "local:"}
    response = await api("POST", "transfers", json_body=request)
    assert (await ended(api, json.loads(response.body)["id"]))["state"] == "done"
    assert not (tier / "m.txt").exists()
    assert (other / "m.txt").read_text() == "m"


async def test_the_project_directory_and_tiers_exchange_files(api, tier, jp_root_dir):
    (jp_root_dir / "results").mkdir()
    (jp_root_dir / "results" / "run.txt").write_text("out")
    (tier / "in.txt").write_text("in")
    for source, destination in (("./results", "shared:"), ("shared:in.txt", "./results/new")):
        request = {"operation": "copy", "sources": [source], "destination": destination}
        response = await api("POST", "transfers", json_body=request)
        assert (await ended(api, json.loads(response.body)["id"]))["state"] == "done"
    assert (tier / "results" / "run.txt").read_text() == "out"
    assert (jp_root_dir / "results" / "new" / "in.txt").read_text() == "in"


@pytest.mark.parametrize("path", ["./../secret", "./a/../../secret", "./link/secret", "/etc"])
async def test_no_transfer_leaves_the_project_directory(api, tier, jp_root_dir, path):
    outside = jp_root_dir.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_text("s")
    (jp_root_dir / "link").symlink_to(outside)
    (tier / "x").write_text("x")
    for sources, destination in (
        ([path], "shared:"),
        (["shared:x"], path),
        (["shared:x"], "./link"),
    ):
        request = {"operation": "copy", "sources": sources, "destination": destination}
        response = await api("POST", "transfers", json_body=request)
        assert response.code == 400
    assert [each.name for each in outside.iterdir()] == ["secret"]
    assert [each.name for each in tier.iterdir()] == ["x"]


async def test_nothing_of_the_project_directory_is_deleted_here(api, jp_root_dir):
    (jp_root_dir / "keep.txt").write_text("k")
    request = {"operation": "delete", "sources": ["./keep.txt"]}
    response = await api("POST", "transfers", json_body=request)
    assert response.code == 400
    assert (jp_root_dir / "keep.txt").exists()


async def test_a_deletion_keeps_the_neighbour(api, tier):
    for name in ("data", "data2"):
        (tier / name).mkdir()
        (tier / name / "x").write_text("x")
    request = {"operation": "delete", "sources": ["shared:data"]}
    response = await api("POST", "transfers", json_body=request)
    assert (await ended(api, json.loads(response.body)["id"]))["state"] == "done"
    assert [path.name for path in tier.iterdir()] == ["data2"]


async def test_an_unknown_transfer_is_not_found(api):
    for method in ("GET", "DELETE"):
        assert (await api(method, "transfers/none")).code == 404


async def test_a_transfer_is_cancelled(api, service, tier):
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(meter, cancel):
        cancel.wait(10)
        loop.call_soon_threadsafe(stopped.set)

    record = service._jobs.start("copy", ["shared:a"], "local:", work)
    assert (await api("DELETE", f"transfers/{record.id}")).code == 200
    await asyncio.wait_for(stopped.wait(), 5)
    assert (await ended(api, record.id))["state"] in {"cancelled", "done"}


async def test_a_server_with_a_running_transfer_is_not_idle(api, extension, service):
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(meter, cancel):
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)

    assert not extension.current_activity()
    record = service._jobs.start("copy", ["shared:a"], "local:", work)
    assert extension.current_activity() == [record.id]
    release.set()
    await ended(api, record.id)
    assert not extension.current_activity()


# Events


@pytest.fixture
def heard(jp_serverapp, extension):
    events = []

    async def listen(logger, schema_id, data):
        events.append((schema_id, data))

    for schema in SCHEMAS.values():
        jp_serverapp.event_logger.add_listener(schema_id=schema, listener=listen)
    return events


async def test_changes_and_transfers_are_told_as_events(api, heard, tier, other):
    (tier / "f.txt").write_text("f")
    await api("PUT", "files/shared/sub/new.txt", body=b"x")
    request = {"operation": "copy", "sources": ["shared:f.txt"], "destination": "local:in"}
    record = json.loads((await api("POST", "transfers", json_body=request)).body)
    await ended(api, record["id"])
    await asyncio.sleep(3 * INTERVAL)
    changes = [(d["tier"], d["directory"]) for s, d in heard if s == SCHEMAS["change"]]
    assert ("shared", "sub") in changes
    assert ("local", "in") in changes
    transfers = [data for schema, data in heard if schema == SCHEMAS["transfer"]]
    assert transfers[-1]["id"] == record["id"]
    assert transfers[-1]["state"] == "done"


async def test_events_are_few_and_the_last_is_never_lost(extension, heard, jp_serverapp):
    emitter = Emitter(asyncio.get_running_loop(), jp_serverapp.event_logger, extension.log)

    def burst():
        for done in range(1000):
            emitter.tell("transfer", TransferRecord("t", "copy", (), None, "running", done))
            emitter.tell("change", Change("shared", "a"))
        emitter.tell("transfer", TransferRecord("t", "copy", (), None, "done", 1000))

    begun = time.monotonic()
    await asyncio.to_thread(burst)
    took = time.monotonic() - begun
    await asyncio.sleep(3 * INTERVAL)
    transfers = [data for schema, data in heard if schema == SCHEMAS["transfer"]]
    most = 3 + took / INTERVAL
    assert len(transfers) <= most
    assert (transfers[-1]["state"], transfers[-1]["bytes_done"]) == ("done", 1000)
    assert len(heard) - len(transfers) <= most
    emitter.close()
    emitter.tell("change", Change("shared", "late"))
    await asyncio.sleep(INTERVAL / 2)
    assert not any(data.get("directory") == "late" for _, data in heard)
    assert not emitter._waiting


async def test_an_event_that_cannot_be_emitted_breaks_nothing(api, extension, tier, monkeypatch):
    def broken(**options):
        raise RuntimeError("no events today")

    monkeypatch.setattr(extension.serverapp.event_logger, "emit", broken)
    assert (await api("PUT", "files/shared/a", body=b"x")).code == 200
    assert (tier / "a").exists()


async def test_a_secret_in_a_failure_is_not_told(extension, heard):
    failure = Failure("shared:token=1.txt", "Unreachable", "url https://u:hunter2@host failed")
    extension._heard(
        "transfer", TransferRecord("s", "copy", (), None, "failed", failures=(failure,))
    )
    await asyncio.sleep(INTERVAL)
    ((_, data),) = heard
    assert "hunter2" not in json.dumps(data)
    assert data["failures"][0]["path"] == "shared:token=1.txt"


async def test_a_transfer_that_a_restart_cut_off_goes_on_with_a_click(api, tier, other):
    """The journal of another process, which was killed, is all that this one knows."""
    (tier / "d").mkdir()
    for name in "abc":
        (tier / "d" / name).write_text(name)
    code = (
        "import os; from jupyter_storage.config import load_config, resolve;"
        "from jupyter_storage.service import Service; from jupyter_storage.transfers import tasks;"
        "done = tasks.Transfer._copy_file\n"
        "def killed(self, source, *more):\n"
        "    if source.key.endswith('c'): os.kill(os.getpid(), 9)\n"
        "    return done(self, source, *more)\n"
        "tasks.Transfer._copy_file = killed\n"
        "service = Service(resolve(config=load_config()))\n"
        "service.wait(service.copy(['shared:d'], 'local:in', recursive=True, into=True).id)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert sorted(path.name for path in (other / "in/d").iterdir()) == ["a", "b"]
    left = json.loads((await api("GET", "interrupted")).body)["transfers"]
    assert [(each["sources"], each["destination"]) for each in left] == [(["shared:d"], "local:in")]
    assert (left[0]["files_done"], left[0]["bytes_done"]) == (2, 2)
    response = await api("POST", f"interrupted/{left[0]['id']}")
    assert response.code == 202
    record = await ended(api, json.loads(response.body)["id"])
    assert (record["state"], record["files_done"], record["files_skipped"]) == ("done", 1, 2)
    assert (other / "in/d/c").read_text() == "c"
    assert json.loads((await api("GET", "interrupted")).body)["transfers"] == []
    assert (await api("POST", f"interrupted/{left[0]['id']}")).code == 404
