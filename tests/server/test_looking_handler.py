"""Previews and searches over HTTP."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_storage.server.document import request_validator


def lines(response):
    return [json.loads(line) for line in response.body.splitlines()]


@pytest.fixture
def tree(tier):
    for path in ("a/report.csv", "a/b/Report 2.csv", "c/other.txt"):
        (tier / path).parent.mkdir(parents=True, exist_ok=True)
        (tier / path).write_text("a,b\n1,2\n")
    return tier


async def test_a_preview_is_json_whatever_is_in_the_file(api, tree):
    (tree / "a" / "<b>é.html").write_text("<script>alert(1)</script>")
    response = await api("GET", "previews/shared/a/%3Cb%3E%C3%A9.html")
    assert response.headers["Content-Type"].startswith("application/json")
    seen = json.loads(response.body)
    assert seen["entry"]["path"] == "shared:a/<b>é.html"
    assert (seen["kind"], seen["text"]) == ("text", "<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("previews/shared/none", 404),
        ("previews/none/a", 404),
        ("previews/shared/%2e%2e/x", 400),
        ("search/shared/none?match=x", 404),
        ("search/shared/a?match=", 400),
        ("search/shared/a", 400),
        (f"search/shared/a?match={'x' * 1001}", 400),
        ("search/shared/a?match=x&limit=0", 400),
    ],
)
async def test_what_cannot_be_shown_says_why(api, tree, path, status):
    response = await api("GET", path)
    assert response.code == status
    body = json.loads(response.body)
    request_validator("Error").validate(body)
    assert body["message"]


@pytest.mark.parametrize("path", ["previews/shared/a/report.csv", "search/shared/?match=x"])
async def test_nobody_looks_without_a_token(api, tree, path):
    assert (await api("GET", path, token=False)).code == 403


async def test_a_search_finds_names_below_a_folder(api, tree):
    found = lines(await api("GET", "search/shared/", query={"match": "report"}))
    for step in found:
        request_validator("Finding").validate(step)
    paths = [entry["path"] for step in found for entry in step["entries"]]
    assert paths == ["shared:a/b/Report 2.csv", "shared:a/report.csv"]
    assert found[-1]["done"]
    assert found[-1]["complete"]
    below = lines(await api("GET", "search/shared/a/b", query={"match": "*.csv"}))
    assert [entry["name"] for entry in below[-1]["entries"]] == ["Report 2.csv"]


async def test_a_search_whose_client_goes_away_ends(api, tree, extension, port, monkeypatch):
    """Nobody pays for the listings of a search that was cancelled."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    find = extension.service.find

    def endless(path, matching, *, limit):
        try:
            while True:
                yield from find(path, matching, limit=limit)
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(extension.service, "find", endless)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    (name, value), *_ = api.headers.items()
    request = f"GET {api.base_url}jupyter-storage/api/v1/search/shared/?match=report HTTP/1.1"
    writer.write(f"{request}\r\nHost: localhost\r\n{name}: {value}\r\n\r\n".encode())
    assert b"200" in await reader.readline()
    await reader.readuntil(b"Report 2.csv")
    writer.close()
    await asyncio.wait_for(ended.wait(), 10)
