from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMITS = {"disk", "network", "cpu", "throttling"}


def test_a_tier_is_tried_out_and_left_as_it_was(call):
    done = call("bench", "--size", "9MB", "--files", "12", "shared:", "--json")
    assert done.status == 0
    assert (done.json["size"], done.json["files"]) == (9_000_000, 12)
    for figure in ("written", "read", "files_written", "files_read", "files_listed"):
        assert done.json[f"{figure}_per_second"] > 0
    assert done.json["limit"] in LIMITS - {"network"}
    assert call("ls", "-r", "shared:").out == ""


def test_a_sentence_says_what_the_limit_is(call):
    done = call("bench", "--size", "1MB", "--files", "2", "shared:")
    assert done.out.startswith("write a large file")
    assert "limit" in done.out.splitlines()[-1]


def test_a_bucket_is_tried_out_and_left_as_it_was(storage, s3_bucket):
    done = storage("bench", "--size", "20MB", "--files", "5", f"s3://{s3_bucket}/d", "--json")
    assert done.json["limit"] in LIMITS - {"disk"}
    assert done.json["request_seconds"] > 0
    assert storage("ls", "-r", f"s3://{s3_bucket}/").out == ""


def test_a_tier_that_cannot_be_written_says_why(call, isolated_environment):
    root = isolated_environment / "tiers"
    root.mkdir(exist_ok=True)
    (root / "shared_storage").touch()
    done = call("bench", "--size", "1MB", "shared:")
    assert done.status == 1
    assert "shared:" in done.err


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells")
def test_other_work_is_not_taken_for_a_slow_disk(call):
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(2 * os.cpu_count())]
    try:
        done = call("bench", "--size", "100MB", "--files", "2", "shared:", "--json")
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert done.json["limit"] == "cpu"


@pytest.mark.parametrize("words", [["--size", "0"], ["--files", "0"], ["--size", "big"]])
def test_nothing_can_be_said_of_nothing(call, words):
    assert call("bench", *words, "shared:").status == 2
