"""What is to be mounted where: one directory of ours a mount, which outlives every process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["FAILED", "LOG", "MADE", "PIDS", "REQUEST", "STOP", "Request", "directory_of", "put"]

REQUEST = "request.json"
FAILED = "failed.json"  # why the last try to mount came to nothing
MADE = "made"  # it worked once: it is tried again and again until it does
STOP = "stop"  # it is being unmounted: nobody is to bring it back
PIDS = "pids.json"  # of the supervisor and of what it started
LOG = "log.txt"


@dataclass(frozen=True, slots=True)
class Request:
    """One mount.

    Attributes
    ----------
    target : str
        The directory, absolute.
    uri : str
    options : mapping
        For the store; names of secrets, never secrets.
    read_only, cached : bool
    copied : bool
        Whether it is a copy, in place of a mount.
    every : float
        Seconds between two times that a copy's changes are brought back by themselves; 0 for never.
    mounter, reason : str
        The program, and why this one.
    created : str
        In ISO 8601.
    """

    target: str
    uri: str
    options: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = False
    cached: bool = False
    copied: bool = False
    every: float = 0.0
    mounter: str = ""
    reason: str = ""
    created: str = ""

    @classmethod
    def read(cls, directory: Path) -> Request:
        """Read it from its directory; OSError or ValueError where there is none."""
        return cls(**json.loads((directory / REQUEST).read_text("utf-8")))

    def write(self, directory: Path) -> None:
        """Write it into its directory."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        put(directory / REQUEST, asdict(self))


def put(path: Path, fields: Mapping[str, Any]) -> None:
    """Replace a small file at one moment."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def directory_of(state: Path, target: str) -> Path:
    """The directory of ours for what is mounted at a target."""
    return state / hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()[:16]
