"""Which program serves a mount, and why."""

from __future__ import annotations

import os
import shutil
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts.programs import PROGRAMS, Program
from jupyter_storage.paths import split_uri

__all__ = ["BUILT_IN", "DEVICE", "choose", "why_not"]

DEVICE = Path("/dev/fuse")
BUILT_IN = "built-in"

_COPY = (
    "A copy can stand in for the mount: add --copy. 'jupyter storage flush' brings back what is "
    "changed in it; what 'mode: COPY' fetches stays here, unless 'sync' brings it back."
)


def choose(
    target: str, uri: str, *, cached: bool = False, wanted: str | None = None
) -> tuple[str, str]:
    """Choose what serves a mount.

    The built-in one, where it can be used: everybody sees a file when it is closed, and of
    MOUNT_CACHED it says what is not uploaded yet.

    Parameters
    ----------
    target : str
        For errors.
    uri : str
        What is to be mounted.
    cached : bool
        Whether files are written to this machine first.
    wanted : str, optional
        A name that a person chose.

    Returns
    -------
    tuple of str
        Its name, and the reason.

    Raises
    ------
    Unsupported
        Where it cannot be mounted on this machine, or not by what is wanted.
    """
    device = _missing_device()
    if device is not None:
        raise Unsupported(
            f"Nothing can be mounted here: {device}",
            path=target,
            hint=_COPY,
        )
    if wanted is not None and wanted != BUILT_IN:
        return _wanted(target, uri, cached, wanted)
    missing = _missing_library()
    if missing is None:
        why = "it was asked for" if wanted else "it needs nothing but FUSE, which is there"
        return BUILT_IN, why
    for program in PROGRAMS.values():
        if wanted is None and _unable(program, uri, cached) is None:
            return program.name, f"it is installed, and for the built-in one {missing}"
    raise Unsupported(
        f"Nothing can be mounted here: {missing}",
        path=target,
        hint=f"Install it. {_COPY}",
    )


def why_not() -> str:
    """Say why nothing can be mounted here; that a person asked, where something can."""
    return _missing_device() or _missing_library() or "it was asked for"


def _wanted(target: str, uri: str, cached: bool, wanted: str) -> tuple[str, str]:
    program = PROGRAMS.get(wanted)
    if program is None:
        raise Unsupported(
            f"No mounter is called '{wanted}'",
            path=target,
            hint=f"There are: {', '.join([BUILT_IN, *PROGRAMS])}.",
        )
    unable = _unable(program, uri, cached)
    if unable is not None:
        raise Unsupported(
            f"{wanted} cannot mount this: {unable}",
            path=target,
            hint=f"Leave the mounter out: '{BUILT_IN}' can.",
        )
    return program.name, f"it was asked for; {program.good_for}"


def _unable(program: Program, uri: str, cached: bool) -> str | None:
    """Say why a program cannot do it."""
    scheme = split_uri(uri)[0]
    if scheme not in program.schemes:
        return f"it knows no '{scheme}://'"
    if cached:
        return "it does not say what is not uploaded yet"
    if scheme == "gs" and os.environ.get("STORAGE_EMULATOR_HOST"):
        return "it knows Google's own service only, and no emulator"
    if shutil.which(program.command) is None:
        return f"the program '{program.command}' is not installed"
    if os.getuid() and not (shutil.which("fusermount3") or shutil.which("fusermount")):
        return "fusermount is not installed (Debian: 'apt install fuse3')"
    return None


def _missing_device() -> str | None:
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"{DEVICE} is closed to this user"
    return None


def _missing_library() -> str | None:
    if find_library("fuse3") is None and find_library("fuse") is None:
        return "libfuse is not installed (Debian: 'apt install fuse3')"
    if find_spec("mfusepy") is None:
        return "the package mfusepy is not installed ('pip install mfusepy')"
    return None
