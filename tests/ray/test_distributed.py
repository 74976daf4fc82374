"""Transfers over a Ray cluster, for real: three nodes, one of them lost, and the same result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from enclosure import LEAN
from servers import S3_ENVIRONMENT

pytest.importorskip("ray")

SCRIPT = Path(__file__).with_name("three_nodes.py")
ENCLOSED = ("unshare", "-n", "-p", "--fork", "--kill-child=KILL", "--mount-proc")
START = 'ip link set lo up && exec "$@"'


def why_not() -> str | None:
    if not all(shutil.which(program) for program in ("unshare", "nsenter", "ip")):
        return "unshare, nsenter or ip is not installed"
    tried = subprocess.run([*ENCLOSED, "true"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


_REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script says of each scenario."""
    base = tmp_path_factory.mktemp("cluster")
    # Sockets have short paths.
    short = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    environment = {
        **os.environ,
        **S3_ENVIRONMENT,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join([LEAN, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HOME": str(base),
        "RAY_TMPDIR": short,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",
    }
    try:
        done = subprocess.run(
            [*ENCLOSED, "sh", "-c", START, "sh", sys.executable, str(SCRIPT), str(base)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    finally:
        shutil.rmtree(short, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    return found


def contents(listing: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: (size, etag) for name, (size, etag, _) in listing.items()}


def test_a_copy_survives_the_loss_of_a_node(told: dict[str, Any]) -> None:
    lost = told["a_node_is_lost"]
    assert "Runs on 3 nodes of the Ray cluster" in lost["errors"]
    assert 60 <= lost["copied"] < 200
    assert lost["status"] == 0, lost["errors"]
    assert contents(lost["listing"]) == contents(told["expected"])
    assert len(lost["listing"]) == 200
    assert "Copied 200 files" in lost["output"]


def test_an_interrupt_stops_all_nodes(told: dict[str, Any]) -> None:
    made = told["it_is_stopped_and_resumed"]
    assert made["stopped"]["status"] == 130
    assert "Run the same command again to go on" in made["stopped"]["errors"]
    assert 40 <= made["first"] < 200
    assert made["still"]


def test_a_driver_that_was_killed_is_gone_on_from(told: dict[str, Any]) -> None:
    made = told["it_is_stopped_and_resumed"]
    assert made["resumed"]["status"] == 0, made["resumed"]["errors"]
    assert contents(made["listing"]) == contents(told["expected"])
    assert made["first"] + 40 <= len(made["before"]) < 200
    # What was there was not written once more.
    assert {name: made["listing"][name] for name in made["before"]} == made["before"]


def test_conflicts_are_the_same_as_on_one_machine(told: dict[str, Any]) -> None:
    ray, local = (json.loads(told["conflicts"][name]["output"]) for name in ("ray", "local"))
    assert told["conflicts"]["ray"]["status"] == told["conflicts"]["local"]["status"] == 1
    for name in ("state", "files_done", "files_total", "bytes_done", "failure_count"):
        assert ray[name] == local[name], name
    assert ray["failure_count"] == 199
    assert ray["failures"] == local["failures"]


def test_a_sync_copies_and_deletes(told: dict[str, Any]) -> None:
    assert told["sync"]["status"] == 0, told["sync"]["errors"]
    assert "Runs on 2 nodes" in told["sync"]["errors"]
    assert contents(told["sync"]["listing"]) == contents(told["expected"])


def test_du_gives_the_same_sums_as_on_one_machine(told: dict[str, Any]) -> None:
    ray, local = (told["looked_at"]["sums"][name] for name in ("ray", "local"))
    assert ray["status"] == 0, ray["errors"]
    assert "Runs on 2 nodes of the Ray cluster" in ray["errors"]
    rows = json.loads(ray["output"])
    assert rows == json.loads(local["output"])
    sums = {row["path"]: row["files"] for row in rows}
    assert (sums["s3://bucket-to/lost"], sums["s3://bucket-to/lost/deep/er"]) == (200, 1)
    assert sums["s3://bucket-from/tree/1"] == 29


def test_check_finds_the_same_as_on_one_machine(told: dict[str, Any]) -> None:
    for found in ("same", "other"):
        ray, local = (told["looked_at"][found][name] for name in ("ray", "local"))
        assert "Runs on 2 nodes of the Ray cluster" in ray["errors"]
        mine, theirs = json.loads(ray["output"]), json.loads(local["output"])
        assert ray["status"] == local["status"] == (0 if found == "same" else 1)
        for name in ("state", "files_done", "files_total", "bytes_done", "failure_count"):
            assert mine[name] == theirs[name], name
        assert mine["files_done"] == (200 if found == "same" else 198)
        names = [sorted(each["path"] for each in record["failures"]) for record in (mine, theirs)]
        assert names[0] == names[1]
    assert names[0] == [
        "s3://bucket-from/tree/2/002 ü.bin",
        "s3://bucket-to/lost/1/001 ü.bin",
        "s3://bucket-to/lost/deep/er/surplus.bin",
    ]


@pytest.fixture
def mounted(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["mounted"]
    if "why_not" in found:
        pytest.skip(found["why_not"])
    return found


def test_every_node_has_a_mount_of_its_own(mounted: dict[str, Any], told: dict[str, Any]) -> None:
    made = mounted["made"]["mount"]
    assert made["status"] == 0, made
    assert [row["state"] for row in json.loads(made["output"])] == ["ok"] * 2
    expected = {name: etag.strip('"') for name, (_, etag, _) in told["expected"].items()}
    assert mounted["seen"] == [expected] * 2


def test_a_mount_that_dies_on_a_node_heals_there_and_a_later_node_gets_it(
    mounted: dict[str, Any],
) -> None:
    assert mounted["killed"] == {}
    assert mounted["healed"] == [mounted["seen"][0]] * 3
    rows = json.loads(mounted["listed"]["output"])
    assert [(row["mode"], row["state"]) for row in rows] == [("MOUNT", "ok"), ("COPY", "ok")] * 3


def test_every_node_gets_a_copy_on_its_local_tier(mounted: dict[str, Any]) -> None:
    assert mounted["made"]["copy"]["status"] == 0, mounted["made"]["copy"]
    assert mounted["copies"] == [mounted["seen"][0]] * 3


def test_what_no_node_can_mount_is_an_error_and_not_tried_for_ever(
    mounted: dict[str, Any],
) -> None:
    made = mounted["made"]["full"]
    assert made["status"] == 1
    rows = json.loads(made["output"])
    assert [row["state"] for row in rows] == ["failed"] * 2
    assert "The directory is not empty" in rows[0]["error"]
    assert "full" not in mounted["listed"]["output"]


def test_unmounting_takes_it_from_all_nodes_and_leaves_copies(mounted: dict[str, Any]) -> None:
    assert mounted["ended"]["status"] == 0, mounted["ended"]
    assert mounted["left"] == [{}] * 3
    assert mounted["again"]["status"] == 1
    assert "mounts --nodes" in mounted["again"]["errors"]


def test_what_nodes_do_not_see_runs_here_and_is_said(told: dict[str, Any]) -> None:
    for name, reason in (("path", "It is a path on this machine"), ("tier", "this node's alone")):
        made = told["one_machine"][name]
        assert made["status"] == 0
        assert "Runs on this machine alone" in made["errors"]
        assert reason in made["errors"]


def test_without_a_cluster_it_is_an_error_with_a_way_out(told: dict[str, Any]) -> None:
    made = told["one_machine"]["missing"]
    assert made["status"] == 1
    assert "No Ray cluster answers" in made["errors"]
    assert "ray start --head" in made["errors"]
    assert "Traceback" not in made["errors"]


def test_results_stand_alone_on_standard_output(told: dict[str, Any]) -> None:
    # Ray would print the log of a node that was lost.
    assert "raylet" not in told["a_node_is_lost"]["output"]
