"""Bodies in both directions over real sockets: slow, cut and failing ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
import zlib
from contextlib import contextmanager

import pytest

from jupyter_storage.errors import NoSpace, Unreachable
from jupyter_storage.server import receiving
from jupyter_storage.server.app import BASE
from jupyter_storage.server.receiving import PIECE


class Connection:
    """A client's end of a connection, on which a test does what it wants."""

    def __init__(self, reader, writer, api, port):
        self.reader, self.writer = reader, writer
        self._api, self._port = api, port

    def send_head(self, method, path, headers=None):
        lines = [
            f"{method} {self._api.base_url.rstrip('/')}{BASE}{path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            *(f"{k}: {v}" for k, v in {**self._api.headers, **(headers or {})}.items()),
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())

    async def read_head(self):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in lines if line)

    async def close(self):
        self.writer.transport.abort()


@pytest.fixture
def connect(api, port, jp_asyncio_loop):
    opened = []

    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
        opened.append(Connection(reader, writer, api, port))
        return opened[-1]

    yield connect

    async def close():
        for connection in opened:
            await connection.close()

    jp_asyncio_loop.run_until_complete(close())


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


# Out


class Source:
    """Pieces without end that count how many were taken."""

    def __init__(self, fail_after=None, pieces=10**9):
        self.taken, self.closed = 0, threading.Event()
        self._fail_after, self._pieces = fail_after, pieces

    def stream(self):
        try:
            for _ in range(self._pieces):
                if self.taken == self._fail_after:
                    raise Unreachable("The bucket went away, token=hunter2", path="shared:large")
                self.taken += 1
                yield bytes(PIECE)
        finally:
            self.closed.set()


@pytest.fixture
def serve(service, tier, monkeypatch):
    """Let the file 'large' come from a source."""
    with (tier / "large").open("wb") as file:
        file.truncate(200 * PIECE)

    def serve(source):
        @contextmanager
        def opened(path, *, offset, length):
            yield source.stream()

        monkeypatch.setattr(service, "open", opened)
        return source

    return serve


async def test_a_slow_client_is_waited_for(connect, serve):
    source = serve(Source())
    connection = await connect()
    connection.send_head("GET", "files/shared/large")
    await connection.read_head()
    await asyncio.sleep(0.5)
    # What fits into the sockets' buffers, and one piece ahead; not the 200 MiB.
    assert source.taken < 20
    taken = source.taken
    await asyncio.sleep(0.3)
    assert source.taken == taken
    received = 0
    while received < 50 * PIECE:
        received += len(await connection.reader.read(PIECE))
    assert source.taken > taken


async def test_a_client_that_goes_away_stops_the_reading(connect, serve):
    source = serve(Source())
    connection = await connect()
    connection.send_head("GET", "files/shared/large")
    await connection.read_head()
    await connection.close()
    await until(source.closed.is_set)
    assert source.taken < 30


async def test_a_stream_that_fails_midway_is_cut_short_visibly(connect, serve):
    serve(Source(fail_after=3))
    connection = await connect()
    connection.send_head("GET", "files/shared/large")
    status, headers = await connection.read_head()
    assert status == 200
    body = await asyncio.wait_for(connection.reader.read(-1), 10)
    assert len(body) == 3 * PIECE < int(headers["Content-Length"])


async def test_a_stream_that_ends_early_is_cut_short_visibly(connect, serve):
    serve(Source(pieces=2))
    connection = await connect()
    connection.send_head("GET", "files/shared/large")
    _, headers = await connection.read_head()
    body = await asyncio.wait_for(connection.reader.read(-1), 10)
    assert len(body) == 2 * PIECE < int(headers["Content-Length"])


async def test_a_stream_that_fails_at_once_is_an_error(api, serve):
    serve(Source(fail_after=0))
    response = await api("GET", "files/shared/large")
    assert response.code == 502
    assert b"The bucket went away" in response.body
    assert b"hunter2" not in response.body
    assert "Content-Range" not in response.headers


