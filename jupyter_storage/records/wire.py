"""Records as JSON."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from enum import Enum
from typing import Any

__all__ = ["to_wire"]


def to_wire(value: Any) -> Any:
    """Turn records into what ``json.dumps`` takes.

    Parameters
    ----------
    value : Any
        A record, or a list, tuple or mapping that holds some.

    Returns
    -------
    Any
        Dictionaries, lists and scalars; times as ISO 8601 in UTC with a ``Z``.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_wire(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return value
