"""The commands, as a person types them, and what they ask before they delete."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from synthetic_experiments import write_train, write_tune

from jupyter_storage.cli import main
from jupyter_storage.commands.session import session


@pytest.fixture
def shared(isolated_environment: Path) -> Path:
    """Directory behind the tier 'shared', with two experiments that ended long ago."""
    root = isolated_environment / "tiers/shared_storage"
    write_tune(root / "cats")
    write_train(root / "old/birds")
    for path in root.rglob("*.json"):
        os.utime(path, (1.7e9, 1.7e9 + (path.parent.name == "cats")))
    return root


@pytest.fixture
def call(shared: Path, capsys, unchanged_process):
    def run(*words: object) -> tuple[int, str, str]:
        status = main(["experiments", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    yield run
    session.close()


def test_experiments_of_all_tiers_are_listed_newest_first(call) -> None:
    status, out, _ = call("list")
    assert status == 0
    header, first, second = out.splitlines()
    assert header.split() == ["CHANGED", "KIND", "TRIALS", "STATES", "METRIC", "PATH"]
    assert first.endswith("tune        3  ERROR=1, TERMINATED=2  score   shared:cats")
    assert second.endswith("shared:old/birds")
    names = [each["path"] for each in json.loads(call("list", "shared:", "--json")[1])]
    assert names == ["shared:cats", "shared:old/birds"]


def test_trials_are_shown_the_best_first(call) -> None:
    status, out, err = call("show", "shared:cats", "--limit", 2)
    assert status == 0
    assert "3 trials: 1 ERROR, 2 TERMINATED; the best by score (max) first; 2 are shown" in err
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["ab12c_00002", "ab12c_00001"]
    assert "lr=0.0333333, net/width=2" in lines[1]


def test_one_trial_is_shown_with_curve_and_checkpoints(call) -> None:
    _, out, _ = call("show", "shared:cats", "00002")
    assert "score         ▁▄█▃▂  2.1 … 2.3" in out
    assert "checkpoint_000002  1.0 kB  score=2.9 (best)" in out


def test_the_best_checkpoint_is_fetched_to_a_tier(call, shared: Path) -> None:
    _, out, _ = call("best", "shared:cats")
    best = "shared:cats/train_ab12c_00002_2_lr=2/checkpoint_000002"
    assert out.splitlines()[0] == best
    assert call("fetch", "shared:cats", "shared:models/cats")[0] == 0
    assert (shared / "models/cats/model.pt").stat().st_size == 1002
    status, _, err = call("fetch", "shared:cats", "shared:models/cats", "--trial", "0")
    assert status == 1
    assert "exists" in err
    again = call("fetch", "shared:cats", "shared:models/cats", "--trial", "0", "--overwrite")
    assert again[0] == 0


def test_rm_says_what_will_be_lost_and_wants_a_yes(call, shared: Path) -> None:
    status, _, err = call("rm", "shared:cats", "shared:old/birds")
    assert status == 2
    assert "2 experiments (4 trials, 24 files, " in err
    assert "Add --yes" in err
    assert (shared / "cats").exists()
    assert call("rm", "--older", "30d", "-n", "shared:")[1].count("shared:") == 2
    assert call("rm", "--older", "30d", "--yes", "shared:old")[0] == 0
    assert not (shared / "old/birds").exists()
    assert (shared / "cats").exists()


def test_rm_leaves_what_may_be_running_and_what_is_no_experiment(call, shared: Path) -> None:
    os.utime(shared / "cats/experiment_state-2026-11-21_17-54-32.json")
    status, _, err = call("rm", "--yes", "shared:cats")
    assert status == 2
    assert "may be running" in err
    assert call("rm", "--yes", "shared:old")[0] == 1
    assert (shared / "cats").exists()
    assert (shared / "old/birds").exists()
    assert call("rm", "--yes", "--force", "shared:cats")[0] == 0
    assert not (shared / "cats").exists()
