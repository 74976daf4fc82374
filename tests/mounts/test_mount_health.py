from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gate import Gate
from rounds import Rounds, lives
from waiting import eventually

from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts import mounters
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.mounts.table import answers, detach, is_mounted, resolved
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore


@pytest.fixture
def target(mounts, tmp_path):
    """A mounted directory that stands in for a bucket."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store/a.txt").write_text("hello")
    mounts.mount(tmp_path / "target", (tmp_path / "store").as_uri(), {})
    return tmp_path / "target"


def _pids(tmp_path: Path, target: Path) -> dict[str, int]:
    return json.loads((directory_of(tmp_path / "mounts", str(target)) / "pids.json").read_text())


def test_a_mount_whose_process_is_killed_comes_back(mounts, target, tmp_path):
    for _ in range(3):
        mounter = _pids(tmp_path, target)["mounter"]
        os.kill(mounter, signal.SIGKILL)
        eventually(lambda before=mounter: _pids(tmp_path, target)["mounter"] != before)
        eventually(lambda: (target / "a.txt").read_text() == "hello")
    (target / "b.txt").write_text("after")
    assert (tmp_path / "store/b.txt").read_text() == "after"


def test_a_mount_that_hangs_is_seen_and_comes_back(mounts, target, tmp_path, monkeypatch):
    mounter = _pids(tmp_path, target)["mounter"]
    os.kill(mounter, signal.SIGSTOP)
    monkeypatch.setattr("jupyter_storage.mounts.states.ANSWER", 0.5)
    assert [each.state for each in mounts.all()] == ["hanging"]
    eventually(lambda: _pids(tmp_path, target)["mounter"] != mounter, 20)
    eventually(lambda: [each.state for each in mounts.all()] == ["ok"])
    assert (target / "a.txt").read_text() == "hello"
    assert not Path(f"/proc/{mounter}").exists()


def test_one_that_hangs_with_nobody_to_look_after_it_is_replaced(mounts, target, tmp_path):
    pids = _pids(tmp_path, target)
    os.kill(pids["supervisor"], signal.SIGKILL)
    os.kill(pids["mounter"], signal.SIGSTOP)
    eventually(lambda: not lives(pids["supervisor"]))
    mounts.reconcile()
    eventually(lambda: [each.state for each in mounts.all()] == ["ok"], 20)
    assert (target / "a.txt").read_text() == "hello"
    # It would go on some day, beside the one that took its place.
    assert not lives(pids["mounter"])


def test_one_that_hangs_with_nobody_to_look_after_it_is_taken_away(mounts, target, tmp_path):
    pids = _pids(tmp_path, target)
    os.kill(pids["supervisor"], signal.SIGKILL)
    os.kill(pids["mounter"], signal.SIGSTOP)
    time.sleep(1.5)  # until the kernel has forgotten what it was told
    # Whoever waits for it cannot be killed: this test would never end.
    late = threading.Timer(30, os.kill, (pids["mounter"], signal.SIGCONT))
    late.start()
    began = time.monotonic()
    (tmp_path / "link").symlink_to("target")
    mounts.unmount(tmp_path / "link", force=True)
    assert time.monotonic() - began < 20
    late.cancel()
    assert not is_mounted(str(target))
    assert mounts.all() == []
    assert not lives(pids["mounter"])


def test_a_target_is_found_through_links_as_the_system_does(tmp_path, monkeypatch):
    (tmp_path / "there/below").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "there")
    (tmp_path / "relative").symlink_to("there/below")
    (tmp_path / "twice").symlink_to("relative")
    (tmp_path / "round").symlink_to("round")
    monkeypatch.chdir(tmp_path)
    for name in (
        "there",
        "there/",
        "absolute",
        "absolute/below",
        "absolute/new/directory",
        "relative",
        "relative/..",
        "twice",
        "twice/../below/.",
        "round",
        "..",
        "",
        "/",
    ):
        assert resolved(name) == os.path.realpath(name)
        assert resolved(tmp_path / name) == os.path.realpath(tmp_path / name)


HANGING = """
import sys, time
from mfusepy import FUSE, Operations
class Hanging(Operations):
    def getattr(self, path, fh=None):
        time.sleep(600)
