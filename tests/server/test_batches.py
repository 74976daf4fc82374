"""Many small files in one request, and what is in the way of an upload."""

from __future__ import annotations

import json
import os
import zlib
from datetime import datetime, timezone

import pytest

from jupyter_storage.server.batches import LARGEST

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def batch(files, **head):
    """Write the body of a batch; a content of None is a directory."""
    described = []
    for path, content in files.items():
        file = {"path": path, "modified": "2026-01-01T12:00:00Z"}
        if content is not None:
            file |= {"size": len(content), "crc32": f"{zlib.crc32(content):08x}"}
        described.append(file)
    line = json.dumps({"files": described, **head}).encode()
    return line + b"\n" + b"".join(content or b"" for content in files.values())


@pytest.fixture
def send(api):
    async def send(body):
        response = await api("POST", "uploads/batch", body=body)
        assert response.code == 200, response.body
        return json.loads(response.body)["failures"]

    return send


async def test_files_and_folders_arrive_with_their_times(send, tier):
    files = {f"shared:d/{i % 7}/{i}.txt": os.urandom(i) for i in range(300)}
    assert await send(batch({**files, "shared:empty/inner": None})) == []
    for path, content in files.items():
        arrived = tier / path.removeprefix("shared:")
        assert arrived.read_bytes() == content
        assert arrived.stat().st_mtime == NOON.timestamp()
    assert list((tier / "empty" / "inner").iterdir()) == []


async def test_a_file_that_arrives_damaged_is_refused_and_the_others_are_written(send, tier):
    body = batch({"shared:a": b"aaaa", "shared:b": b"bbbb"}).replace(b"aaaa", b"aXaa")
    (failure,) = await send(body)
    assert (failure["index"], failure["status"], failure["path"]) == (0, 422, "shared:a")
    assert not (tier / "a").exists()
    assert (tier / "b").read_bytes() == b"bbbb"


async def test_a_batch_can_be_sent_again(send, tier):
    body = batch({"shared:a": b"a", "shared:b": b"b"})
    assert await send(body) == []
    assert await send(body) == []
    assert sorted(path.name for path in tier.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("policy", "age", "replaced"),
    [
        ("fail", -1, False),
        ("skip", -1, False),
        ("newer", -1, True),
        ("newer", 1, False),
        ("overwrite", 1, True),
    ],
)
async def test_what_exists_is_replaced_only_where_that_was_asked_for(
    send, tier, policy, age, replaced
):
    (tier / "a").write_bytes(b"old!")
    os.utime(tier / "a", (NOON.timestamp() + age,) * 2)
    failures = await send(batch({"shared:a": b"new"}, conflict=policy))
    assert [failure["kind"] for failure in failures] == [] if replaced else ["AlreadyExists"]
    assert (tier / "a").read_bytes() == (b"new" if replaced else b"old!")


async def test_nothing_leaves_the_tier(send, tier, tmp_path):
    (tier / "out").symlink_to(tmp_path)
    files = {"shared:../x": b"x", "shared:out/x": b"x", "shared:": b"x", "shared:d/": b"x"}
    assert len(await send(batch(files))) == 4
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}\n",
        b'{"files": [{"path": "shared:a", "size": 1}]}\nx',
        b'{"files": [{"path": "shared:a", "size": 2, "crc32": "00000000"}]}\nx',
        b'{"files": [{"path": "s3://bucket/a"}]}\n',
        b'{"files": [{"path": "none:a"}]}\n',
    ],
)
async def test_a_body_that_is_no_batch_is_refused_whole(api, tier, body):
    response = await api("POST", "uploads/batch", body=body)
    assert response.code in {400, 404}
    assert json.loads(response.body)["hint"]
    assert list(tier.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "shared:a", "size": 1},
        {"path": "shared:a", "size": "1", "crc32": "00000000"},
        {"path": "shared:a", "colour": "red"},
        {"size": 1},
    ],
)
async def test_a_long_list_is_checked_as_a_short_one_is(api, tier, wrong):
    """It is looked at by another program first, which is quicker."""
    refused = []
    for count in (1, 2000):
        files = [*({"path": f"shared:folder/{number}"} for number in range(count)), wrong]
        body = json.dumps({"files": files}).encode() + b"\n"
        response = await api("POST", "uploads/batch", body=body)
        assert response.code == 400
        refused.append(json.loads(response.body)["message"].replace(f"files.{count}", "files.N"))
    assert refused[0] == refused[1]
    assert list(tier.iterdir()) == []


async def test_a_batch_is_bounded(api, tier):
    body = batch({"shared:a": bytes(LARGEST)})
    response = await api("POST", "uploads/batch", body=body)
    assert response.code == 400
    assert b"fewer files" in response.body
    assert list(tier.iterdir()) == []


async def test_what_is_in_the_way_is_told_before_a_byte_is_sent(api, tier):
    (tier / "d").mkdir()
    for name in ("a.txt", "a (2).txt", "same.txt"):
        (tier / "d" / name).write_text("old")
    paths = ["shared:d/a.txt", "shared:d/a (3).txt", "shared:d/new.txt", "shared:d", "shared:n/x"]
    body = {"directory": "shared:", "paths": paths}
    answer = json.loads((await api("POST", "uploads/in-the-way", json_body=body)).body)
    found = {each["path"]: each for each in answer["existing"]}
    assert list(found) == ["shared:d/a.txt", "shared:d"]
    assert found["shared:d/a.txt"]["entry"]["size"] == 3
    # Neither a file that is there, nor one that this upload brings.
    assert found["shared:d/a.txt"]["free"] == "shared:d/a (4).txt"
    assert found["shared:d"]["entry"]["type"] == "directory"
