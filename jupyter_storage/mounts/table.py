"""What this machine has mounted, whether it answers, and how it is detached.

Nothing here touches a mount in this process: one that hangs would hold it up for ever.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["answers", "detach", "is_mounted"]

_TABLE = Path("/proc/self/mountinfo")
# As root of the mount, so that the program behind it answers and not the service.
_LOOK = "import os, sys; os.stat(sys.argv[1]); os.statvfs(sys.argv[1])"


def is_mounted(target: str) -> bool:
    """Whether something of FUSE is mounted there; it may be dead."""
    try:
        lines = _TABLE.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        fields, _, rest = line.partition(" - ")
        if _unescaped(fields.split(" ")[4]) == target and rest.startswith("fuse"):
            return True
    return False


def answers(target: str, timeout: float = 5.0) -> bool | None:
    """Ask a mount for a sign of life, in a process that can be killed.

    Returns
    -------
    bool or None
        None if it did not answer in time.
    """
    command = [sys.executable, "-I", "-S", "-c", _LOOK, target]
    with subprocess.Popen(  # noqa: S603  words of our own
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as look:
        try:
            return look.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            look.kill()
            return None


def detach(target: str, *, lazily: bool) -> str | None:
    """Unmount.

    Parameters
    ----------
    target : str
    lazily : bool
        Also where files are open: whoever has them open gets errors.

    Returns
    -------
    str or None
        Why it could not be done.
    """
    commands = [
        [program, "-uz" if lazily else "-u", target]
        for program in ("fusermount3", "fusermount")
        if shutil.which(program)
    ]
    commands.append(["umount", *(["-l"] if lazily else []), target])
    reason = ""
    for command in commands:
        done = subprocess.run(  # noqa: S603  words of our own
            command, capture_output=True, text=True, check=False, timeout=30
        )
        if done.returncode == 0 or not is_mounted(target):
            return None
        reason = reason or done.stderr.strip()
    return reason or "It could not be unmounted"


def _unescaped(field: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, letter)
    return field