FUSE(Hanging(), sys.argv[1], foreground=True)
"""


def test_who_looks_at_a_mount_is_never_held_up_by_it(tmp_path):
    """A request that a program has taken on cannot be given up: not even killing helps."""
    target = tmp_path / "target"
    target.mkdir()
    with subprocess.Popen([sys.executable, "-c", HANGING, target]) as mounter:
        eventually(lambda: is_mounted(str(target)))
        began = time.monotonic()
        assert answers(str(target), 0.5) is None
        assert time.monotonic() - began < 5
        mounter.kill()
    assert answers(str(target), 5) is False
    assert detach(str(target), lazily=True) is None


def test_what_lives_is_adopted_and_kept_alive(mounts, target, tmp_path):
    pids = _pids(tmp_path, target)
    os.kill(pids["supervisor"], signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pids['supervisor']}/cmdline").read_bytes())
    assert (target / "a.txt").read_text() == "hello"
    assert [each.state for each in mounts.reconcile()] == ["ok"]
    # The one that serves is the same; whoever looks after it is new.
    assert Path(f"/proc/{pids['mounter']}").exists()
    os.kill(pids["mounter"], signal.SIGKILL)
    eventually(lambda: _pids(tmp_path, target)["mounter"] != pids["mounter"], 20)
    eventually(lambda: (target / "a.txt").read_text() == "hello")


def test_what_a_restarted_machine_lost_is_brought_back(mounts, target, tmp_path):
    pids = _pids(tmp_path, target)
    for pid in (pids["supervisor"], pids["mounter"]):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: [each.state for each in mounts.all()] == ["dead"])
    assert [each.state for each in mounts.reconcile()] == ["ok"]
    assert (target / "a.txt").read_text() == "hello"


def test_unmounting_by_hand_is_not_undone(mounts, target):
    subprocess.run(["umount", str(target)], check=True, timeout=30)
    time.sleep(2)
    assert [each.state for each in mounts.all()] == ["missing"]
    mounts.unmount(target)
    assert mounts.all() == []


@pytest.fixture
def rounds(mounts, s3_bucket, s3_endpoint, tmp_path, monkeypatch):
    aside = RetryingStore(open_store(f"s3://{s3_bucket}"))
    gate = Gate(s3_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.endpoint)
    plain, cached = tmp_path / "plain", tmp_path / "cached"
    mounts.mount(plain, f"s3://{s3_bucket}", {})
    mounts.mount(cached, f"s3://{s3_bucket}", {}, cached=True)
    yield Rounds(gate, mounts, plain, cached, aside)
    gate.open()
    for target in (plain, cached):
        mounts.unmount(target, force=True)
    gate.shut()
    aside.close()


def test_reads_work_again_and_no_write_is_lost_whatever_happens(rounds):
    """More rounds: ``python benchmarks/mounts.py --rounds 100``."""
    for number, fault in enumerate(("stopped", "killed", "hanging", "all")):
        # What else runs on the machine may take from the one who looks.
        assert rounds.run(number, fault) < (20 if fault == "hanging" else 10), fault


def test_without_fuse_the_way_out_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(mounters, "DEVICE", tmp_path / "no-fuse")
    with pytest.raises(Unsupported, match="there is no") as caught:
        mounters.choose("/target", "s3://bucket")
    assert "mode: COPY" in caught.value.hint
    assert "sync" in caught.value.hint


def test_unmounting_ends_although_others_have_the_mount_in_a_namespace_of_their_own(
    mounts, target, tmp_path
):
    mounter = _pids(tmp_path, target)["mounter"]
    command = ["unshare", "--mount", "--propagation", "private", "sleep", "60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as other:
        try:
            if not eventually(lambda: other.poll() or _has(other.pid, target)) or other.poll():
                pytest.skip("this user may not make a namespace")
            began = time.monotonic()
            mounts.unmount(target)
            assert time.monotonic() - began < 15
            assert not Path(f"/proc/{mounter}").exists()
        finally:
            other.kill()


def _has(pid: int, target: Path) -> bool:
    namespaces = {os.readlink(f"/proc/{each}/ns/mnt") for each in ("self", pid)}
    return len(namespaces) == 2 and str(target) in Path(f"/proc/{pid}/mountinfo").read_text()
