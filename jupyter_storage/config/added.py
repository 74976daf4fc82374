"""Tiers that a person added in the panel: a file of their own, beside Jupyter's configuration.

The configuration itself is left alone: it may be a program, and belongs to the administrator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_core.paths import jupyter_config_dir

from jupyter_storage.errors import InvalidRequest, os_errors
from jupyter_storage.paths import TEMPORARY_PREFIX

__all__ = ["load_added", "save_added"]

_NAME = "jupyter_storage_tiers.json"


def load_added() -> dict[str, dict[str, Any]]:
    """Read them.

    Raises
    ------
    InvalidRequest
        If the file cannot be understood.
    """
    path = _path()
    try:
        content = json.loads(path.read_bytes())
        return {str(name): dict(tier) for name, tier in content["tiers"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(
            f"The file with the added tiers cannot be read: {error}",
            path=str(path),
            hint="Correct the file, or move it away.",
        ) from error


def save_added(tiers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write them: the old file or the new one, never half."""
    path = _path()
    with os_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        try:
            content = {"tiers": {name: dict(tier) for name, tier in tiers.items()}}
            temporary.write_text(json.dumps(content, indent=2) + "\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _path() -> Path:
    return Path(jupyter_config_dir()) / _NAME
