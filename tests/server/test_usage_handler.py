from __future__ import annotations

import asyncio
import json


async def test_a_tier_is_counted_in_the_background(api, tier):
    (tier / "a.txt").write_text("12345")
    before = json.loads((await api("GET", "usage/shared")).body)
    assert (before["state"], before["files"]) == ("none", 0)
    response = await api("POST", "usage/shared", json_body={})
    assert response.code == 202
    for _ in range(200):
        report = json.loads((await api("GET", "usage/shared")).body)
        if report["state"] != "counting":
            break
        await asyncio.sleep(0.05)
    assert (report["state"], report["files"], report["bytes"]) == ("done", 1, 5)
    assert report["largest"][0]["path"] == "shared:a.txt"
    cancelled = json.loads((await api("DELETE", "usage/shared")).body)
    assert cancelled["state"] == "done"
    assert (await api("GET", "usage/none")).code == 404
