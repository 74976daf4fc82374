"""Where the snapshots of a workspace are: found once, opened once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_storage.errors import NotFound
from jupyter_storage.snapshots.names import find_snapshot
from jupyter_storage.snapshots.place import Place, find_place
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.views import newest
from jupyter_storage.stores.opening import open_store

__all__ = ["Home"]


class Home:
    """The place of a workspace's repository. All methods may be called from several threads.

    Parameters
    ----------
    uris : sequence of str
        Where it may be, the preferred one first; the repository is at ``<uri>/snapshots``.
    options : mapping
        For :func:`~jupyter_storage.stores.opening.open_store`.
    state : Path
        Directory of our own on this machine.
    password_file : str or None
        A person's own; empty for the one beside the repository; None for an empty password.
    tag : str
        What all snapshots of the workspace are tagged with.
    """

    def __init__(
        self,
        uris: Sequence[str],
        options: Mapping[str, Any],
        state: Path,
        password_file: str | None,
        tag: str,
    ) -> None:
        self.tag = tag
        self._uris, self._options = list(uris), dict(options)
        self._state, self._password_file = state, password_file
        self._lock = threading.RLock()
        self._place: Place | None = None
        self._repository: Repository | None = None

    @property
    def uri(self) -> str:
        """Where the repository is, or will be unless that is denied."""
        with self._lock:
            return self._place.uri if self._place else self._uris[0] + "/snapshots"

    def place(self) -> Place:
        """Find the place, or choose one."""
        place = self._find(create=True)
        if place is None:
            raise NotFound("There is no place for snapshots", path=self._uris[0])
        return place

    def forget(self) -> None:
        """Look again the next time: the password may have been changed on another machine."""
        with self._lock:
            self._place = None

    def repository(self) -> Repository | None:
        """Open the repository for reading; None where there is none yet."""
        with self._lock:
            repository = self._repository
        if repository is not None:
            return repository
        place = self._find(create=False)
        if place is None:
            return None
        store = open_store(place.uri, place.options)
        if not Repository.exists(store):
            store.close()
            return None
        repository = Repository.open(store, place.password(), cache=self._state / "cache")
        with self._lock:
            self._repository = repository
        return repository

    def make(self) -> Repository:
        """Make the repository, or open the one that somebody made meanwhile."""
        place = self.place()
        store = open_store(place.uri, place.options)
        try:
            Repository.create(store, place.password()).close()
        finally:
            store.close()
        return self.opened()

    def opened(self) -> Repository:
        """Open the repository for reading.

        Raises
        ------
        NotFound
            If there is none yet.
        """
        repository = self.repository()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        return repository

    def snapshots(self) -> list[Snapshot]:
        """List the snapshots of the workspace, oldest first."""
        repository = self.repository()
        found = repository.snapshots() if repository else []
        return [snapshot for snapshot in found if self.tag in snapshot.tags]

    def find(self, name: str) -> Snapshot:
        """Find a snapshot; see :meth:`Workspace.find`."""
        return find_snapshot(self.opened().snapshots(), name, self.tag)

    def newest(self) -> Snapshot | None:
        """The newest snapshot of the main line."""
        return newest(self.snapshots(), [self.tag])

    def directories(self) -> list[Path]:
        """Directories on this machine that hold, or may hold, the repository."""
        found = []
        for uri in {*self._uris, self.uri}:
            if uri.startswith("file:"):
                path = open_store(uri, self._options).local_path("")
                if path is not None:
                    found.append(path)
        return found

    def _find(self, *, create: bool) -> Place | None:
        with self._lock:
            place = self._place
        if place is None:
            place = find_place(
                self._uris,
                self._options,
                state=self._state,
                password_file=self._password_file,
                create=create,
            )
            with self._lock:
                self._place = place
        return place
