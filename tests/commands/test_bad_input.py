from __future__ import annotations

import http.server
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

COMMAND = (sys.executable, "-m", "jupyter_storage.cli")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nosuch"], 2, "There is no command 'nosuch'"),
        (["tier"], 2, "Did you mean 'tiers'?"),
        (["snapshot"], 2, "needs one more word"),
        (["snapshot", "lst"], 2, "Did you mean 'snapshot list'?"),
        (["ls", "--bogus"], 2, "--bogus"),
        (["cp", "a"], 2, "destination is missing"),
        (["cp", "a", "b", "--skip", "--newer"], 2, "not allowed with"),
        (["cp", "a", "b", "-j", "0"], 2, "no number from 1"),
        (["find", ".", "--larger", "huge"], 2, "no size"),
        (["find", ".", "--newer", "soon"], 2, "no age or date"),
        (["url", "a", "--expires", "-1h"], 2, "expected one argument"),
        (["ls", "shard:x"], 2, "There is no tier 'shard'"),
        (["tiers", "shard"], 1, "There is no tier 'shard'"),
        (["ls", "shared:../x"], 2, "could leave the tier"),
        (["cat", "shared:a/../../x"], 2, "could leave the tier"),
        (["ls", "shared:nosuch"], 1, "shared:nosuch: No such file"),
        (["cat", "nosuch"], 1, "nosuch: No such file"),
        (["stat", ""], 2, "The path is empty"),
        (["rm", "-ry", "shared:"], 2, "cannot be deleted"),
        (["url", "."], 1, "leads to one file"),
        (["snapshot", "now", "--project", "/nosuch"], 1, "/nosuch: There is no such project"),
        (["--JupyterStorage.rot=/x", "ls"], 2, "There is no option"),
        (["--JupyterStorage.root", "ls"], 2, "lacks a value"),
        (["--JupyterStorage.concurrency=many", "ls"], 2, "wrong value"),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out(call, words, status, said):
    done = call(*words)
    assert done.status == status
    assert said in done.err
    assert "  → " in done.err
    assert done.out == ""


def test_a_wrong_configuration_file_is_named(call, isolated_environment):
    file = isolated_environment / "jupyter_config/jupyter_storage_config.py"
    file.parent.mkdir()
    file.write_text("c.JupyterStorage.root = ")
    done = call("ls")
    assert done.status == 2
    assert str(file) in done.err
    assert call("doctor").status == 1


def test_missing_sources_are_listed_and_the_others_done(call, directory):
    (directory / "a").write_text("1")
    done = call("cp", "nosuch", "a", "shared:d")
    assert done.status == 1
    assert "nosuch: No such file" in done.err
    assert call("cat", "shared:d/a").out == "1"


@pytest.mark.slow
def test_an_unreachable_endpoint_leaves_nothing(storage, directory):
    (directory / "a").write_text("1")
    environ = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    for words in (["cp", "a", "s3://bucket/a"], ["cp", "s3://bucket/a", "b"]):
        done = storage(*words, environ=environ)
        assert done.status == 1
        assert "→" in done.err
        assert "very-secret" not in done.err
    assert sorted(path.name for path in directory.iterdir()) == ["a"]


def test_missing_credentials_say_how_to_sign_in(storage, directory, s3_endpoint):
    done = storage("ls", "s3://bucket/", environ={"AWS_ENDPOINT_URL": s3_endpoint})
    assert done.status == 1
    assert "Sign in" in done.err


