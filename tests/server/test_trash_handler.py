from __future__ import annotations

import asyncio
import json


def decoded(response):
    return json.loads(response.body)


async def ended(api, response):
    assert response.code == 202, response.body
    identifier = decoded(response)["id"]
    for _ in range(200):
        record = decoded(await api("GET", f"transfers/{identifier}"))
        if record["finished"]:
            return record
        await asyncio.sleep(0.05)
    raise AssertionError(record)


async def test_a_deletion_is_weighed_done_and_undone(api, tier):
    (tier / "d").mkdir()
    (tier / "d" / "a.txt").write_text("12345")
    request = {"operation": "delete", "sources": ["shared:d"]}
    plan = decoded(await api("POST", "transfers", json_body={**request, "dry_run": True}))
    assert plan == {
        "files": 1,
        "bytes": 5,
        "complete": True,
        "undoable": True,
        "reason": "",
        "days": 30.0,
    }
    assert (tier / "d").exists()
    record = await ended(api, await api("POST", "transfers", json_body={**request, "trash": True}))
    assert record["state"] == "done"
    assert not (tier / "d").exists()
    (listed,) = decoded(await api("GET", "trash"))["trash"]
    assert record["trashed"] == [f"shared:{listed['id']}"]
    assert decoded(await api("GET", "trash?tier=local"))["trash"] == []
    await ended(api, await api("POST", f"trash/shared/{listed['id']}", json_body={}))
    assert (tier / "d" / "a.txt").read_text() == "12345"


async def test_what_is_deleted_by_its_path_comes_back_from_the_trash(api, tier):
    (tier / "d").mkdir()
    (tier / "d" / "a.txt").write_text("12345")
    assert (await api("DELETE", "files/shared/d")).code == 400
    assert (await api("DELETE", "files/shared/d?recursive=1")).code == 204
    assert not (tier / "d").exists()
    (listed,) = decoded(await api("GET", "trash?tier=shared"))["trash"]
    assert (listed["paths"], listed["files"], listed["bytes"]) == (["shared:d"], 1, 5)
    await ended(api, await api("POST", f"trash/shared/{listed['id']}", json_body={}))
    assert (tier / "d" / "a.txt").read_text() == "12345"


async def test_what_is_deleted_for_good_is_in_no_trash(api, tier):
    (tier / "d").mkdir()
    (tier / "d" / "a.txt").write_text("12345")
    assert (await api("DELETE", "files/shared/d/a.txt?permanent=1")).code == 204
    assert (await api("DELETE", "files/shared/d?recursive=1&permanent=1")).code == 204
    assert decoded(await api("GET", "trash"))["trash"] == []
    assert list(tier.iterdir()) == []


async def test_the_trash_is_emptied_one_or_all(api, tier):
    for name in ("a", "b"):
        (tier / name).write_text(name)
        request = {"operation": "delete", "sources": [f"shared:{name}"], "trash": True}
        await ended(api, await api("POST", "transfers", json_body=request))
    listed = decoded(await api("GET", "trash"))["trash"]
    await ended(api, await api("DELETE", f"trash/shared/{listed[0]['id']}"))
    assert len(decoded(await api("GET", "trash"))["trash"]) == 1
    await ended(api, await api("DELETE", "trash"))
    assert decoded(await api("GET", "trash"))["trash"] == []


async def test_ids_that_are_none_reach_no_file(api, tier):
    (tier / "a").write_text("a")
    for wrong in ("..%2F..%2Fa", "20261121T174500Z-1a2b3c4d", "a"):
        response = await api("POST", f"trash/shared/{wrong}", json_body={})
        assert response.code == 404, wrong
        assert json.loads(response.body)["kind"] == "NotFound"
    record = await ended(api, await api("DELETE", "trash/shared/..%2Fa"))
    assert record["state"] == "failed"
    assert (tier / "a").exists()
