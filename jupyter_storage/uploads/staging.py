"""Where the bytes of an upload wait, and how they get to their place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from jupyter_storage.errors import Conflict, NotADirectory, NotFound
from jupyter_storage.paths import TEMPORARY_PREFIX, join, parent
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.places import Place
from jupyter_storage.uploads.states import State

__all__ = ["followed", "has_staged", "hold", "holding", "is_held", "settle", "stage_beside"]


def stage_beside(place: Place, store: LocalStore, identifier: str) -> tuple[Path, str]:
    """Choose a hidden file in the target's own file system, so that publishing is a rename.

    Parameters
    ----------
    place : Place
        The target.
    store : LocalStore
        The target's.
    identifier : str
        Of the upload.

    Returns
    -------
    tuple
        The file, and its key.

    Raises
    ------
    NotADirectory
        If a file is in the way.
    """
    key = parent(place.key)
    with place.naming():
        if not key:
            store.make_directory("")
        # The nearest directory that exists: those below it come into being with the file.
        while key:
            try:
                if not store.stat(key).is_directory:
                    raise NotADirectory("It is a file, not a directory", path=key)
                break
            except NotFound:
                key = parent(key)
        else:
            store.make_directory("")
        staged_key = join(key, f"{TEMPORARY_PREFIX}{identifier}")
        path = store.local_path(staged_key)
    assert path is not None  # noqa: S101  a LocalStore always has one
    return path, staged_key


def hold(file: FileIO, state: State) -> None:
    """Keep other servers that share the directory away from staged bytes, until it is closed.

    Raises
    ------
    Conflict
        If another one is at them.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict("The upload is in use by another server", path=state.path) from None
    except OSError:
        # No locks on this file system: one server at a time has to do.
        return


@contextmanager
def holding(state: State) -> Iterator[None]:
    """Hold the staged bytes, if they are not in their place already; see :func:`hold`."""
    try:
        file = Path(state.staged).open("r+b", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        yield
        return
    with file:
        hold(file, state)
        yield


def is_held(state: State) -> bool:
    """Whether some server is at the staged bytes now."""
    with suppress(OSError, Conflict), Path(state.staged).open("r+b", buffering=0) as file:
        hold(file, state)
        return False
    return Path(state.staged).exists()


def has_staged(state: State) -> bool:
    """Whether all that was accepted is still there."""
    try:
        return Path(state.staged).stat().st_size >= state.offset
    except FileNotFoundError:
        return False


def settle(state: State) -> int:
    """Make the staged bytes durable, cut off what was never accepted, and give the inode."""
    with Path(state.staged).open("r+b", buffering=0) as file:
        file.truncate(state.size)
        # One fsync a file: after it is published it must be whole, even if the power goes.
        os.fsync(file.fileno())
        if state.modified is not None:
            os.utime(file.fileno(), (state.modified, state.modified))
        return os.fstat(file.fileno()).st_ino


def followed(store: LocalStore, key: str) -> str:
    """The key of what a link at the end leads to, so that the link stays a link."""
    path = store.local_path(key)
    if path is not None and path.is_symlink():
        entry = store.stat(key)
        if entry.type == "symlink":
            raise NotFound(
                "The symbolic link leads out of the tier, or nowhere",
                path=key,
                hint="Use the path that the link points to.",
            )
        return path.resolve().relative_to(store.root).as_posix()
    return key
