"""Tiers and storages in a person's own code: ``fs``, ``open``, ``path`` and ``Storage``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_storage.commands.session import session
from jupyter_storage.errors import InvalidRequest, PartialFailure, Unsupported

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from jupyter_storage.records import TransferRecord
    from jupyter_storage.storages.document import Document

__all__ = ["Storage", "fs", "open", "path"]


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
    """Give the path on this machine, for tiers that are directories, or mounted as such.

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
        For object storage that is not mounted: it has no paths on this machine.
    """
    service = session.service()
    place = f"{name}:" if name in service.tier_names() else name
    local = service.local_path(place) or service.mounted_path(place)
    if local is None:
        raise Unsupported(
            "It lies on object storage, which is no directory of this machine",
            path=place,
            hint="Open it with jupyter_storage.open(…), or copy it to 'local:' first.",
        )
    return local


class Storage:
    """A storage with SkyPilot's fields, as in a YAML file; see ``docs/storages.md``.

    Parameters
    ----------
    name : str, optional
        Of the bucket, which is made if there is none. Not where ``source`` is a bucket.
    source : str or sequence of str, optional
        A directory, several files and directories, or a URI.
    store : {'s3', 'gcs'}, optional
        The kind of the default bucket unless given.
    persistent : bool
        Whether it stays when the workload ends.
    mode : {'MOUNT', 'COPY', 'MOUNT_CACHED'}

    Raises
    ------
    InvalidRequest
        Where the fields make no sense together.

    Examples
    --------
    >>> cats = Storage("cats-2026", source="~/datasets")  # doctest: +SKIP
    >>> cats.attach("~/cats")  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str | None = None,
        source: str | Sequence[str] | None = None,
        store: str | None = None,
        persistent: bool = True,
        mode: str = "MOUNT",
    ) -> None:
        from jupyter_storage.storages.model import Mode
        from jupyter_storage.storages.model import Storage as Declared

        if mode.upper() not in Mode.__members__:
            modes = ", ".join(Mode.__members__)
            raise InvalidRequest(f"There is no mode '{mode}'", hint=f"One of: {modes}.")
        sources = source if source is None or isinstance(source, str) else tuple(source)
        self._declared = Declared(name, sources, store, persistent, Mode[mode.upper()])

    def __repr__(self) -> str:
        return repr(self._declared)

    def attach(self, target: str | Path) -> Path:
        """Make the storage if need be, bring it up to its source, and put it at a directory.

        Parameters
        ----------
        target : str or Path

        Returns
        -------
        Path
            The directory.

        Raises
        ------
        PartialFailure
            If not all could be done.
        """
        service = session.service()
        command = f"jupyter_storage.Storage({self._declared.name or self._declared.source})"
        _finish(service.apply_document(self._document(target), command=command))
        return Path(target).expanduser().absolute()

    @contextmanager
    def attached(self, target: str | Path) -> Iterator[Path]:
        """As :meth:`attach`, for a workload as long as the ``with`` block.

        At its end the mount is taken away, and the storage deleted if it is not persistent, and
        never was.

        Parameters
        ----------
        target : str or Path

        Yields
        ------
        Path
            The directory.
        """
        service = session.service()
        workload = service.workloads.coming(self._document(target))
        try:
            yield self.attach(target)
        finally:
            _finish(service.end_workload(workload))

    def detach(self, target: str | Path) -> None:
        """Take its mount away, after all that was written has arrived."""
        session.service().mounts.unmount(Path(target).expanduser())

    def delete(self) -> None:
        """Delete it with all that is in it, and its bucket. There is no question first.

        Raises
        ------
        NotFound
            If it was not created here: buckets of others are never deleted.
        PartialFailure
            If it is mounted, or not all could be deleted.
        """
        if self._declared.name is None:
            raise InvalidRequest(
                "Its bucket was there before, and is not deleted",
                path=str(self._declared.source),
                hint="Delete it with the service's own tools.",
            )
        _finish(session.service().delete_storages([self._declared.name]))

    def _document(self, target: str | Path) -> Document:
        from jupyter_storage.storages.document import Document, FileMount

        mount = FileMount(str(target), None, self._declared, str(target))
        return Document(str(target), None, (mount,))


def _finish(started: TransferRecord) -> None:
    record = session.service().wait(started.id)
    if record.state != "done":
        first = record.failures[0]
        raise PartialFailure(first.message, path=first.path, hint=first.hint)
