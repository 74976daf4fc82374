"""Which program serves a mount, and why."""

from __future__ import annotations

import os
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

from jupyter_storage.errors import Unsupported

__all__ = ["DEVICE", "choose"]

DEVICE = Path("/dev/fuse")


def choose(target: str) -> tuple[str, str]:
    """Choose what serves a mount.

    Parameters
    ----------
    target : str
        For errors.

    Returns
    -------
    tuple of str
        Its name, and the reason.

    Raises
    ------
    Unsupported
        Where nothing can be mounted on this machine.
    """
    missing = _missing()
    if missing is not None:
        raise Unsupported(
            f"Nothing can be mounted here: {missing}",
            path=target,
            hint="Use 'mode: COPY', and bring results back with 'jupyter storage sync'.",
        )
    return "built-in", "it needs nothing but FUSE, which is there"


def _missing() -> str | None:
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"{DEVICE} is closed to this user"
    if find_library("fuse3") is None and find_library("fuse") is None:
        return "libfuse is not installed (Debian: 'apt install fuse3')"
    if find_spec("mfusepy") is None:
        return "the package mfusepy is not installed ('pip install mfusepy')"
    return None