EXPIRED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>
<Token-0>FwoGZXIvYXdzSECRET</Token-0><RequestId>1</RequestId></Error>"""


class ExpiredHandler(http.server.BaseHTTPRequestHandler):
    """Answers as S3 does when a session has ended; the tests' other servers accept anything."""

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(400)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(EXPIRED)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(EXPIRED)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture
def expired_endpoint():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ExpiredHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_expired_credentials_say_to_sign_in_again(storage, directory, expired_endpoint):
    environ = {"AWS_ENDPOINT_URL": expired_endpoint, "JUPYTER_STORAGE_BUCKET": "s3://bucket"}
    environ |= {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush"}
    environ |= {"AWS_SESSION_TOKEN": "hush", "AWS_DEFAULT_REGION": "us-east-1"}
    (directory / "a").write_text("a")
    for words in (["ls", "artifacts:"], ["cp", "a", "artifacts:a"], ["cat", "artifacts:a"]):
        done = storage(*words, environ=environ)
        assert done.status == 1, words
        assert "expired" in done.err, words
        assert "Sign in again" in done.err, words
        assert "hush" not in done.err
        assert "SECRET" not in done.err
        assert "Traceback" not in done.err


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_fills_up_is_said_of_each_file_and_the_way_out_once(
    storage, directory, small_disk
):
    for number in range(40):
        (directory / f"f{number}").write_bytes(bytes(4096))
    assert storage("cp", "-r", ".", "artifacts:many").status == 0
    done = storage("cp", "-r", "artifacts:many", f"{small_disk}/many")
    assert done.status == 1
    errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 20
    assert all(line.startswith(f"Error: {small_disk}/many/f") for line in errors)
    assert done.err.count("Free some space") == 1
    assert "more failures" in done.err
    arrived = list(small_disk.rglob("*"))
    assert all(path.is_dir() or path.stat().st_size == 4096 for path in arrived)
    assert not [path for path in arrived if path.name.startswith(".~")]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_said_as_such(directory):
    (directory / "a").write_bytes(b"x" * 2**20)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, "cat", "a"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_that_cannot_grow_leaves_nothing(directory):
    (directory / "a").write_bytes(b"x" * 2**21)
    (directory / "target").mkdir()
    for words in (["cp", "a", "target/b"], ["zip", "a", "-o", "target/a.zip"]):
        done = subprocess.run(
            [*COMMAND, *words],
            capture_output=True,
            text=True,
            check=False,
            # The kernel refuses larger files, as a full disk does.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
        )
        assert done.returncode == 1
        assert "target/" in done.stderr
        assert "larger than this file system allows" in done.stderr
        assert "Traceback" not in done.stderr
        assert not any((directory / "target").iterdir())


def test_a_file_in_the_way_is_named(call, directory):
    (directory / "a").write_text("1")
    (directory / "b").write_text("2")
    done = call("cp", "a", "b/c")
    assert done.status == 1
    assert f"{directory}/b/c" in done.err
    assert (directory / "b").read_text() == "2"
    assert call("mkdir", "b").status == 1
    assert call("cp", "a", "a").status == 1
    assert (directory / "a").read_text() == "1"


def test_a_place_that_cannot_be_written_is_said(call, directory):
    (directory / "a").write_text("1")
    done = call("cp", "a", "/proc/nosuch/a")
    assert done.status == 1
    assert "/proc/nosuch/a" in done.err


def test_a_reader_that_has_enough_ends_it_quietly(directory):
    for number in range(3000):
        (directory / f"{number:06}-{'x' * 100}").touch()
    process = subprocess.Popen(
        [*COMMAND, "ls", "."],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


def test_ctrl_c_cancels_cleanly_and_says_what_was_done(directory):
    target = directory / "target"
    target.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "cp", "-", "target/copy"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(b"x" * 2**22)
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not any(target.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert not any(target.iterdir())


def test_ctrl_c_stops_a_transfer(directory, s3_bucket, call):
    for number in range(2000):
        (directory / f"{number}").write_bytes(b"x" * 1000)
    process = subprocess.Popen(
        [*COMMAND, "cp", "-r", ".", f"s3://{s3_bucket}/d", "-j", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while call("ls", f"s3://{s3_bucket}/d").status and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Cancelled. Copied" in err
    assert "Run the same command again to go on" in err
    assert "Traceback" not in err


def test_system_data_is_refused_without_force(call):
    from jupyter_storage.commands.session import session

    path = f"{session.service().settings.system_uri}/workspaces/x/snapshots/config"
    done = call("mkdir", path)
    assert done.status == 1
    assert "cannot be undone" in done.err
