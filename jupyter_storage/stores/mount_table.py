"""What this machine has mounted, as Linux tells it; nothing that is mounted is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from jupyter_storage.errors import HoldsMount

__all__ = ["Mounted", "mount_table", "mounted_in", "refuse_mounts"]

_TABLE = Path("/proc/self/mountinfo")
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Mounted(NamedTuple):
    """A line of the table.

    Attributes
    ----------
    device : str
        ``major:minor``, as ``/sys`` calls it.
    target : Path
    kind : str
        Type of the file system: ``ext4``, ``fuse.rclone``.
    """

    device: str
    target: Path
    kind: str


def mount_table() -> list[Mounted]:
    """List what is mounted, in the order of mounting; nothing where there is no such table.

    Its form is that of ``/proc/self/mountinfo`` in proc_pid_mountinfo(5): the third field is the
    device, the fifth the target, and the first one after the separator ``-`` the type.
    """
    try:
        lines = _TABLE.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    table = []
    for line in lines:
        fields, _, rest = line.partition(" - ")
        _, _, device, _, target, *_ = fields.split(" ")
        for code, letter in _ESCAPES:
            target = target.replace(code, letter)
        table.append(Mounted(device, Path(target), rest.split(" ")[0]))
    return table


def mounted_in(path: Path) -> list[Path]:
    """List where something is mounted at a path or below it.

    Parameters
    ----------
    path : Path
        With no link in it.
    """
    wanted, inside = str(path), f"{str(path).rstrip(os.sep)}{os.sep}"
    targets = (each.target for each in mount_table())
    return [target for target in targets if str(target) == wanted or str(target).startswith(inside)]


def refuse_mounts(path: Path, key: str) -> None:
    """Refuse to delete or move a directory where something is mounted: its data would go too.

    Parameters
    ----------
    path : Path
        The directory; one that is a tier's root may itself be mounted. Of files there may be many,
        and nothing is mounted below them.
    key : str
        What the store calls it; empty for the root.

    Raises
    ------
    HoldsMount
    """
    if not os.path.isdir(path):  # noqa: PTH112  a dead mount is no error here
        return
    real = Path(os.path.realpath(path))
    found = [target for target in mounted_in(real) if key or target != real]
    if found:
        inside = found[0].relative_to(real).as_posix()
        raise HoldsMount(
            "Storage is mounted there: its data would be lost with the directory"
            if inside == "."
            else f"Storage is mounted in it, at '{inside}': its data would be lost with it",
            path=key,
        )
