"""What a tier is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Tier"]


@dataclass(frozen=True, slots=True)
class Tier:
    """A named root.

    Attributes
    ----------
    name : str
        As it stands before the colon of a path.
    uri : str
        Where the bytes are: ``file:///…``, ``s3://bucket/prefix``; no trailing slash.
    scope : str
        Who and what sees it.
    lifetime : str
        When its content goes away.
    purpose : str
        What it is for.
    path : Path or None
        Directory under which kernels and terminals find it.
    mounted : Path or None
        Directory at which object storage is to be mounted; then ``path`` is None.
    alias : Path or None
        Where a link to the directory is wanted (``/mnt/…``), if that place is free.
    quota : int or None
        Bytes that it may hold.
    options : mapping
        For the store behind it.
    """

    name: str
    uri: str
    scope: str
    lifetime: str
    purpose: str
    path: Path | None = None
    mounted: Path | None = None
    alias: Path | None = None
    quota: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
