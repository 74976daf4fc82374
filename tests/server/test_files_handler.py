from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from email.utils import formatdate
from urllib.parse import quote

import pytest

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def file(tier):
    path = tier / "data" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def error_of(response):
    return json.loads(response.body)


# Listings


async def test_a_directory_is_listed_with_directories_first(api, tier):
    (tier / "b").mkdir()
    (tier / "a.txt").write_text("a")
    body = json.loads((await api("GET", "files/shared/")).body)
    assert body["entry"] | {"modified": None} == {
        "path": "shared:",
        "name": "shared",
        "type": "directory",
        "size": None,
        "modified": None,
        "checksum": None,
        "link": None,
    }
    assert [(e["path"], e["type"]) for e in body["entries"]] == [
        ("shared:b", "directory"),
        ("shared:a.txt", "file"),
    ]
    assert body["cursor"] is None
    assert json.loads((await api("GET", "files/shared")).body) == body


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["name", "size", "modified"])
async def test_pages_give_every_entry_once_in_any_order(api, tier, sort, order):
    names = {f"{i:02} %2F#?+é\x01\n {i}.txt" for i in range(23)}
    for i, name in enumerate(names):
        (tier / name).write_bytes(b"x" * i)
    seen, cursor = [], None
    while True:
        query = {"limit": 5, "sort": sort, "order": order} | ({"cursor": cursor} if cursor else {})
        body = json.loads((await api("GET", "files/shared/", query=query)).body)
        seen += body["entries"]
        cursor = body["cursor"]
        if cursor is None:
            break
    assert len(seen) == 23
    assert {entry["name"] for entry in seen} == names
    if sort == "size":
        sizes = [entry["size"] for entry in seen]
        assert sizes == sorted(sizes, reverse=order == "desc")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=5001",
        "limit=-1",
        "limit=x",
        "limit=1e3",
        "sort=colour",
        "order=up",
        "cursor=%25%25",
        "cursor=abcde",
        "cursor=_w==",
    ],
)
async def test_a_wrong_query_is_refused(api, tier, query):
    response = await api("GET", f"files/shared/?{query}")
    assert response.code == 400
    assert error_of(response)["kind"] == "InvalidRequest"


async def test_an_entry_alone_is_given_of_files_and_directories(api, file):
    entry = json.loads((await api("GET", "files/shared/data/a.bin?as=entry")).body)
    assert (entry["path"], entry["size"]) == ("shared:data/a.bin", len(CONTENT))
    entry = json.loads((await api("GET", "files/shared/data?as=entry")).body)
    assert entry["type"] == "directory"


# Reading


async def test_a_file_comes_as_an_attachment_that_cannot_act(api, tier):
    (tier / "evil.html").write_text("<script>alert(1)</script>")
    response = await api("GET", "files/shared/evil.html")
    assert response.body == b"<script>alert(1)</script>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_an_empty_file_is_sent(api, tier):
    (tier / "empty").touch()
    response = await api("GET", "files/shared/empty")
    assert (response.code, response.body) == (200, b"")
    assert response.headers["Content-Length"] == "0"
    assert response.headers["ETag"] == (await api("HEAD", "files/shared/empty")).headers["ETag"]


async def test_a_large_file_is_sent_whole(api, tier):
    content = os.urandom(1 << 20) * 21 + b"end"
    (tier / "large").write_bytes(content)
    response = await api("GET", "files/shared/large")
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=5-9", (5, 9)),
        ("bytes=10000-", (10000, 10239)),
        ("bytes=10000-99999", (10000, 10239)),
        ("bytes=-5", (10235, 10239)),
        ("bytes=-99999", (0, 10239)),
        ("BYTES = 1 - 2", (1, 2)),
    ],
)
async def test_a_range_is_sent(api, file, header, span):
    response = await api("GET", "files/shared/data/a.bin", headers={"Range": header})
    assert response.code == 206
    first, last = span
    assert response.body == CONTENT[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/10240"


@pytest.mark.parametrize("header", ["bytes=9-5", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "junk"])
async def test_a_range_that_is_not_understood_is_ignored(api, file, header):
    response = await api("GET", "files/shared/data/a.bin", headers={"Range": header})
    assert (response.code, response.body) == (200, CONTENT)


@pytest.mark.parametrize("header", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
async def test_a_range_beyond_the_end_is_refused_with_the_size(api, file, header):
    response = await api("GET", "files/shared/data/a.bin", headers={"Range": header})
    assert response.code == 416
    assert response.headers["Content-Range"] == "bytes */10240"
    assert error_of(response)["path"] == "shared:data/a.bin"


async def test_a_known_file_is_not_sent_again(api, file):
    first = await api("GET", "files/shared/data/a.bin")
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for headers in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"x", W/{etag}'},
        {"If-Modified-Since": modified},
        {"If-None-Match": etag, "Range": "bytes=0-5"},
    ):
        response = await api("GET", "files/shared/data/a.bin", headers=headers)
        assert (response.code, response.body) == (304, b"")
    old = formatdate(0, usegmt=True)
    for headers in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": old},
        {"If-Modified-Since": "yesterday"},
    ):
        response = await api("GET", "files/shared/data/a.bin", headers=headers)
        assert (response.code, response.body) == (200, CONTENT)


