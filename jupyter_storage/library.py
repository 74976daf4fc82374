"""Tiers in a person's own code: ``jupyter_storage.fs``, ``open`` and ``path``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_storage.commands.session import session
from jupyter_storage.errors import Unsupported

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["fs", "open", "path"]


def fs(root: str) -> AbstractFileSystem:
    """Give an fsspec file system whose root is a tier, or any directory.

    Parameters
    ----------
    root : str
        A tier's name (``shared``), or a path (``shared:data``, ``s3://bucket/data``).

    Returns
    -------
    fsspec.AbstractFileSystem
        Paths are relative to the root: ``fs("shared").open("a/b.csv")``. pandas, pyarrow and Ray
        take it.

    Raises
    ------
    StorageError
        If there is no such tier.
    """
    from fsspec.implementations.dirfs import DirFileSystem

    service = session.service()
    place = f"{root}:" if root in service.tier_names() else root
    filesystem, inside = service.filesystem(place)
    return DirFileSystem(path=inside, fs=filesystem)


def open(file: str, mode: str = "rb", **options: Any) -> IO[Any]:  # noqa: A001
    """Open a file on a tier, in a bucket or on this machine.

    Parameters
    ----------
    file : str
        ``tier:relative/path``, a URI or a local path.
    mode : str
        As in Python's own ``open``: ``rb``, ``rt``, ``wb``, ``w``, …
    **options
        For fsspec's ``open``: ``encoding``, ``block_size``, ``compression``, …

    Returns
    -------
    file object
        On object storage, what is written appears when the file is closed.

    Raises
    ------
    StorageError
        If the path cannot be understood.
    FileNotFoundError
        If there is no such file.
    """
    filesystem, inside = session.service().filesystem(file)
    if "r" not in mode:
        filesystem.makedirs(filesystem._parent(inside), exist_ok=True)
    opened: IO[Any] = filesystem.open(inside, mode, **options)
    return opened


def path(name: str) -> Path:
    """Give the path on this machine, for tiers that are directories.

    Parameters
    ----------
    name : str
        A tier's name (``shared``) or a path (``shared:data``).

    Returns
    -------
    pathlib.Path
        The file need not exist.

    Raises
    ------
    Unsupported
        For object storage, which has no paths on this machine.
    """
    service = session.service()
    place = f"{name}:" if name in service.tier_names() else name
    local = service.local_path(place)
    if local is None:
        raise Unsupported(
            "It lies on object storage, which is no directory of this machine",
            path=place,
            hint="Open it with jupyter_storage.open(…), or copy it to 'local:' first.",
        )
    return local
