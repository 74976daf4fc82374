from __future__ import annotations

import threading
import time
from pathlib import Path

from jupyter_storage.errors import NotConfigured, Unreachable
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.tiers import Health, Tier


def tier(name, uri="file:///nowhere"):
    return Tier(name, uri, "scope", "lifetime", "purpose")


def test_a_tier_that_hangs_does_not_hold_up_the_others(tmp_path):
    release = threading.Event()

    def open_tier(wanted):
        if wanted.name == "hanging":
            release.wait(30)
        return LocalStore(tmp_path)

    health = Health(open_tier, timeout=0.3)
    started = time.monotonic()
    hanging, fine = health.look([tier("hanging"), tier("fine")])
    assert time.monotonic() - started < 2
    assert fine.state == "ok"
    assert fine.free > 0
    assert hanging.state == "unreachable"
    assert "0.3 seconds" in hanging.reason
    threads = threading.active_count()
    health.look([tier("hanging")])
    assert threading.active_count() <= threads  # no second thread for the one that hangs
    # Its time is over: it is not being checked any more, it is away.
    assert health.look([tier("hanging")], wait=0.0)[0].state == "unreachable"
    release.set()
    deadline = time.monotonic() + 5
    while health.look([tier("hanging")])[0].state != "ok":
        assert time.monotonic() < deadline


def test_the_reason_and_a_way_out_are_told(tmp_path):
    def open_tier(wanted):
        if wanted.name == "missing":
            raise NotConfigured("The protocol 'abc' is not installed", hint="pip install abc")
        if wanted.name == "odd":
            raise RuntimeError("https://user:hush-hush@host failed")
        raise Unreachable("No answer from http://127.0.0.1:1")

    missing, away, odd = Health(open_tier, timeout=5).look(
        [tier("missing"), tier("away"), tier("odd", "s3://user:hush-hush@b")]
    )
    assert (missing.state, missing.hint) == ("not configured", "pip install abc")
    assert away.state == "unreachable"
    assert "127.0.0.1:1" in away.reason
    assert "hush" not in str(odd)


def test_a_directory_that_cannot_be_made_is_not_configured():
    # As root everything can be written but for the kernel's own file systems.
    store = LocalStore(Path("/proc/sys/kernel/storage"))
    record = Health(lambda _: store, timeout=5).look([tier("local")])[0]
    assert record.state == "not configured"
    assert "JUPYTER_STORAGE_ROOT" in record.hint


def test_what_may_still_answer_is_not_waited_for_if_so_asked(tmp_path):
    release = threading.Event()

    def open_tier(wanted):
        if wanted.name == "slow":
            release.wait(30)
        return LocalStore(tmp_path)

    health = Health(open_tier, timeout=20)
    started = time.monotonic()
    slow, fine = health.look([tier("slow"), tier("fine")], wait=0.5)
    assert time.monotonic() - started < 10
    assert (slow.state, slow.reason) == ("checking", None)
    assert fine.state == "ok"
    release.set()
    assert health.look([tier("slow")])[0].state == "ok"