async def test_a_range_of_a_changed_file_gives_the_whole(api, file):
    first = await api("HEAD", "files/shared/data/a.bin")
    headers = {"Range": "bytes=1-2", "If-Range": first.headers["ETag"]}
    assert (await api("GET", "files/shared/data/a.bin", headers=headers)).code == 206
    file.write_bytes(b"other")
    response = await api("GET", "files/shared/data/a.bin", headers=headers)
    assert (response.code, response.body) == (200, b"other")


async def test_head_says_what_get_would(api, file):
    head = await api("HEAD", "files/shared/data/a.bin")
    get = await api("GET", "files/shared/data/a.bin")
    assert (head.code, head.body) == (200, b"")
    for name in ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"):
        assert head.headers[name] == get.headers[name]
    assert (await api("HEAD", "files/shared/data")).code == 200
    assert (await api("HEAD", "files/shared/none")).code == 404


@pytest.mark.parametrize("name", ['q"uo\\te.txt', "naïve ☃.txt", "a\nb\r.txt", "<img onerror>.txt"])
async def test_any_name_survives_a_download(api, tier, name):
    (tier / name).write_text("x")
    response = await api("GET", f"files/shared/{quote(name)}")
    assert response.body == b"x"
    disposition = response.headers["Content-Disposition"]
    assert disposition.endswith(f"filename*=UTF-8''{quote(name, safe='')}")
    plain = disposition.split('filename="')[1].split('"')[0]
    assert len(plain) == len(name)
    assert plain.isascii()


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "data/..%2f..%2fsecret",
        "data/../../secret",
        "nul%00",
        ".",
        "data//x",
        "data/%2e/x",
        "%2F%2Fhost/x/..",
    ],
)
async def test_a_path_that_could_leave_the_tier_is_refused(api, tier, path):
    (tier.parent / "secret").write_text("secret")
    for method in ("GET", "DELETE"):
        response = await api(method, f"files/shared/{path}")
        assert response.code == 400, response.body
        assert error_of(response)["kind"] == "InvalidPath"
    put = await api("PUT", f"files/shared/{path}", body=b"x")
    assert put.code == 400
    assert (tier.parent / "secret").read_text() == "secret"


async def test_a_path_is_decoded_exactly_once(api, tier):
    (tier / "%2e%2e").mkdir()
    (tier / "%2e%2e" / "x%2Fy").write_text("right")
    response = await api("GET", "files/shared/%252e%252e/x%252Fy")
    assert response.body == b"right"
    (tier / "back\\..\\slash").write_text("one name")
    assert (await api("GET", "files/shared/back%5C..%5Cslash")).body == b"one name"


async def test_a_link_out_of_the_tier_is_not_followed(api, tier):
    (tier.parent / "secret").write_text("secret")
    (tier / "out").symlink_to("../secret")
    (tier / "up").symlink_to("..")
    assert (await api("GET", "files/shared/out")).code == 400
    assert (await api("GET", "files/shared/up/secret")).code == 400


@pytest.mark.parametrize("name", ["s3", "file", "http", "nope", "shared:x", "..", "%2E%2E"])
async def test_only_tiers_are_roots(api, tier, name):
    for path in (f"files/{name}/%2F%2F127.0.0.1%2Fx", f"files/{quote(name)}/etc/passwd"):
        response = await api("GET", path)
        assert response.code == 404
        assert b"root:" not in response.body


async def test_a_missing_file_is_named_with_a_way_out(api, tier):
    response = await api("GET", "files/shared/dir/none.txt")
    assert response.code == 404
    error = error_of(response)
    assert error["kind"] == "NotFound"
    assert error["path"] == "shared:dir/none.txt"
    assert error["hint"]


# Writing


async def test_a_file_is_written_and_its_directories_made(api, tier):
    content = os.urandom(3_000_001)
    response = await api("PUT", "files/shared/new/dir/f%20%C3%A9.bin", body=content)
    assert response.code == 200
    entry = json.loads(response.body)
    assert (entry["path"], entry["size"]) == ("shared:new/dir/f é.bin", len(content))
    assert (tier / "new/dir/f é.bin").read_bytes() == content


