"""Shards of a transfer: how they are cut, and what a worker does with one; without a cluster."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_storage.distributed.backlog import FEWEST, LARGEST, MOST, Backlog
from jupyter_storage.distributed.cluster import is_large
from jupyter_storage.distributed.shards import Report, Root, Shard
from jupyter_storage.distributed.worker import work
from jupyter_storage.records import ConflictPolicy, Entry
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.plan import Step
from jupyter_storage.transfers.tasks import Task

WORKERS = 3


def cut(sizes: Sequence[int], tmp_path: Path) -> list[list[int]]:
    """Cut tasks of such sizes, all of them known at the beginning; give the shards' sizes."""
    place = Place(LocalStore(tmp_path), "", "/")
    backlog = Backlog(threading.Event(), depth=len(sizes) + 1)
    backlog.fill(
        Task(place, place, Step(str(n), str(n), Entry(str(n), str(n), "file", size), "copy"))
        for n, size in enumerate(sizes)
    )
    shards = []
    while shard := backlog.take(WORKERS):
        shards.append([task.step.entry.size or 0 for task in shard])
    assert backlog.is_done
    return shards


def test_shards_hold_each_file_once_and_shrink(tmp_path: Path) -> None:
    sizes = [number % 1000 for number in range(20_000)]
    shards = cut(sizes, tmp_path)
    assert [size for shard in shards for size in shard] == sizes
    counts = [len(shard) for shard in shards]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == MOST
    assert all(count >= FEWEST for count in counts[:-1])
    # So that nobody works long when the others have ended.
    assert counts[-1] <= FEWEST


def test_large_files_are_dealt_out_by_bytes(tmp_path: Path) -> None:
    gigabyte = 2**30
    shards = cut([gigabyte] * 30 + [1000] * 300 + [20 * gigabyte], tmp_path)
    assert max(sum(shard) for shard in shards if len(shard) > 1) <= LARGEST
    assert [20 * gigabyte] in shards
    assert len(shards) >= 3 * WORKERS


def test_a_plan_that_fails_fails_the_transfer(tmp_path: Path) -> None:
    backlog = Backlog(threading.Event())

    def plan():
        raise OSError("the listing broke off")
        yield

    backlog.fill(plan())
    assert not backlog.is_done
    with pytest.raises(OSError, match="broke off"):
        backlog.take(WORKERS)


def shard(source: Path, target: Path, *, again: bool = False) -> Shard:
    entries = list(LocalStore(source).walk(""))
    return Shard(
        [Root("here:", source.as_uri(), {}), Root("there:", target.as_uri(), {})],
        [
            (0, 1, Step(e.path, e.path, e, "directory" if e.is_directory else "copy"))
            for e in entries
        ],
        ConflictPolicy.FAIL,
        verify=False,
        again=again,
        pause=0.01,
        concurrency=2,
        bandwidth=0,
    )


def total(reports: Sequence[Report]) -> tuple[int, dict[str, int], list[str]]:
    outcomes: dict[str, int] = {}
    for report in reports:
        for _, outcome in report.ended:
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    failures = [failed.path for report in reports for failed, _ in report.failures]
    return sum(report.size for report in reports), outcomes, failures


def tree(path: Path) -> Path:
    (path / "sub").mkdir(parents=True)
    for number in range(10):
        (path / "sub" / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    return path


def test_a_worker_reports_each_file(tmp_path: Path) -> None:
    source, target = tree(tmp_path / "a"), tmp_path / "b"
    (target / "sub").mkdir(parents=True)
    (target / "sub/3.bin").write_bytes(b"another one")
    made = pickle.loads(pickle.dumps(shard(source, target)))
    size, outcomes, failures = total(list(work(made)))
    assert (size, outcomes) == (9000, {"done": 9, "failed": 1, "made": 1})
    assert failures == ["there:sub/3.bin"]
    assert (target / "sub/3.bin").read_bytes() == b"another one"
    assert (target / "sub/9.bin").read_bytes() == b"\x09" * 1000


def test_what_a_lost_worker_did_counts_as_done(tmp_path: Path) -> None:
    source, target = tree(tmp_path / "a"), tmp_path / "b"
    (target / "sub").mkdir(parents=True)
    for number in range(4):
        (target / f"sub/{number}.bin").write_bytes(bytes([number]) * 1000)
    (target / "sub/5.bin").write_bytes(b"x" * 1000)  # somebody else's
    size, outcomes, failures = total(list(work(shard(source, target, again=True))))
    assert (size, outcomes) == (9000, {"done": 9, "failed": 1, "made": 1})
    assert failures == ["there:sub/5.bin"]
    assert (target / "sub/5.bin").read_bytes() == b"x" * 1000


def test_a_worker_that_is_cancelled_leaves_whole_files_only(tmp_path: Path) -> None:
    source, target = tree(tmp_path / "a"), tmp_path / "b"
    slow = shard(source, target)
    slow = Shard(slow.roots, slow.steps, slow.policy, False, False, 0.01, 1, 2000)
    reports = work(slow)
    next(reports)
    reports.close()
    found = [path for path in target.rglob("*") if path.is_file()]
    assert len(found) < 10
    assert {path.stat().st_size for path in found} <= {1000}


def test_much_is_found_without_listing_it_all(tmp_path: Path) -> None:
    place = Place(LocalStore(tree(tmp_path / "a")), "", "/")
    assert is_large([place], size=10_000)
    assert not is_large([place], size=10_001)
    assert is_large([place], files=10)
    assert not is_large([place, place.at("sub/1.bin")], files=12)
    assert is_large([place, place.at("sub/1.bin")], files=11)
    assert not is_large([place])
