"""Values out of files that anybody may have written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.paths import is_temporary

__all__ = ["broken", "finite", "flat", "is_name", "load", "own"]

_DEEPEST = 8  # levels of a nested parameter or metric

# What Ray adds to every report; a person looks for their own.
_RAYS_OWN = frozenset(
    {
        "checkpoint_dir_name",
        "config",
        "date",
        "done",
        "experiment_tag",
        "hostname",
        "iterations_since_restore",
        "node_ip",
        "pid",
        "should_checkpoint",
        "time_since_restore",
        "time_this_iter_s",
        "timestamp",
        "trial_id",
        "training_iteration",
    }
)


def load(text: str | bytes, path: str) -> Any:
    """Read JSON.

    Raises
    ------
    InvalidRequest
        If it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken(path) from error


def broken(path: str) -> InvalidRequest:
    """Make the error for a file that is not what Ray writes."""
    return InvalidRequest(
        "It is not what Ray writes",
        path=path,
        hint="It may be of another version of Ray, or cut off. Open the file to see.",
    )


def flat(value: object, *, below: str = "", depth: int = 0) -> dict[str, Any]:
    """Flatten a mapping to ``a/b`` → scalar; what JSON cannot hold becomes text.

    What Ray could not write as JSON it wrote as a pickle, which shows as ``…``.
    """
    found: dict[str, Any] = {}
    if not isinstance(value, Mapping):
        return found
    for name, item in value.items():
        key = f"{below}/{name}" if below else str(name)
        if isinstance(item, Mapping):
            if "_type" in item or depth >= _DEEPEST:
                found[key] = "…"
            else:
                found.update(flat(item, below=key, depth=depth + 1))
        else:
            found[key] = _scalar(item)
    return found


def own(report: object) -> dict[str, Any]:
    """Give what a person reported, without what Ray adds."""
    if not isinstance(report, Mapping):
        return {}
    return flat({name: item for name, item in report.items() if name not in _RAYS_OWN})


def finite(value: object) -> float | None:
    """Give a number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def is_name(text: object) -> bool:
    """Whether something is one part of a path."""
    return (
        isinstance(text, str)
        and text not in {"", ".", ".."}
        and not {"/", "\0"} & set(text)
        and not is_temporary(text)
    )


def _scalar(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no word for it, and browsers refuse Python's.
        return str(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    return json.dumps(value, default=str)[:200]
