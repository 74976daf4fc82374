"""Which files people have open: a start on a new machine brings these first.

They are noted beside the repository, sealed with its keys, as names in snapshots are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.home import Home
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.store import Store

__all__ = ["Documents"]

_KEY = "snapshots.open"


class Documents:
    """The open files of a workspace.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def note(self, paths: Sequence[str]) -> None:
        """Note the files that are open now; before the first snapshot there is nobody to tell."""
        repository = self._home.repository()
        if repository is not None:
            sealed = repository.master_keys.seal(json.dumps(list(paths)).encode())
            with self._store() as store:
                store.write(_KEY, sealed)

    def read(self) -> Sequence[str]:
        """Give the files that were open last; none where that cannot be told."""
        # All files come back without it, too.
        with suppress(StorageError, ValueError):
            with self._store() as store:
                sealed = store.read(_KEY)
            paths = json.loads(self._home.opened().master_keys.open(sealed))
            return [str(path) for path in paths]
        return []

    @contextmanager
    def _store(self) -> Iterator[Store]:
        place = self._home.place()
        store = open_store(place.uri.removesuffix("/snapshots"), place.options)
        try:
            yield store
        finally:
            store.close()
