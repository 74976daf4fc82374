"""How a mount is: what it says of itself, what is not uploaded, why it could not be made."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from jupyter_storage.errors import NotFound, StorageError, Unreachable
from jupyter_storage.mounts.cache import Pending, cache_directory, pending
from jupyter_storage.mounts.copies import Copy
from jupyter_storage.mounts.requests import FAILED, LOG, Request
from jupyter_storage.mounts.table import answers, is_mounted
from jupyter_storage.records import MountRecord

__all__ = ["describe", "reason", "waiting"]

ANSWER = 5.0  # seconds in which a mount that works answers
NAMED = 20  # files that are named where many are not uploaded


def describe(directory: Path, request: Request) -> MountRecord:
    """Describe a mount as it is now."""
    left = waiting(directory, request)
    state = Copy(directory, request).state if request.copied else _state(request.target)
    return MountRecord(
        id=directory.name,
        target=request.target,
        uri=request.uri,
        mode="COPY" if request.copied else "MOUNT_CACHED" if request.cached else "MOUNT",
        mounter=request.mounter,
        reason=request.reason,
        state=state,
        pending=len(left),
        waiting=tuple(each.key for each in left[:NAMED]),
        created=datetime.fromisoformat(request.created),
        read_only=request.read_only,
    )


def waiting(directory: Path, request: Request) -> list[Pending]:
    """List what was written there and is not uploaded yet."""
    if request.copied:
        names = Copy(directory, request).unsynced()
        return [Pending(directory / name, name, "") for name in names]
    return pending(cache_directory(directory, request.uri))


def _state(target: str) -> Literal["ok", "dead", "hanging", "missing"]:
    if not is_mounted(target):
        return "missing"
    found = answers(target, ANSWER)
    if not is_mounted(target):
        return "missing"
    return "hanging" if found is None else "ok" if found else "dead"


def reason(directory: Path, request: Request) -> StorageError:
    """Say why nothing was mounted."""
    try:
        fields = json.loads((directory / FAILED).read_text("utf-8"))
    except (OSError, ValueError):
        log = ""
        with suppress(OSError):
            log = (directory / LOG).read_text("utf-8", "replace")
        last = log.strip().splitlines()[-1:] or ["it did not say why"]
        return Unreachable(f"It could not be mounted: {last[0]}", path=request.target)
    kind = NotFound if fields["kind"] == NotFound.__name__ else Unreachable
    return kind(f"{request.uri}: {fields['message']}", path=request.target, hint=fields["hint"])
