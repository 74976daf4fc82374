"""Ray Tune and Ray Train on tiers, for real: runs that are killed, restored and looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from enclosure import ARTIFACTS, BUCKET, MIDDLE, S3_ENDPOINT, Enclosure, enclosure, why_not

pytest.importorskip("ray")
_REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]

DRIVER = str(Path(__file__).with_name("driver.py"))
SECRET = "a-secret-that-must-not-be-written"

ALL = list(range(6))

Lines = dict[tuple[str, str, int], list[int]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enclosure]:
    base = tmp_path_factory.mktemp("ray")
    with enclosure(base) as made:
        options = {
            "endpoint_url": S3_ENDPOINT,
            "region": "us-east-1",
            "access_key_env": "TEAM_KEY",
            "secret_key_env": "TEAM_SECRET",
        }
        made.environment.update(
            AWS_ROLE_SESSION_NAME="team",
            JUPYTER_STORAGE_BUCKET=BUCKET,
            JUPYTER_STORAGE_PROJECT=str(base),
            JUPYTER_STORAGE_ROOT=str(base / "tiers"),
            JUPYTER_STORAGE_STORE_OPTIONS=json.dumps({BUCKET: options}),
            TEAM_KEY="team",
            TEAM_SECRET=SECRET,
            TEST_LOG=str(base / "steps.log"),
        )
        yield made


@pytest.fixture(scope="module")
def base(place: Enclosure) -> Path:
    return Path(place.environment["TEST_LOG"]).parent


@pytest.fixture(scope="module")
def told(place: Enclosure, base: Path) -> dict[str, Any]:
    """What a cluster told that went on with two experiments after they were killed."""
    place.run([DRIVER, "start"], base / "start.log", until=MIDDLE)
    printed = place.run([DRIVER, "go-on"], base / "go-on.log")
    told: dict[str, Any] = json.loads(next(x for x in printed.splitlines() if x.startswith("{")))
    return told


@pytest.fixture(scope="module")
def steps(told: dict[str, Any], base: Path) -> Lines:
    """Which steps ran in which session, of which experiment and trial."""
    steps: Lines = {}
    for line in (base / "steps.log").read_text().splitlines():
        session, name, trial, step = line.split()
        steps.setdefault((session, name, int(trial)), []).append(int(step))
    return steps


@pytest.fixture(scope="module")
def tiers(place: Enclosure, base: Path, told: dict[str, Any]) -> dict[str, Path]:
    """Directories with what lies on the tiers after that."""
    words = ["-m", "jupyter_storage.cli", "cp", "-r", f"{BUCKET}/", str(base / "bucket")]
    place.run(words, base / "fetch.log")
    bucket = base / "bucket"
    return {
        "bucket": bucket,
        "artifacts": bucket / ARTIFACTS.removeprefix(f"{BUCKET}/"),
        "shared": base / "tiers/shared_storage",
    }


def step_of(checkpoint: Path) -> int:
    """Which step saved it."""
    return int(json.loads((checkpoint / "state.json").read_text())["step"])


def test_what_had_finished_is_not_run_again(steps: Lines) -> None:
    for name in ("cats", "dogs"):
        assert steps["start", name, 0] == ALL
        assert ("go-on", name, 0) not in steps


def test_what_was_cut_off_goes_on_from_its_checkpoint(steps: Lines) -> None:
    for name in ("cats", "dogs"):
        assert steps["start", name, 2] == [0, 1, 2, 3, 4]
        assert steps["go-on", name, 2] == [4, 5]
        for never_begun in (3, 4, 5, 6, 7):
            assert ("start", name, never_begun) not in steps
            assert steps["go-on", name, never_begun] == ALL


def test_what_failed_is_resumed_or_restarted_as_asked(steps: Lines) -> None:
    assert steps["start", "cats", 1] == steps["start", "dogs", 1] == [0, 1, 2]
    assert steps["go-on", "cats", 1] == [3, 4, 5], "resume_errored"
    assert steps["go-on", "dogs", 1] == ALL, "restart_errored"


def test_a_run_of_train_goes_on_from_its_checkpoint(steps: Lines) -> None:
    assert steps["start", "birds", 0] == [0, 1, 2, 3, 4]
    assert steps["go-on", "birds", 0] == [4, 5]


# One that failed and is restarted begins as a new trial, beside the old one.
@pytest.mark.parametrize(
    ("tier", "experiment", "failed"), [("artifacts", "cats", 0), ("shared", "team/dogs", 1)]
)
def test_exactly_the_best_five_checkpoints_of_each_trial_remain(
    tier: str, experiment: str, failed: int, tiers: dict[str, Path]
) -> None:
    trials: dict[str, list[int]] = {}
    for weights in (tiers[tier] / experiment).glob("*/checkpoint_*/model/weights.bin"):
        assert weights.stat().st_size == 200_000
        checkpoint = weights.parents[1]
        trials.setdefault(checkpoint.parent.name, []).append(step_of(checkpoint))
    kept = sorted(sorted(steps) for steps in trials.values())
    assert kept == [[0, 1, 2]] * failed + [[0, 2, 3, 4, 5]] * 8


def test_train_keeps_its_best_checkpoints_on_a_tier(tiers: dict[str, Path]) -> None:
    below = tiers["artifacts"] / "trained/birds"
    kept = [step_of(weights.parents[1]) for weights in below.glob("checkpoint_*/model/weights.bin")]
    assert sorted(kept) == [0, 5]
    assert (below / "checkpoint_manager_snapshot.json").is_file()


def test_no_secret_is_written_to_the_experiment_or_the_logs(
    place: Enclosure, base: Path, tiers: dict[str, Path]
) -> None:
    read = 0
    for directory in (base, Path(place.environment["RAY_TMPDIR"])):
        for path in directory.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                assert SECRET.encode() not in data, path
                assert SECRET.encode().hex().encode() not in data, path
                read += 1
    assert read > 100


def test_a_tier_of_one_node_is_refused_on_several_before_anything_runs(
    told: dict[str, Any], base: Path
) -> None:
    refused = told["refused"]
    assert refused["local"].startswith("InvalidRequest: The tier 'local' is this node's alone")
    assert refused["shared"] == refused["artifacts"] == ""
    assert not (base / "tiers/local_storage/new").exists()


def test_tasks_on_every_node_find_tiers_and_the_bucket_as_the_driver_does(
    told: dict[str, Any], base: Path
) -> None:
    first, second = told["nodes"]
    assert told["notes"] == ["notes/node-0", "notes/node-1"], "one cluster tier for all nodes"
    for node in (first, second):
        assert node["tiers"]["shared"] == (base / "tiers/shared_storage").as_uri()
        assert "/workspaces/" in node["tiers"]["cluster"]
        assert node["objects"], "the bucket's credentials are found by reference"
        assert node["JUPYTER_STORAGE_BUCKET"] == BUCKET
        assert node["ANYSCALE_ARTIFACT_STORAGE"] == f"{ARTIFACTS}/"
        assert node["AWS_ROLE_SESSION_NAME"] == "team"


def test_a_job_has_a_cluster_tier_of_its_own(told: dict[str, Any], tiers: dict[str, Path]) -> None:
    below = "default/default/job/raysubmit_1/cluster_storage"
    assert told["job"]["tiers"]["cluster"] == f"{BUCKET}/{below}"
    assert (tiers["bucket"] / below / "notes/job").read_text() == "job"