async def test_a_file_that_grows_is_sent_as_it_was(api, service, tier, monkeypatch):
    (tier / "log").write_text("line\n")
    stat = service.stat

    def growing(path):
        entry = stat(path)
        with (tier / "log").open("a") as file:
            file.write("more\n")
        return entry

    monkeypatch.setattr(service, "stat", growing)
    assert (await api("GET", "files/shared/log")).body == b"line\n"


# In


def visible(tier):
    return sorted(path.name for path in tier.iterdir())


async def test_a_cut_upload_leaves_nothing(connect, extension, tier):
    connection = await connect()
    connection.send_head("PUT", "files/shared/cut", {"Content-Length": str(10 * PIECE)})
    connection.writer.write(os.urandom(3 * PIECE))
    await connection.writer.drain()
    await until(lambda: extension.receivers)
    await connection.close()
    await until(lambda: not extension.receivers)
    assert visible(tier) == []


async def test_a_cut_upload_without_a_length_leaves_nothing(connect, extension, tier):
    connection = await connect()
    connection.send_head("PUT", "files/shared/cut", {"Transfer-Encoding": "chunked"})
    connection.writer.write(b"5\r\nhello\r\n")
    await connection.writer.drain()
    await until(lambda: extension.receivers)
    connection.writer.write(b"zzz\r\n")
    await until(lambda: not extension.receivers)
    assert visible(tier) == []


async def test_an_upload_in_chunks_of_unknown_length_is_whole(connect, tier):
    content = os.urandom(PIECE * 3 + 17)
    connection = await connect()
    connection.send_head("PUT", "files/shared/chunked", {"Transfer-Encoding": "chunked"})
    for start in range(0, len(content), 100_000):
        piece = content[start : start + 100_000]
        connection.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await connection.writer.drain()
    assert "chunked" not in visible(tier)
    connection.writer.write(b"0\r\n\r\n")
    assert (await connection.read_head())[0] == 200
    assert (tier / "chunked").read_bytes() == content


async def test_a_slow_store_slows_the_sender(connect, service, tier, monkeypatch):
    create, release = service.create, threading.Event()
    peak = [0]

    def slow(*args, **options):
        writer = create(*args, **options)
        write = writer.write

        def waiting(data):
            peak[0] += len(data)
            assert release.wait(10)
            write(data)

        monkeypatch.setattr(writer, "write", waiting, raising=False)
        return writer

    monkeypatch.setattr(service, "create", slow)
    content = os.urandom(PIECE) * 40
    connection = await connect()
    connection.send_head("PUT", "files/shared/slow", {"Content-Length": str(len(content))})
    connection.writer.write(content)
    await asyncio.sleep(0.5)
    # One piece is with the store; of the rest, most has not left the sender.
    assert peak[0] < 2 * PIECE
    assert connection.writer.transport.get_write_buffer_size() > 20 * PIECE
    release.set()
    assert (await connection.read_head())[0] == 200
    digest = hashlib.sha256((tier / "slow").read_bytes()).digest()
    assert digest == hashlib.sha256(content).digest()


async def test_an_upload_that_the_store_refuses_midway_says_why(api, service, tier, monkeypatch):
    create = service.create

    def full(*args, **options):
        writer = create(*args, **options)

        def refuse(data):
            raise NoSpace("No space left on the device", path="shared:big")

        monkeypatch.setattr(writer, "write", refuse, raising=False)
        return writer

    monkeypatch.setattr(service, "create", full)
    response = await api("PUT", "files/shared/big", body=bytes(20 * PIECE))
    assert response.code == 507
    assert b"artifacts:" in response.body
    assert visible(tier) == []


async def test_a_client_that_asks_first_is_refused_before_it_sends(connect, tier):
    (tier / "there").write_text("x")
    connection = await connect()
    headers = {"Content-Length": "5", "Expect": "100-continue", "If-None-Match": "*"}
    connection.send_head("PUT", "files/shared/there", headers)
    assert (await connection.read_head())[0] == 409


