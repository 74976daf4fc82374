"""What a storage is, and which ones make sense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from jupyter_storage.errors import InvalidPath, InvalidRequest
from jupyter_storage.paths import split_uri

__all__ = ["STORES", "InvalidField", "Mode", "Storage"]

STORES = {"s3": "s3", "gcs": "gs"}
"""Names of kinds of object storage, and the schemes of their URIs."""

# What both services accept as a bucket's name.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class Mode(str, Enum):
    """How a storage appears at its target."""

    MOUNT = "MOUNT"
    COPY = "COPY"
    MOUNT_CACHED = "MOUNT_CACHED"


class InvalidField(InvalidRequest):
    """One field of a storage is wrong.

    Parameters
    ----------
    field : str
        Its name.
    message, hint : str
        As in :class:`InvalidRequest`.
    """

    def __init__(self, field: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.field = field

    @property
    def kind(self) -> str:
        return InvalidRequest.__name__


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage as it is declared, with SkyPilot's fields.

    Attributes
    ----------
    name : str or None
        Of the bucket; None where the source is a bucket already.
    source : str, tuple of str, or None
        A local directory, several local files and directories, or a URI. Without one, an empty
        bucket.
    store : str or None
        ``s3`` or ``gcs``; None for the kind of the default bucket.
    persistent : bool
        Whether the bucket stays when the workload ends.
    mode : Mode

    Raises
    ------
    InvalidField
        Where the fields make no sense together.
    """

    name: str | None = None
    source: str | tuple[str, ...] | None = None
    store: str | None = None
    persistent: bool = True
    mode: Mode = Mode.MOUNT

    def __post_init__(self) -> None:
        if self.store is not None and self.store not in STORES:
            raise InvalidField(
                "store",
                f"'{self.store}' is no kind of store",
                f"One of: {', '.join(STORES)}. Other buckets are reached by their URI as source.",
            )
        if self.name is None:
            self._check_nameless()
        else:
            self._check_name(self.name)
        for path in self.local_sources:
            if "://" in path:
                raise InvalidField(
                    "source",
                    f"'{path}' is a URI, and a list takes local paths",
                    "Give each bucket an entry of its own.",
                )

    @property
    def is_remote(self) -> bool:
        """Whether the source is a bucket, which we neither fill nor delete."""
        return isinstance(self.source, str) and "://" in self.source

    @property
    def local_sources(self) -> tuple[str, ...]:
        """Paths on this machine, as they were written."""
        if self.source is None or self.is_remote:
            return ()
        return (self.source,) if isinstance(self.source, str) else self.source

    def check_sources(self) -> None:
        """See that the local sources are there, and that a single one is a directory.

        Raises
        ------
        InvalidField
        """
        for path in self.local_sources:
            if not Path(path).expanduser().exists():
                raise InvalidField(
                    "source", f"'{path}' does not exist", "Correct the path, or make it."
                )
        if isinstance(self.source, str) and self.local_sources:
            path = self.source
            if not Path(path).expanduser().is_dir():
                raise InvalidField(
                    "source",
                    f"'{path}' is a file, and a storage takes a directory",
                    f"Write a list, 'source: [{path}]': the file lands at the storage's root. "
                    "Or copy it without a storage: '/target: path/to/file'.",
                )

    def _check_nameless(self) -> None:
        if self.source is None:
            raise InvalidField(
                "name",
                "It has neither a name nor a source",
                "Give it a 'name' for a bucket of its own, or a 'source' such as s3://bucket.",
            )
        if not self.is_remote:
            raise InvalidField(
                "name",
                "Its source is local, and no name says which bucket takes it",
                "Add 'name'. Or copy it without a storage: '/target: local/path'.",
            )
        scheme = _scheme(str(self.source))
        if self.store is not None and STORES[self.store] != scheme:
            raise InvalidField(
                "store",
                f"The source is in '{scheme}://', not in '{self.store}'",
                "Leave 'store' out: the URI says where it is.",
            )

    def _check_name(self, name: str) -> None:
        if self.is_remote:
            raise InvalidField(
                "name",
                "Its source is a bucket, which has a name of its own",
                "Leave 'name' out.",
            )
        if not _NAME.fullmatch(name) or ".." in name:
            raise InvalidField(
                "name",
                f"'{name}' cannot be a bucket's name",
                "It has 3 to 63 lower-case letters, digits, '-', '_' and '.', and begins and "
                "ends with a letter or digit.",
            )


def _scheme(uri: str) -> str:
    try:
        return split_uri(uri)[0]
    except InvalidPath as error:
        raise InvalidField("source", error.message, error.hint) from error
