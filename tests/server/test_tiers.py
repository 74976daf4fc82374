from __future__ import annotations

import json

NAMES = ["local", "cluster", "user", "shared", "artifacts"]


async def test_the_five_tiers_are_listed_in_order(api):
    response = await api("GET", "tiers")
    assert response.code == 200
    tiers = json.loads(response.body)["tiers"]
    assert [tier["name"] for tier in tiers] == NAMES
    assert {tier["state"] for tier in tiers} == {"ok"}


async def test_one_tier_is_described(api, tmp_path):
    response = await api("GET", "tiers/shared")
    tier = json.loads(response.body)
    assert tier["path"] == str(tmp_path / "tiers" / "shared_storage")
    assert tier["lifetime"] == "until deleted by hand"


async def test_an_unknown_tier_is_not_found_and_the_known_are_named(api):
    response = await api("GET", "tiers/nope")
    assert response.code == 404
    error = json.loads(response.body)
    assert error["kind"] == "NotFound"
    assert "shared" in error["hint"]
