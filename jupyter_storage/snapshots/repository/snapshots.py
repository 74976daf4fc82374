"""Snapshot files: one version each. Source: restic's ``internal/restic/snapshot.go``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.times import from_text, to_text

__all__ = ["Snapshot"]

# Ours, beside restic's fields; restic passes over it.
_EXTRA = "jupyter_storage"


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Attributes
    ----------
    id : str
        64 hexadecimal digits; empty before it is saved.
    time : int
        Nanoseconds since 1970.
    tree : str
        ID of the tree that holds ``paths``, from the file system's root on.
    summary : mapping
        restic's counters (since 0.17); empty where the writer noted none.
    extra : mapping
        What only we note: JSON.
    """

    id: str
    time: int
    tree: str
    paths: tuple[str, ...]
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    tags: tuple[str, ...] = ()
    parent: str | None = None
    program_version: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Spell it as the file does."""
        wire: dict[str, Any] = {"time": to_text(self.time)}
        if self.parent:
            wire["parent"] = self.parent
        wire |= {"tree": self.tree, "paths": list(self.paths)}
        optional = {
            "hostname": self.hostname,
            "username": self.username,
            "uid": self.uid,
            "gid": self.gid,
            "tags": list(self.tags),
            "program_version": self.program_version,
            "summary": dict(self.summary),
            _EXTRA: dict(self.extra),
        }
        return wire | {key: value for key, value in optional.items() if value}

    @classmethod
    def from_json(cls, identifier: str, wire: Mapping[str, Any]) -> Snapshot:
        """Read what the file holds.

        Raises
        ------
        ChecksumMismatch
            If it is no snapshot.
        """
        try:
            return cls(
                id=identifier,
                time=from_text(wire["time"]),
                tree=str(wire["tree"]),
                paths=tuple(wire.get("paths") or ()),
                hostname=wire.get("hostname", ""),
                username=wire.get("username", ""),
                uid=wire.get("uid", 0),
                gid=wire.get("gid", 0),
                tags=tuple(wire.get("tags") or ()),
                parent=wire.get("parent"),
                program_version=wire.get("program_version", ""),
                summary=wire.get("summary") or {},
                extra=wire.get(_EXTRA) or {},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ChecksumMismatch(
                "A snapshot in the repository cannot be read",
                path=identifier,
                hint="Check the repository with 'restic check --read-data'.",
            ) from error
