"""Where something is, and what a person calls it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from jupyter_storage.errors import StorageError
from jupyter_storage.paths import basename, is_below, join
from jupyter_storage.records import Failure
from jupyter_storage.stores.store import Store

__all__ = ["Place", "failure"]


@dataclass(frozen=True, slots=True)
class Place:
    """A key in a store, and how a person spells it.

    Attributes
    ----------
    store : Store
    key : str
        Clean key; empty for the root.
    label : str
        What a person calls the root, such that ``label + key`` is what they would type:
        ``shared:``, ``s3://bucket/``, ``/``.
    directory : bool
        Whether it was written with a trailing slash.
    """

    store: Store
    key: str
    label: str
    directory: bool = False

    @property
    def path(self) -> str:
        """The place as a person types it."""
        return self.label + self.key

    @property
    def name(self) -> str:
        """Last part of the key; for a root, the tier's or bucket's name."""
        return basename(self.key) or basename(self.label.rstrip("/:")) or "root"

    def at(self, key: str) -> Place:
        """Another key in the same store."""
        return Place(self.store, key, self.label)

    def below(self, name: str) -> Place:
        """Something in this directory."""
        return self.at(join(self.key, name))

    def is_in(self, other: Place) -> bool:
        """Whether this is the other place or lies in it, links in local paths resolved."""
        mine, theirs = self.store.local_path(self.key), other.store.local_path(other.key)
        if mine is not None and theirs is not None:
            here, there = os.path.realpath(mine), os.path.realpath(theirs)
            return is_below(here.strip("/"), there.strip("/"))
        if mine is not None or theirs is not None:
            return False
        # One URI can mean two things behind two endpoints: the stores know whether they are one.
        if self.store is not other.store and not self.store.can_copy_from(other.store):
            return False
        return is_below(join(self.store.uri, self.key), join(other.store.uri, other.key))

    def naming(self) -> _Naming:
        """Let errors name the file as a person does, not by its key."""
        return _Naming(self)


class _Naming:
    """A context: several for each file, so that it is no generator."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        place = self._place
        # An error may come through two places: the nearer one knows what it is about.
        if (
            isinstance(error, StorageError)
            and not error.named
            and (error.path is None or not error.path.startswith(place.label))
        ):
            error.at(place.label + (place.key if error.path is None else error.path))


def failure(error: StorageError, path: str | None = None) -> Failure:
    """Turn an error into a line of a transfer's record.

    Parameters
    ----------
    error : StorageError
    path : str, optional
        The file, where the error does not name it.
    """
    return Failure(error.path or path or "", error.kind, error.message, error.hint)
