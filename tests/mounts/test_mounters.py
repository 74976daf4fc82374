"""Programs of others serve mounts: what everybody relies on holds for each of them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from servers import S3_ENVIRONMENT, make_s3_bucket
from waiting import eventually

from jupyter_storage.errors import StorageError, Unsupported
from jupyter_storage.mounts import mounters
from jupyter_storage.mounts.mounters import choose
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.mounts.programs import PROGRAMS
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.mounts.table import READ_AHEAD
from jupyter_storage.stores.opening import open_store

SEED = 20261121
MIB = 2**20


@pytest.fixture(scope="module", params=["rclone", "s3fs"])
def mounted(request, fuse, s3_endpoint, tmp_path_factory):
    """A bucket mounted by a program: the mounts, the bucket and the directory."""
    if shutil.which(PROGRAMS[request.param].command) is None:
        pytest.skip(f"{request.param} is not installed")
    base = tmp_path_factory.mktemp("mounters")
    bucket = f"bucket-{uuid4().hex[:12]}"
    make_s3_bucket(s3_endpoint, bucket)
    made = Mounts(base / "mounts")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": s3_endpoint}.items():
            environment.setenv(name, value)
        record = made.mount(base / "bucket", f"s3://{bucket}", {}, mounter=request.param)
    assert record.mounter == request.param
    assert "asked for" in record.reason
    yield made, bucket, base / "bucket"
    made.unmount(base / "bucket", force=True)


@pytest.fixture
def target(mounted):
    return mounted[2]


@pytest.fixture
def aside(mounted, s3_bucket):
    """The bucket, used by somebody else."""
    store = open_store(f"s3://{mounted[1]}")
    yield store
    store.close()


def test_the_kernel_asks_far_ahead_unless_the_program_wants_to_be_asked_in_order(mounted, target):
    (record,) = [each for each in mounted[0].all() if each.target == str(target)]
    device = target.stat().st_dev
    setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    if not os.access(setting, os.W_OK):
        pytest.skip("only root sets how far the kernel reads ahead")
    if PROGRAMS[record.mounter].in_order:
        time.sleep(3)  # seconds, in which it was set for the others
        assert int(setting.read_text()) < READ_AHEAD // 1024
    else:
        eventually(lambda: int(setting.read_text()) == READ_AHEAD // 1024)


def test_what_others_wrote_a_moment_ago_is_read(target, aside):
    for text in (b"first", b"second, and longer"):
        aside.write("d/a.txt", text)
        assert (target / "d/a.txt").read_bytes() == text
    assert os.listdir(target / "d") == ["a.txt"]
    aside.delete("d/a.txt")
    with pytest.raises(FileNotFoundError):
        (target / "d/a.txt").read_bytes()


def test_what_is_closed_is_there_for_everyone(target, aside):
    content = random.Random(SEED).randbytes(6 * MIB)
    (target / "big.bin").write_bytes(content)
    assert eventually(lambda: aside.stat("big.bin").size == len(content))
    assert aside.read("big.bin") == content
    assert (target / "big.bin").read_bytes() == content


def test_programs_that_people_use_work(target, aside, tmp_path):
    source = tmp_path / "source/sub"
    source.mkdir(parents=True)
    (source / "a.txt").write_text("a")
    subprocess.run(["cp", "-r", source.parent, target / "copy"], check=True, timeout=60)
    assert eventually(lambda: aside.read("copy/sub/a.txt") == b"a")
    moved = target / "moved.txt"
    subprocess.run(["mv", target / "copy/sub/a.txt", moved], check=True, timeout=60)
    assert eventually(lambda: aside.read("moved.txt") == b"a")
    # To some, a directory ends with the last file in it.
    shutil.rmtree(target / "copy", ignore_errors=True)
    moved.unlink()
    assert not [each.path for each in aside.walk() if each.path.startswith(("copy", "moved"))]


def test_no_secret_is_among_the_arguments(mounted):
    made, _, target = mounted
    pids = json.loads((directory_of(made._state, str(target)) / "pids.json").read_text())
    for pid in pids.values():
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"].encode() not in words
    assert b"jupyter_storage" not in Path(f"/proc/{pids['mounter']}/cmdline").read_bytes()


def test_one_that_is_killed_comes_back(mounted, aside):
    made, _, target = mounted
    aside.write("still.txt", b"here")
    pids = json.loads((directory_of(made._state, str(target)) / "pids.json").read_text())
    os.kill(pids["mounter"], signal.SIGKILL)
    assert eventually(lambda: (target / "still.txt").read_bytes() == b"here")
    assert [each.state for each in made.all()] == ["ok"]


@pytest.mark.parametrize("mounter", ["rclone", "s3fs"])
def test_a_part_of_a_bucket_is_mounted_read_only(mounts, mounter, s3_bucket, tmp_path):
    if shutil.which(PROGRAMS[mounter].command) is None:
        pytest.skip(f"{mounter} is not installed")
    store = open_store(f"s3://{s3_bucket}")
    store.make_directory("part")
    store.write("part/a.txt", b"a")
    target = tmp_path / "target"
    mounts.mount(target, f"s3://{s3_bucket}/part", {}, mounter=mounter, read_only=True)
    assert (target / "a.txt").read_text() == "a"
    with pytest.raises(OSError, match="Read-only"):
        (target / "b.txt").write_text("b")
    mounts.unmount(target)
    assert os.listdir(target) == []
    assert mounts.all() == []
    store.close()


def test_a_bucket_that_is_not_there_is_said_at_once(mounts, s3_bucket, tmp_path):
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed")
    with pytest.raises(StorageError, match="no bucket"):
        mounts.mount(tmp_path / "x", f"s3://{s3_bucket}-none", {}, mounter="rclone")
    assert mounts.all() == []


def test_the_reason_for_a_mounter_is_told(monkeypatch, tmp_path):
    device = tmp_path / "fuse"
    device.touch()
    monkeypatch.setattr(mounters, "DEVICE", device)
    monkeypatch.setattr(mounters, "find_library", lambda name: None)
    program = tmp_path / "bin/rclone"
    program.parent.mkdir()
    program.touch(mode=0o755)
    for name in ("fusermount3",):
        (program.parent / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert choose("/t", "s3://b")[0] == "rclone"
    assert "libfuse is not installed" in choose("/t", "s3://b")[1]
    with pytest.raises(Unsupported, match="libfuse") as caught:
        choose("/t", "s3://b", cached=True)
    assert "mode: COPY" in caught.value.hint
    with pytest.raises(Unsupported, match="not uploaded yet"):
        choose("/t", "s3://b", cached=True, wanted="rclone")
    with pytest.raises(Unsupported, match="is not installed"):
        choose("/t", "s3://b", wanted="mountpoint-s3")
    with pytest.raises(Unsupported, match="knows no 'gs://'"):
        choose("/t", "gs://b", wanted="s3fs")
    with pytest.raises(Unsupported, match="'fast'") as caught:
        choose("/t", "s3://b", wanted="fast")
    assert "built-in, rclone" in caught.value.hint
