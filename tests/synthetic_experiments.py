"""Experiments as Ray 2.60 writes them, without Ray."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

PICKLED = {"_type": "CLOUDPICKLE_FALLBACK", "value": "80" * 4000}


class Hostile:
    """Unpickled, it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "it was run")


def trial_pair(
    number: int, *, state: str, scores: list[float], directory: str | None, more: Any = None
) -> list[str]:
    """What a state says of a trial: two JSON documents as text."""
    config = {"lr": 0.1 / (number + 1), "net": {"width": number}}
    last = {
        "score": scores[-1],
        "nothing": float("nan"),
        "training_iteration": len(scores),
        "config": config,
        "hostname": "worker-1",
    }
    trial = {
        "trial_id": f"ab12c_{number:05d}",
        "status": state,
        "config": config,
        "relative_logdir": directory,
        "storage": more or PICKLED,
    }
    metadata = {
        "last_result": last if scores else {},
        "metric_analysis": {
            "score": {"min": min(scores), "max": max(scores), "last": scores[-1]},
            "nothing": {"min": float("nan"), "max": float("nan")},
            "training_iteration": {"min": 1, "max": len(scores)},
        },
        "checkpoint_manager": PICKLED,
    }
    return [json.dumps(trial, indent=2), json.dumps(metadata, indent=2)]


def write_state(directory: Path, pairs: list[list[str]], *, metric: str | None = "score") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "experiment_state-2026-11-21_17-54-32.json"
    runner = {"_metric": metric, "_stopper": PICKLED}
    document = {"trial_data": pairs, "runner_data": runner, "stats": {"start_time": 1.0}}
    path.write_text(json.dumps(document, indent=2))
    (directory / "tuner.pkl").write_bytes(b"\x80\x05N.")
    return path


def write_tune(directory: Path, trials: int = 3, *, hostile: Path | None = None) -> None:
    """An experiment whose trials have 5 reports, the third the best, and 3 checkpoints each."""
    poison = pickle.dumps(Hostile(hostile)) if hostile else b"\x80\x05N."
    pairs = []
    for number in range(trials):
        scores = [number + score for score in (0.1, 0.5, 0.9, 0.4, 0.3)]
        name = f"train_ab12c_{number:05d}_{number}_lr={number}"
        more = {"_type": "CLOUDPICKLE_FALLBACK", "value": poison.hex()}
        state = "ERROR" if number == 1 else "TERMINATED"
        pairs.append(trial_pair(number, state=state, scores=scores, directory=name, more=more))
        path = directory / name
        path.mkdir(parents=True)
        for pickled in ("params.pkl", "error.pkl"):
            (path / pickled).write_bytes(poison)
        rows = []
        for step, score in enumerate(scores):
            checkpoint = f"checkpoint_{step:06d}"
            rows.append(
                {
                    "score": score,
                    "training_iteration": step + 1,
                    "checkpoint_dir_name": checkpoint,
                    "pid": 7,
                }
            )
            if step in {1, 2, 4}:
                (path / checkpoint).mkdir()
                (path / checkpoint / "model.pt").write_bytes(bytes(1000 + step))
        (path / "result.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_state(directory, pairs)
    if hostile:
        for name in ("tuner.pkl", "trainable.pkl"):
            (directory / name).write_bytes(poison)


def write_train(directory: Path) -> None:
    directory.mkdir(parents=True)
    results = []
    for step, loss in ((3, 0.9), (1, 0.5), (2, 0.2)):
        name = f"checkpoint_2026-11-21_17-59-4{step}.000000"
        (directory / name).mkdir()
        (directory / name / "model.pt").write_bytes(bytes(500))
        results.append({"version": 0, "checkpoint_dir_name": name, "metrics": {"loss": loss}})
    snapshot = {
        "ray_version": "2.60.0",
        "checkpoint_results": results,
        "checkpoint_report_indices": [3, 1, 2],
        "latest_checkpoint_result": results[0],
        "current_report_index": 4,
    }
    (directory / "checkpoint_manager_snapshot.json").write_text(json.dumps(snapshot))