async def test_a_refused_body_is_not_read_for_ever(connect, tier, monkeypatch):
    monkeypatch.setattr(receiving, "DRAINED", 2 * PIECE)
    (tier / "there").write_text("x")
    connection = await connect()
    headers = {"Content-Length": str(1000 * PIECE), "If-None-Match": "*"}
    connection.send_head("PUT", "files/shared/there", headers)
    # No more than is read: what is left unread resets the connection, at times before the answer.
    connection.writer.write(bytes(2 * PIECE + 1))
    status, _ = await connection.read_head()
    assert status == 409
    assert (tier / "there").read_text() == "x"


async def test_a_client_that_leaves_during_the_commit_does_not_undo_it(
    connect, service, tier, monkeypatch
):
    create, begun = service.create, threading.Event()

    def slow(*args, **options):
        writer = create(*args, **options)
        commit = writer.commit

        def waiting():
            begun.set()
            time.sleep(0.3)
            return commit()

        monkeypatch.setattr(writer, "commit", waiting, raising=False)
        return writer

    monkeypatch.setattr(service, "create", slow)
    connection = await connect()
    connection.send_head("PUT", "files/shared/late", {"Content-Length": "4"})
    connection.writer.write(b"late")
    await until(begun.is_set)
    await connection.close()
    await until(lambda: visible(tier) == ["late"])
    assert (tier / "late").read_bytes() == b"late"


async def test_a_large_body_passes_the_server_s_own_limit(api, jp_serverapp, tier, http_server):
    http_server.conn_params.max_body_size = 1000
    assert (await api("PUT", "files/shared/big", body=bytes(200_000))).code == 200
    assert (tier / "big").stat().st_size == 200_000


# Resumable


async def begin(api, path="shared:up.bin", size=3 * PIECE, **options):
    response = await api("POST", "uploads", json_body={"path": path, "size": size, **options})
    assert response.code == 201, response.body
    return json.loads(response.body)["id"]


async def test_a_cut_piece_without_a_checksum_keeps_what_arrived(connect, api, tier):
    content = os.urandom(3 * PIECE)
    identifier = await begin(api)
    connection = await connect()
    headers = {"Upload-Offset": "0", "Content-Length": str(len(content))}
    connection.send_head("PATCH", f"uploads/{identifier}", headers)
    sent = PIECE + 300_000
    connection.writer.write(content[:sent])
    await connection.writer.drain()
    await asyncio.sleep(0.2)
    await connection.close()
    offset = 0
    deadline = time.monotonic() + 10
    while not offset and time.monotonic() < deadline:
        head = await api("HEAD", f"uploads/{identifier}")
        offset = int(head.headers["Upload-Offset"])
    assert offset == sent
    assert head.headers["Upload-Length"] == str(len(content))
    response = await api(
        "PATCH",
        f"uploads/{identifier}",
        body=content[sent:],
        headers={"Upload-Offset": str(sent)},
    )
    assert (response.code, response.headers["Upload-Offset"]) == (204, str(len(content)))
    assert visible(tier)[0].startswith(".~")
    assert (await api("POST", f"uploads/{identifier}/commit", body=b"")).code == 200
    assert (tier / "up.bin").read_bytes() == content


async def test_a_cut_piece_with_a_checksum_keeps_nothing(connect, api, tier, extension):
    identifier = await begin(api)
    connection = await connect()
    headers = {
        "Upload-Offset": "0",
        "Content-Length": str(3 * PIECE),
        "Upload-Checksum": "crc32 00000000",
    }
    connection.send_head("PATCH", f"uploads/{identifier}", headers)
    connection.writer.write(bytes(2 * PIECE))
    await connection.writer.drain()
    await until(lambda: extension.receivers)
    await connection.close()
    await until(lambda: not extension.receivers)
    assert (await api("HEAD", f"uploads/{identifier}")).headers["Upload-Offset"] == "0"


