"""Object storage that is mounted inside the project directory: it is safe where it is."""

from __future__ import annotations

from pathlib import Path

from jupyter_storage.stores.mount_table import mount_table

__all__ = ["mounted_below"]

# What our mounts are served by. Other file systems may well be a part of the project.
_PROGRAMS = ("jupyter_storage", "rclone", "mountpoint-s3", "gcsfuse", "s3fs")
_KINDS = {f"fuse.{program}" for program in _PROGRAMS}


def mounted_below(project: Path) -> list[Path]:
    """List the buckets that are mounted below a directory, without a look at any of them.

    A snapshot of one would fetch all of it.
    """
    return [
        each.target
        for each in mount_table()
        if each.kind in _KINDS and project in each.target.parents
    ]