async def test_an_empty_file_is_written(api, tier):
    response = await api("PUT", "files/shared/empty", body=b"")
    assert response.code == 200
    assert (tier / "empty").read_bytes() == b""


async def test_a_file_is_replaced_only_if_that_is_allowed(api, file):
    refused = await api(
        "PUT", "files/shared/data/a.bin", body=b"new", headers={"If-None-Match": "*"}
    )
    assert refused.code == 409
    assert error_of(refused)["kind"] == "AlreadyExists"
    assert file.read_bytes() == CONTENT
    assert (await api("PUT", "files/shared/data/a.bin", body=b"new")).code == 200
    assert file.read_bytes() == b"new"


async def test_a_refused_upload_of_many_bytes_still_reads_the_reason(api, file):
    response = await api(
        "PUT",
        "files/shared/data/a.bin",
        body=bytes(20_000_000),
        headers={"If-None-Match": "*"},
    )
    assert response.code == 409
    assert error_of(response)["path"] == "shared:data/a.bin"


async def test_a_directory_is_no_target_of_a_file(api, file):
    assert (await api("PUT", "files/shared/data", body=b"x")).code == 400
    assert (await api("PUT", "files/shared/", body=b"x")).code == 400


async def test_a_file_is_deleted(api, file):
    assert (await api("DELETE", "files/shared/data/a.bin")).code == 204
    assert not file.exists()
    assert (await api("DELETE", "files/shared/data/a.bin")).code == 404


async def test_a_directory_is_deleted_only_when_asked_and_its_neighbour_stays(api, file, tier):
    (tier / "data2").mkdir()
    assert (await api("DELETE", "files/shared/data")).code == 400
    assert (await api("DELETE", "files/shared/data?recursive=maybe")).code == 400
    assert file.exists()
    assert (await api("DELETE", "files/shared/data?recursive=1&permanent=1")).code == 204
    assert [path.name for path in tier.iterdir()] == ["data2"]


async def test_the_root_of_a_tier_is_never_deleted(api, file):
    response = await api("DELETE", "files/shared/?recursive=1&force=1")
    assert response.code == 400
    assert file.exists()


async def test_a_directory_is_made(api, tier):
    response = await api("POST", "files/shared/a/b", json_body={"action": "mkdir"})
    assert json.loads(response.body)["type"] == "directory"
    assert (tier / "a/b").is_dir()


async def test_something_is_renamed_inside_its_tier(api, file, tier):
    action = {"action": "rename", "to": "shared:data/ü b.bin"}
    response = await api("POST", "files/shared/data/a.bin", json_body=action)
    assert json.loads(response.body)["path"] == "shared:data/ü b.bin"
    assert (tier / "data/ü b.bin").read_bytes() == CONTENT
    action = {"action": "rename", "to": "local:data"}
    assert (await api("POST", "files/shared/data", json_body=action)).code == 400
    action = {"action": "rename", "to": "shared:../out"}
    assert (await api("POST", "files/shared/data", json_body=action)).code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"mkdir"',
        b"{}",
        b'{"action": "explode"}',
        b'{"action": "rename"}',
        b'{"action": "rename", "to": 5}',
        b'{"action": "rename", "to": "/etc/passwd"}',
        b'{"action": "mkdir", "extra": 1}',
        b"\xff",
        b"[" * 100_000,
    ],
)
async def test_a_wrong_body_is_refused(api, tier, body):
    response = await api("POST", "files/shared/x", body=body)
    assert response.code == 400
    assert error_of(response)["kind"] == "InvalidRequest"
    assert not (tier / "x").exists()


async def test_a_body_of_json_is_limited(api, tier):
    response = await api("POST", "files/shared/x", body=b" " * 3_000_000)
    assert response.code in {400, 599}
    assert not (tier / "x").exists()


async def test_the_service_is_never_called_on_the_event_loop(api, service, tier):
    threads = []
    stat = service.stat

    def noting(path):
        threads.append(threading.current_thread())
        return stat(path)

    service.stat = noting
    await api("GET", "files/shared/")
    assert threads
    assert threading.main_thread() not in threads


async def test_a_slow_tier_does_not_hold_up_another(api, extension, tier, monkeypatch):
    list_ = extension.service.list

    def slow(path, **options):
        if path.startswith("user:"):
            time.sleep(1.5)
        return list_(path, **options)

    monkeypatch.setattr(extension.service, "list", slow)
    hanging = [asyncio.ensure_future(api("GET", "files/user/")) for _ in range(8)]
    await asyncio.sleep(0.1)
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        assert (await api("GET", "files/shared/")).code == 200
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.2
    assert not any(task.done() for task in hanging)
    assert {response.code for response in await asyncio.gather(*hanging)} == {200}
