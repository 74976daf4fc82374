"""Looking into snapshots over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import time
from urllib.parse import quote

import pytest

from jupyter_storage.server.document import request_validator


@pytest.fixture
def save(service, jp_root_dir):
    """Write files and take a snapshot; None removes one."""

    def save(files):
        for name, content in files.items():
            path = jp_root_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return service.snapshots.now(force=True)

    return save


async def ask(api, route, schema=None, status=200, **query):
    response = await api("GET", route, query=query)
    assert response.code == status, response.body
    body = json.loads(response.body)
    if schema:
        request_validator(schema).validate(body)
    return body


async def test_a_snapshot_is_named_in_several_ways(api, save):
    first = save({"a.txt": "one"})
    second = save({"a.txt": "two"})
    for name, record in ((first.id, first), (first.short_id, first), ("latest", second)):
        assert (await ask(api, f"snapshots/{name}", "Snapshot"))["id"] == record.id
    error = await ask(api, "snapshots/ffffffff", "Error", 404)
    assert "ffffffff" in error["message"]


async def test_directories_and_files_of_a_snapshot_are_sent(api, save):
    first = save({"sub/ä ö.txt": "old", "z.bin": b"\0" * 10})
    save({"sub/ä ö.txt": "new"})
    listing = await ask(api, f"snapshots/{first.id}/files", "Listing")
    assert [entry["name"] for entry in listing["entries"]] == ["sub", "z.bin"]
    page = await ask(api, f"snapshots/{first.id}/files/", "Listing", limit=1)
    assert [entry["name"] for entry in page["entries"]] == ["sub"]
    page = await ask(api, f"snapshots/{first.id}/files/", limit=1, cursor=page["cursor"])
    assert [entry["name"] for entry in page["entries"]] == ["z.bin"]
    path = f"snapshots/{first.short_id}/files/sub/{quote('ä ö.txt')}"
    entry = await ask(api, path, "Entry", **{"as": "entry"})
    assert (entry["path"], entry["size"]) == ("sub/ä ö.txt", 3)
    response = await api("GET", path)
    assert response.body == b"old"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    tag = response.headers["ETag"]
    assert (await api("GET", path, headers={"If-None-Match": tag})).code == 304
    part = await api("GET", path, headers={"Range": "bytes=1-"})
    assert (part.code, part.body) == (206, b"ld")
    head = await api("HEAD", path)
    assert (head.code, head.headers["Content-Length"], head.body) == (200, "3", b"")
    other = await api("HEAD", f"snapshots/latest/files/sub/{quote('ä ö.txt')}")
    assert other.headers["ETag"] != tag


async def test_what_is_not_there_is_said(api, save):
    save({"a.txt": "a"})
    for path, status in (
        ("snapshots/latest/files/missing.txt", 404),
        ("snapshots/latest/files/a.txt/x", 404),
        ("snapshots/latest/files/..%2fetc", 400),
        ("snapshots/latest/files?limit=0", 400),
        ("snapshots/latest/diff?limit=x", 400),
        ("snapshots/latest/diff?against=ffffffff", 404),
        ("snapshots/latest/diff/missing.txt", 404),
        ("versions/missing.txt", 404),
        ("versions/../a.txt", 400),
    ):
        response = await api("GET", path)
        assert response.code == status, (path, response.body)


async def test_differences_are_told(api, save):
    first = save({"a.txt": "one", "b.txt": "b"})
    second = save({"a.txt": "two two", "b.txt": None})
    found = await ask(api, f"snapshots/{second.id}/diff", "Comparison")
    assert (found["before"], found["after"]) == (first.id, second.id)
    assert [(each["path"], each["change"]) for each in found["entries"]] == [
        ("a.txt", "changed"),
        ("b.txt", "removed"),
    ]
    only = await ask(api, "snapshots/latest/diff", against=first.id, path="b.txt")
    assert [each["path"] for each in only["entries"]] == ["b.txt"]
    text = await ask(api, f"snapshots/{first.id}/diff/a.txt", "FileComparison")
    assert text["kind"] == "text"
    assert "-one" in text["diff"]
    gone = await ask(api, f"snapshots/{first.id}/diff/b.txt", against="latest")
    assert gone["kind"] == "missing"


async def test_versions_of_a_file_are_listed(api, save):
    first = save({"d/a.txt": "one"})
    save({"d/a.txt": "two"})
    found = await ask(api, "versions/d/a.txt", "Versions")
    assert found["path"] == "d/a.txt"
    assert [each["size"] for each in found["versions"]] == [3, 3]
    assert [each["current"] for each in found["versions"]] == [True, False]
    assert found["versions"][1]["snapshots"] == [first.id]


def notebook(*sources):
    cells = [
        {"cell_type": "markdown", "id": f"c{i}", "metadata": {}, "source": source}
        for i, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


async def test_a_cell_comes_back(api, save, jp_root_dir):
    first = save({"n.ipynb": notebook("one", "two")})
    save({"n.ipynb": notebook("1", "2")})
    found = await ask(api, f"snapshots/{first.id}/diff/n.ipynb", "FileComparison")
    assert [cell["change"] for cell in found["cells"]] == ["changed", "changed"]
    for cell in ("c1", 2):
        response = await api(
            "POST", f"snapshots/{first.id}/cell", json_body={"path": "n.ipynb", "cell": cell}
        )
        assert response.code == 200, response.body
        done = json.loads(response.body)
        request_validator("CellRestored").validate(done)
        assert done["number"] == 2
    assert (jp_root_dir / "n.ipynb").read_text() == notebook("1", "two")
    for body, status in (
        ({"path": "n.ipynb"}, 400),
        ({"path": "n.ipynb", "cell": "c9"}, 404),
        ({"path": "../n.ipynb", "cell": "c1"}, 400),
    ):
        response = await api("POST", f"snapshots/{first.id}/cell", json_body=body)
        assert response.code == status, response.body


async def test_a_look_needs_a_token_and_the_right_to_read(api, save, jp_serverapp):
    save({"a.txt": "a"})
    for path in ("snapshots/latest", "snapshots/latest/files/a.txt", "versions/a.txt"):
        assert (await api("GET", path, token=False)).code == 403


async def test_a_name_that_is_not_utf_8_goes_there_and_back(api, save, jp_root_dir):
    with open(os.fsencode(jp_root_dir) + b"/bad\xff.txt", "wb") as file:  # noqa: PTH123
        file.write(b"strange")
    save({})
    listing = await ask(api, "snapshots/latest/files", "Listing")
    name = next(entry["path"] for entry in listing["entries"] if "bad" in entry["path"])
    response = await api("GET", f"snapshots/latest/files/{quote(name)}")
    assert response.body == b"strange"


async def test_a_snapshot_is_pinned_and_named(api, save):
    first = save({"a.txt": "one"})
    save({"a.txt": "two"})
    response = await api(
        "PATCH", f"snapshots/{first.id}", json_body={"pinned": True, "name": "before the talk"}
    )
    assert response.code == 200, response.body
    changed = json.loads(response.body)
    request_validator("Snapshot").validate(changed)
    assert {"pinned", "name:before the talk"} <= set(changed["tags"])
    listed = (await ask(api, "snapshots"))["snapshots"]
    assert [each["id"] for each in listed][1:] == [changed["id"]]
    # Nothing that looks into it minds.
    assert (await ask(api, "snapshots/latest/diff"))["before"] == changed["id"]
    assert len((await ask(api, "versions/a.txt"))["versions"]) == 2
    response = await api(
        "PATCH", f"snapshots/{changed['id']}", json_body={"pinned": False, "name": ""}
    )
    assert json.loads(response.body)["tags"] == list(first.tags)
    for body in ({}, {"pinned": "yes"}, {"tags": []}, {"name": "two\nlines"}):
        response = await api("PATCH", "snapshots/latest", json_body=body)
        assert response.code == 400, body


async def finished(api, response):
    assert response.code == 202, response.body
    record = json.loads(response.body)
    deadline = time.monotonic() + 60
    while record["state"] in {"waiting", "planning", "running"}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
        record = await ask(api, f"transfers/{record['id']}", "Transfer")
    return record


async def test_one_file_comes_back_in_its_place_and_what_was_there_can_be_had_again(
    api, save, jp_root_dir
):
    first = save({"a.txt": "one", "b.txt": "b"})
    (jp_root_dir / "a.txt").write_text("never saved")
    (jp_root_dir / "b.txt").write_text("mine")
    route = f"snapshots/{first.id}/restore"
    body = {"in_place": True, "paths": ["a.txt"], "policy": "overwrite"}
    plan = await api("POST", route, json_body={**body, "dry_run": True})
    assert plan.code == 200, plan.body
    plan = json.loads(plan.body)
    request_validator("RestorePlan").validate(plan)
    assert (plan["replaced"], plan["removed"]) == (1, 0)
    assert (jp_root_dir / "a.txt").read_text() == "never saved"
    record = await finished(api, await api("POST", route, json_body=body))
    assert (record["state"], record["files_done"]) == ("done", 1)
    assert (jp_root_dir / "a.txt").read_text() == "one"
    assert (jp_root_dir / "b.txt").read_text() == "mine"
    before = await api("GET", f"snapshots/{record['undo']}/files/a.txt")
    assert before.body == b"never saved"


async def test_a_restore_that_makes_no_sense_is_refused(api, save, jp_root_dir):
    save({"a.txt": "one"})
    for body in (
        {},
        {"in_place": False},
        {"in_place": True, "target": "x"},
        {"target": "x", "dry_run": True},
        {"target": "x", "exact": True},
        {"in_place": True, "policy": "ask"},
        {"in_place": True, "paths": ["../x"]},
    ):
        response = await api("POST", "snapshots/latest/restore", json_body=body)
        assert response.code == 400, body
    assert os.listdir(jp_root_dir) == ["a.txt"]