async def test_pieces_are_checked_and_put_together(api, tier):
    content = os.urandom(3 * PIECE)
    identifier = await begin(api, modified="2020-02-03T04:05:06Z")
    for start in range(0, len(content), PIECE):
        piece = content[start : start + PIECE]
        wrong = {"Upload-Offset": str(start), "Upload-Checksum": f"crc32 {1:08x}"}
        response = await api("PATCH", f"uploads/{identifier}", body=piece, headers=wrong)
        assert response.code == 422
        right = {**wrong, "Upload-Checksum": f"crc32 {zlib.crc32(piece):08x}"}
        response = await api("PATCH", f"uploads/{identifier}", body=piece, headers=right)
        assert response.code == 204
        again = await api("PATCH", f"uploads/{identifier}", body=piece, headers=right)
        assert again.code == 409
    first = await api("POST", f"uploads/{identifier}/commit", body=b"")
    assert json.loads(first.body)["path"] == "shared:up.bin"
    assert json.loads(first.body)["modified"] == "2020-02-03T04:05:06Z"
    again = await api("POST", f"uploads/{identifier}/commit", body=b"")
    assert json.loads(again.body) == json.loads(first.body)
    assert (tier / "up.bin").read_bytes() == content


async def test_two_commits_at_once_give_one_answer(api, extension, tier, monkeypatch):
    identifier = await begin(api, size=0)
    commit, calls = extension.service.commit_upload, []

    def slow(name):
        calls.append(name)
        time.sleep(0.3)
        return commit(name)

    monkeypatch.setattr(extension.service, "commit_upload", slow)
    answers = await asyncio.gather(
        *(api("POST", f"uploads/{identifier}/commit", body=b"") for _ in range(3))
    )
    assert [answer.code for answer in answers] == [200] * 3
    assert len({answer.body for answer in answers}) == 1
    assert calls == [identifier]
    assert not extension.commits


async def test_an_upload_is_refused_before_the_first_byte(api, tier):
    (tier / "there").write_text("x")
    for body, status in (
        ({"path": "shared:there", "size": 1}, 409),
        ({"path": "shared:../out", "size": 1}, 400),
        ({"path": "nope:x", "size": 1}, 404),
        ({"path": "shared:", "size": 1}, 400),
        ({"path": "shared:x", "size": -1}, 400),
        ({"path": "shared:x", "size": 2**60}, 507),
        ({"path": "shared:x"}, 400),
        ({"path": "shared:x", "size": 1, "modified": "yesterday"}, 400),
        ({"path": "s3://bucket/x", "size": 1}, 404),
    ):
        response = await api("POST", "uploads", json_body=body)
        assert response.code == status, (body, response.body)
    assert visible(tier) == ["there"]


async def test_a_piece_needs_its_offset_and_an_upload(api, tier):
    identifier = await begin(api)
    for name, headers, status in (
        (identifier, {}, 400),
        (identifier, {"Upload-Offset": "x"}, 400),
        (identifier, {"Upload-Offset": "-1"}, 400),
        (identifier, {"Upload-Offset": "7"}, 409),
        (identifier, {"Upload-Offset": "0", "Upload-Checksum": "md5 00"}, 400),
        ("0" * 32, {"Upload-Offset": "0"}, 404),
        ("..%2Fx", {"Upload-Offset": "0"}, 404),
    ):
        response = await api("PATCH", f"uploads/{name}", body=b"x", headers=headers)
        assert response.code == status, (headers, response.body)
    assert (await api("POST", f"uploads/{identifier}/commit", body=b"")).code == 409


async def test_an_aborted_upload_leaves_nothing(api, tier):
    identifier = await begin(api)
    listed = json.loads((await api("GET", "uploads")).body)["uploads"]
    assert [upload["id"] for upload in listed] == [identifier]
    assert (await api("DELETE", f"uploads/{identifier}")).code == 204
    assert visible(tier) == []
    assert (await api("HEAD", f"uploads/{identifier}")).code == 404
    assert json.loads((await api("GET", "uploads")).body) == {"uploads": []}
