"""The same API over a tier on an S3 server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
import zlib
from dataclasses import replace

import pyarrow
import pytest
from pyarrow import parquet

from jupyter_storage.service import Service

SIZE = 9 * 2**20 + 5


@pytest.fixture(autouse=True)
def bucket(s3_bucket, environment, monkeypatch):
    """Let the artifacts lie in a bucket. This fixture comes before the server."""
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"s3://{s3_bucket}")
    return s3_bucket


async def names(api, path="files/artifacts/"):
    response = await api("GET", path)
    return [entry["name"] for entry in json.loads(response.body)["entries"]]


async def test_a_file_is_written_listed_read_renamed_and_deleted(api):
    content = os.urandom(SIZE)
    assert (await api("PUT", "files/artifacts/d/%C3%A9%20%2523.bin", body=content)).code == 200
    assert await names(api, "files/artifacts/d") == ["é %23.bin"]
    whole = await api("GET", "files/artifacts/d/%C3%A9%20%2523.bin")
    assert whole.body == content
    part = await api(
        "GET", "files/artifacts/d/%C3%A9%20%2523.bin", headers={"Range": f"bytes={SIZE - 9}-"}
    )
    assert (part.code, part.body) == (206, content[-9:])
    again = await api(
        "GET",
        "files/artifacts/d/%C3%A9%20%2523.bin",
        headers={"If-None-Match": whole.headers["ETag"]},
    )
    assert again.code == 304
    action = {"action": "rename", "to": "artifacts:d/b.bin"}
    assert (await api("POST", "files/artifacts/d/%C3%A9%20%2523.bin", json_body=action)).code == 200
    assert (await api("DELETE", "files/artifacts/d?recursive=1")).code == 204
    assert (await api("GET", "files/artifacts/d/b.bin")).code == 404


async def test_an_existing_object_is_not_replaced_unasked(api):
    await api("PUT", "files/artifacts/a", body=b"first")
    response = await api("PUT", "files/artifacts/a", body=b"x", headers={"If-None-Match": "*"})
    assert response.code == 409
    assert (await api("GET", "files/artifacts/a")).body == b"first"


async def test_a_cut_upload_leaves_no_object(api, port, extension):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join(
        [
            f"PUT {api.base_url}jupyter-storage/api/v1/files/artifacts/half HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Authorization: {api.headers['Authorization']}",
            f"Content-Length: {100 * 2**20}",
        ]
    )
    writer.write(f"{head}\r\n\r\n".encode())
    writer.write(bytes(20 * 2**20))
    await writer.drain()
    assert extension.receivers
    writer.transport.abort()
    while extension.receivers:
        await asyncio.sleep(0.02)
    assert await names(api) == []


async def test_an_upload_in_pieces_is_published_to_the_bucket(api):
    content = os.urandom(SIZE)
    response = await api("POST", "uploads", json_body={"path": "artifacts:up/a.bin", "size": SIZE})
    identifier = json.loads(response.body)["id"]
    for start in range(0, SIZE, 2**22):
        piece = content[start : start + 2**22]
        headers = {"Upload-Offset": str(start), "Upload-Checksum": f"crc32 {zlib.crc32(piece):08x}"}
        response = await api("PATCH", f"uploads/{identifier}", body=piece, headers=headers)
        assert response.code == 204
    assert await names(api) == []
    entry = json.loads((await api("POST", f"uploads/{identifier}/commit", body=b"")).body)
    assert (entry["path"], entry["size"]) == ("artifacts:up/a.bin", SIZE)
    assert (await api("GET", "files/artifacts/up/a.bin")).body == content


async def test_many_small_files_arrive_in_one_request(api):
    files = {f"artifacts:many/{i % 3}/{i}.txt": b"%d" % i for i in range(60)}
    head = [
        {"path": path, "size": len(content), "crc32": f"{zlib.crc32(content):08x}"}
        for path, content in files.items()
    ]
    body = json.dumps({"files": head}).encode() + b"\n" + b"".join(files.values())
    for _ in range(2):
        response = await api("POST", "uploads/batch", body=body)
        assert json.loads(response.body) == {"failures": []}
    names_ = [name for i in range(3) for name in await names(api, f"files/artifacts/many/{i}")]
    assert sorted(names_) == sorted(f"{i}.txt" for i in range(60))
    assert (await api("GET", "files/artifacts/many/2/59.txt")).body == b"59"
    asked = {"directory": "artifacts:many", "paths": [*files, "artifacts:many/0/new"]}
    answer = await api("POST", "uploads/in-the-way", json_body=asked)
    assert len(json.loads(answer.body)["existing"]) == 60


async def test_a_folder_of_objects_comes_as_a_zip(api):
    for name in ("a.txt", "sub/b.txt"):
        await api("PUT", f"files/artifacts/z/{name}", body=name.encode())
    await api("PUT", "files/artifacts/z2", body=b"not in it")
    ticket = json.loads((await api("POST", "archive", json_body={"paths": ["artifacts:z"]})).body)
    response = await api("GET", f"archive/{ticket['id']}")
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert archive.read("z/sub/b.txt") == b"sub/b.txt"
        assert not any("z2" in name for name in archive.namelist())


async def test_pages_of_a_bucket_give_every_entry_once(api):
    await asyncio.gather(*(api("PUT", f"files/artifacts/p/{i:03}", body=b"x") for i in range(25)))
    seen, query = [], {"limit": 10}
    while True:
        body = json.loads((await api("GET", "files/artifacts/p", query=query)).body)
        seen += [entry["name"] for entry in body["entries"]]
        if body["cursor"] is None:
            break
        query = {"limit": 10, "cursor": body["cursor"]}
    assert seen == [f"{i:03}" for i in range(25)]


@pytest.mark.slow
async def test_an_endpoint_that_is_gone_is_told_without_secrets(api, monkeypatch):
    tier = {
        "uri": "s3://elsewhere/x",
        "options": {"endpoint_url": "http://user:hunter2@127.0.0.1:9", "region": "us-east-1"},
    }
    # A second service with such a tier, as if it had been configured.
    extension_service = api.extension.service
    settings = replace(extension_service.settings, tiers={"gone": tier}, check_timeout=2.0)
    service = Service(settings)
    monkeypatch.setattr(api.extension, "_service", service)
    for path in ("files/gone/", "tiers/gone"):
        response = await api("GET", path)
        assert response.code in {200, 403, 502, 503}
        assert b"hunter2" not in response.body
        body = json.loads(response.body)
        assert body.get("hint")
    await asyncio.to_thread(service.close)
    monkeypatch.setattr(api.extension, "_service", extension_service)


async def test_a_bucket_is_searched_with_the_folders_that_it_only_implies(api):
    for key in ("runs/report-1/a.txt", "runs/b/report.csv", "other.txt"):
        assert (await api("PUT", f"files/artifacts/{key}", body=b"x")).code == 200
    response = await api("GET", "search/artifacts/", query={"match": "report"})
    steps = [json.loads(line) for line in response.body.splitlines()]
    found = {entry["path"]: entry["type"] for step in steps for entry in step["entries"]}
    assert found == {
        "artifacts:runs/report-1": "directory",
        "artifacts:runs/b/report.csv": "file",
    }
    assert steps[-1]["complete"]


async def test_a_preview_of_an_object_tells_what_the_service_knows_of_it(api):
    sink = io.BytesIO()
    table = pyarrow.table({"n": list(range(2_000_000))})
    parquet.write_table(table, sink, use_dictionary=False, compression="none")
    await api("PUT", "files/artifacts/data/n.parquet", body=sink.getvalue())
    seen = json.loads((await api("GET", "previews/artifacts/data/n.parquet")).body)
    assert seen["row_count"] == 2_000_000
    assert seen["rows"][:2] == [["0"], ["1"]]
    assert seen["details"]["storage_class"] == "STANDARD"
    assert seen["details"]["etag"]
    folder = json.loads((await api("GET", "previews/artifacts/data")).body)
    assert (folder["kind"], folder["details"]) == ("none", {})
