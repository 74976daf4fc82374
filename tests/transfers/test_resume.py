"""Transfers that are killed at a random moment, and gone on with by the same command."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from recorder import recorded

from jupyter_storage.records import ConflictPolicy
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.journal import Journals
from jupyter_storage.transfers.progress import Meter

MEGABYTE = 2**20


def command(*words: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_storage.cli", *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(*words: str, **environment: str) -> dict:
    process = command(*words, "--json", **environment)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


def plant(root: Path, seed: int, files: int, size: int) -> dict[str, str]:
    generator = random.Random(seed)
    for number in range(files):
        path = root / f"d{number % 5}" / f"f{number:03}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(generator.randrange(size)))
    return hashes(root)


def hashes(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def in_store(store, base: str) -> dict[str, str]:
    return {
        entry.path.removeprefix(f"{base}/"): hashlib.sha256(store.read(entry.path)).hexdigest()
        for entry in store.walk(base)
        if entry.type == "file"
    }


@pytest.mark.faults
@pytest.mark.parametrize("words", [["cp", "-r"], ["mv"], ["sync"]])
def test_a_killed_transfer_is_gone_on_with_by_the_same_command(tmp_path, s3_bucket, words):
    source = tmp_path / "source"
    expected = plant(source, 1, 150, 60_000)
    store = open_store(f"s3://{s3_bucket}/", {})
    generator = random.Random(" ".join(words))
    arguments = [*words, str(source), f"s3://{s3_bucket}/p"]
    with recorded(os.environ["AWS_ENDPOINT_URL"]) as (endpoint, requests):
        for _ in range(2):
            process = command(*arguments, AWS_ENDPOINT_URL=endpoint)
            before = len(requests)
            wanted = before + generator.randrange(20, 60)
            deadline = time.monotonic() + 60
            while len(requests) < wanted and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.kill()
            process.communicate()
            # Nothing is half-visible.
            there = in_store(store, "p")
            assert there == {name: expected[name] for name in there}
        assert there
        record = ended(*arguments, AWS_ENDPOINT_URL=endpoint)
        sent = [request.path for request in requests if request.method == "PUT"]
    assert (record["state"], record["failures"]) == ("done", [])
    assert in_store(store, "p") == expected
    # Each kill may cost what was under way: no more than eight files.
    assert len(sent) <= len(expected) + 2 * 8
    assert hashes(source) == ({} if words == ["mv"] else expected)
    store.close()


@pytest.mark.faults
@pytest.mark.parametrize("words", [["cp"], ["cp", "--overwrite"]])
def test_a_large_file_is_gone_on_with_from_its_parts(tmp_path, s3_bucket, words):
    content = random.Random(2).randbytes(60 * MEGABYTE)
    (tmp_path / "large").write_bytes(content)
    store = open_store(f"s3://{s3_bucket}/", {})
    arguments = [*words, str(tmp_path / "large"), f"s3://{s3_bucket}/large"]
    with recorded(os.environ["AWS_ENDPOINT_URL"]) as (endpoint, requests):

        def parts() -> list[str]:
            return [request.query for request in requests if "partNumber=" in request.query]

        process = command(*arguments, AWS_ENDPOINT_URL=endpoint)
        deadline = time.monotonic() + 60
        while len(parts()) < 6:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert list(store.walk()) == []
        record = ended(*arguments, AWS_ENDPOINT_URL=endpoint)
        sent = sum(len(each.body) for each in requests if "partNumber=" in each.query)
        begun = [each for each in requests if each.method == "POST" and each.query == "uploads"]
    assert (record["state"], record["bytes_done"]) == ("done", len(content))
    assert store.read("large") == content
    assert len(begun) == 1
    # What was under way when it was killed may be sent twice, and no more.
    assert sent <= len(content) + 40 * MEGABYTE
    assert len(parts()) < 2 * 8
    store.close()


def test_a_changed_source_is_sent_anew_as_a_whole(tmp_path, s3_bucket):
    path = tmp_path / "large"
    path.write_bytes(random.Random(3).randbytes(40 * MEGABYTE))
    store = open_store(f"s3://{s3_bucket}/", {})
    arguments = ["cp", str(path), f"s3://{s3_bucket}/large"]
    with recorded(os.environ["AWS_ENDPOINT_URL"]) as (endpoint, requests):
        process = command(*arguments, AWS_ENDPOINT_URL=endpoint)
        deadline = time.monotonic() + 60
        while sum("partNumber=" in each.query for each in requests) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.communicate()
    content = random.Random(4).randbytes(40 * MEGABYTE)
    path.write_bytes(content)
    assert ended(*arguments)["state"] == "done"
    assert store.read("large") == content
    store.close()


def test_what_somebody_else_wrote_meanwhile_is_not_replaced(tmp_path, s3_bucket):
    journals = Journals(tmp_path / "journals")
    store, local = open_store(f"s3://{s3_bucket}/", {}), LocalStore(tmp_path)
    for name in ("mine", "theirs"):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src" / name).write_bytes(b"content")
    source, target = Place(local, "src", "/"), Place(store, "p", "s3:")
    journal = journals.open({"number": 1})
    for entry in local.walk("src"):
        journal.begin(journal.mark(f"/{entry.path}", f"s3:p/{entry.name}", entry))
    journal.close(keep=True)
    store.write("p/mine", b"content")
    store.write("p/theirs", b"another")
    meter = Meter()
    Engine().copy(
        [source],
        target,
        recursive=True,
        policy=ConflictPolicy.FAIL,
        meter=meter,
        cancel=threading.Event(),
        journal=journals.open({"number": 1}),
    )
    record = meter.finish()
    assert (record.files_skipped, record.files_done, record.failure_count) == (1, 0, 1)
    assert record.failures[0].kind == "AlreadyExists"
    assert store.read("p/theirs") == b"another"
    store.close()
