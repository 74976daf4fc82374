"""Tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TierRecord"]


@dataclass(frozen=True, slots=True)
class TierRecord:
    """One tier as faces show it.

    Attributes
    ----------
    name, uri, scope, lifetime, purpose : str
        See the words in ``docs/tiers.md``.
    path : str or None
        Directory in which kernels and terminals find the tier; None for object storage that is
        not mounted.
    state : {'ok', 'checking', 'not configured', 'unreachable'}
        ``checking``: it has not answered yet, and was not waited for. With ``reason`` and
        ``hint`` where it is not ok.
    used, free, quota : int or None
        Bytes.
    full_in_days : float or None
        When nothing will be left, if it goes on as it did; None where nobody can tell.
    options : mapping or None
        How a tier that a person added is reached; None for those of the configuration.
    """

    name: str
    uri: str
    scope: str
    lifetime: str
    purpose: str
    path: str | None
    state: Literal["ok", "checking", "not configured", "unreachable"]
    reason: str | None = None
    hint: str | None = None
    used: int | None = None
    free: int | None = None
    quota: int | None = None
    full_in_days: float | None = None
    options: Mapping[str, Any] | None = None
