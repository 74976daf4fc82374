"""Buckets that are added while the server runs."""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from pathlib import Path

import pytest

from jupyter_storage.config import resolve


@pytest.fixture
def bucket(s3_bucket, monkeypatch):
    """A bucket whose endpoint and credentials only the form names."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("TEAM_KEY", os.environ["AWS_ACCESS_KEY_ID"])
    monkeypatch.setenv("TEAM_SECRET", os.environ["AWS_SECRET_ACCESS_KEY"])
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return {
        "uri": f"s3://{s3_bucket}/data",
        "options": {
            "endpoint_url": endpoint,
            "access_key_env": "TEAM_KEY",
            "secret_key_env": "TEAM_SECRET",
        },
    }


def added_file():
    return Path(os.environ["JUPYTER_CONFIG_DIR"]) / "jupyter_storage_tiers.json"


async def test_a_bucket_is_tried_added_used_and_taken_away(api, bucket):
    tried = json.loads((await api("PUT", "tiers/team", json_body={**bucket, "dry_run": True})).body)
    assert (tried["state"], tried["reason"]) == ("ok", None)
    assert (await api("GET", "tiers/team")).code == 404
    assert not added_file().exists()

    added = json.loads((await api("PUT", "tiers/team", json_body=bucket)).body)
    assert (added["state"], added["options"]) == ("ok", bucket["options"])
    assert (await api("PUT", "files/team/a.txt", body="content")).code == 200
    assert (await api("GET", "files/team/a.txt")).body == b"content"
    text = added_file().read_text()
    assert os.environ["TEAM_SECRET"] not in text
    assert "team" in json.loads(os.environ["JUPYTER_STORAGE_TIERS"])
    assert resolve(environ={}).added == {"team"}

    changed = {**bucket, "purpose": "What the team shares"}
    changed = json.loads((await api("PUT", "tiers/team", json_body=changed)).body)
    assert changed["purpose"] == "What the team shares"
    assert (await api("DELETE", "tiers/team")).code == 204
    assert (await api("GET", "tiers/team")).code == 404
    assert "team" not in json.loads(os.environ["JUPYTER_STORAGE_TIERS"])
    assert resolve(environ={}).added == set()
    assert (await api("PUT", "tiers/team", json_body=bucket)).code == 200
    assert (await api("GET", "files/team/a.txt")).body == b"content"


async def test_what_is_wrong_with_a_bucket_is_said_before_it_is_added(api, bucket):
    wrong = {**bucket, "options": {**bucket["options"], "secret_key_env": "NOT_THERE"}}
    tried = json.loads((await api("PUT", "tiers/team", json_body={**wrong, "dry_run": True})).body)
    assert tried["state"] != "ok"
    assert "NOT_THERE" in f"{tried['reason']} {tried['hint']}"


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("shared", {"uri": "s3://b"}, 409),
        ("9", {"uri": "s3://b"}, 400),
        ("team", {"uri": "file:///etc"}, 400),
        ("team", {"uri": "/etc"}, 400),
        ("team", {"uri": "s3://b", "options": {"secret": "x"}}, 400),
        ("team", {"uri": "s3://b", "options": {"access_key_env": "AKIA/abc+def"}}, 400),
        ("team", {"uri": "s3://b", "options": {"endpoint_url": "file:///etc/passwd"}}, 400),
    ],
)
async def test_what_cannot_be_a_tier_is_refused(api, name, body, status):
    assert (await api("PUT", f"tiers/{name}", json_body=body)).code == status
    assert not added_file().exists()


async def test_tiers_of_the_configuration_stay(api):
    assert (await api("DELETE", "tiers/shared")).code == 404
    assert (await api("GET", "tiers/shared")).code == 200


async def test_an_administrator_turns_it_off(api, service, monkeypatch):
    from dataclasses import replace

    service.settings = replace(service.settings, add_tiers=False)
    response = await api("PUT", "tiers/team", json_body={"uri": "s3://b"})
    assert response.code == 403
    assert (await api("DELETE", "tiers/team")).code == 403


async def test_a_link_is_made_works_and_is_logged_nowhere(api, bucket, caplog):
    caplog.set_level(logging.INFO)
    for name in ("StorageApp", "ServerApp", "jupyter_storage"):
        caplog.set_level(logging.DEBUG, name)
    await api("PUT", "tiers/team", json_body=bucket)
    await api("PUT", "files/team/a.txt", body="content")
    request = {"path": "team:a.txt", "expires": 900}
    response = await api("POST", "links", json_body=request)
    link = json.loads(response.body)
    assert link["expires"] == 900
    with urllib.request.urlopen(link["url"]) as answer:
        assert answer.read() == b"content"
    secret = link["url"].partition("Signature=")[2][:40]
    assert secret
    assert secret not in caplog.text
    assert (await api("POST", "links", json_body={**request, "expires": 604801})).code == 400
    missing = await api("POST", "links", json_body={**request, "path": "team:none"})
    assert missing.code == 404


async def test_a_directory_tier_says_why_it_has_no_links(api, tier):
    (tier / "a.txt").write_text("x")
    response = await api("POST", "links", json_body={"path": "shared:a.txt", "expires": 60})
    assert response.code == 501
    body = json.loads(response.body)
    assert "no links" in body["message"]
    assert "object store" in body["hint"]
