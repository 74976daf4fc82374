"""What this machine has mounted, whether it answers, and how it is detached.

Nothing here touches a mount in this process: one that hangs would hold it up for ever.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from jupyter_storage.stores.mount_table import Mounted, mount_table

__all__ = ["answers", "detach", "is_mounted", "read_ahead", "resolved"]

READ_AHEAD = 2**20  # bytes

# As root of the mount, so that the program behind it answers and not the service.
_LOOK = (
    "import os, sys; os.write(1, b'.'); os.close(1); os.stat(sys.argv[1]); os.statvfs(sys.argv[1])"
)
_given_up: list[subprocess.Popen[bytes]] = []
_LINKS = 40  # as many as Linux follows


def resolved(target: str | Path) -> str:
    """Follow the links in a path as :func:`os.path.realpath` does, which asks the mount as well."""
    path = Path.cwd() / target
    for _ in range(_LINKS):
        if path.name in {"", os.pardir}:
            break
        path = Path(os.path.realpath(path.parent)) / path.name
        if is_mounted(str(path)):
            return str(path)
        try:
            path = path.parent / path.readlink()
        except OSError:
            return str(path)
    return os.path.realpath(path)


def is_mounted(target: str) -> bool:
    """Whether something of FUSE is mounted there; it may be dead."""
    return any(each.target == Path(target) for each in _mounted())


def answers(target: str, timeout: float = 5.0) -> bool | None:
    """Ask a mount for a sign of life, in a process that can be given up.

    Parameters
    ----------
    target : str
    timeout : float
        Seconds, from the moment when that process asks: on a busy machine it may begin late.

    Returns
    -------
    bool or None
        None if it did not answer in time.
    """
    command = [sys.executable, "-I", "-S", "-c", _LOOK, target]
    look = subprocess.Popen(  # noqa: S603  words of our own
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert look.stdout is not None  # noqa: S101  it is a pipe
    with look.stdout as begun:
        begun.read(1)
    try:
        return look.wait(timeout) == 0
    except subprocess.TimeoutExpired:
        look.kill()
    # It may not die before the mount does: who waits for that would hang with it.
    _given_up[:] = [each for each in [*_given_up, look] if each.poll() is None]
    return None


def read_ahead(target: str) -> None:
    """Let the kernel ask for more at once where files are read in order, if this user may say so.

    Its own 128 KiB are little for a service far away. It forgets it with the mount.
    """
    for fields in _mounted():
        if fields.target == Path(target):
            with suppress(OSError):
                Path(f"/sys/class/bdi/{fields.device}/read_ahead_kb").write_text(
                    str(READ_AHEAD // 1024), "ascii"
                )


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


def _mounted() -> list[Mounted]:
    """What of FUSE is mounted."""
    return [each for each in mount_table() if each.kind.startswith("fuse")]
