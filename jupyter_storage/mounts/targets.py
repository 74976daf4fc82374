"""Directories at which something is to be mounted."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_storage.errors import AlreadyExists, os_errors
from jupyter_storage.mounts.table import answers, detach, is_mounted
from jupyter_storage.records import MountRecord

__all__ = ["prepare", "taken"]


def prepare(path: str) -> None:
    """Make an empty directory there, and take away what is left of a mount that died.

    Raises
    ------
    AlreadyExists
        If something is there that a mount would hide.
    """
    with os_errors(path):
        if is_mounted(path):
            # What is left of a mounter that died.
            if answers(path):
                raise AlreadyExists(
                    "Something is mounted there already", path=path, hint="Choose another target."
                )
            detach(path, lazily=True)
        Path(path).mkdir(parents=True, exist_ok=True)
        if os.listdir(path):
            raise AlreadyExists(
                "The directory is not empty: a mount would hide what is in it",
                path=path,
                hint="Choose another target, or move the files away.",
            )


def taken(there: MountRecord) -> AlreadyExists:
    """Make the error for a target where something of ours is already."""
    return AlreadyExists(
        f"{there.uri} is mounted there as {there.mode}",
        path=there.target,
        hint=f"Unmount it first: jupyter storage unmount {there.target}.",
    )
