"""Keeps a project directory on its line: finds the lease, gives signs of life, gives it back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.home import Home
from jupyter_storage.snapshots.lease import INTERVAL, Lease
from jupyter_storage.snapshots.line import Heading, Line, directory_name
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.stores.opening import open_store

__all__ = ["Keeper"]


class Keeper:
    """The line of one project directory, for one process.

    Parameters
    ----------
    home : Home
    project : Path
        The project directory.
    state : Path
        Directory of our own on this machine.
    tag : str
        What all snapshots of the workspace are tagged with.
    newest : Callable
        Gives the newest snapshot of the main line.
    heard : Callable
        Called with each heading, and whether the store keeps two machines apart.
    """

    def __init__(
        self,
        home: Home,
        project: Path,
        state: Path,
        tag: str,
        *,
        newest: Callable[[], Snapshot | None],
        heard: Callable[[Heading, bool | None], None],
    ) -> None:
        self._home, self._project, self._state, self._tag = home, project, state, tag
        self._newest, self._heard = newest, heard
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def line(self) -> Line:
        """The line; the place of the repository is found, or chosen, for it."""
        with self._lock:
            if self._line is None:
                place = self._home.place()
                self._project.mkdir(parents=True, exist_ok=True)
                name = directory_name(self._project)
                lease = Lease(
                    open_store(place.uri.removesuffix("/snapshots"), place.options),
                    records=self._state / "lease" / name,
                    locks=self._state / "locks",
                )
                note = self._state / "lease" / f"{name}.json"
                self._line = Line(lease, tag=self._tag, state=note, newest=self._newest)
            return self._line

    def sync(self) -> Heading:
        """Say where the next snapshot goes."""
        heading = self.line.sync()
        self._heard(heading, self.line.guarded)
        return heading

    def start(self, joined: Callable[[], object]) -> None:
        """Give signs of life, until :meth:`stop`.

        Parameters
        ----------
        joined : Callable
            Called where the directory is on the main line again, and it has no snapshot yet.
        """
        self._thread = threading.Thread(
            target=self._keep, args=(joined,), name="lease", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End, and give the lease back: who comes next need not wait."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None
        self.let_go()

    def let_go(self) -> None:
        """Give the lease back, unless :meth:`start` began something that lives on."""
        with self._lock:
            line = self._line if self._thread is None else None
        if line is not None:
            with suppress(StorageError):
                line.release()

    def _keep(self, joined: Callable[[], object]) -> None:
        while True:
            # What cannot be reached is told by the next snapshot, which needs it too.
            with suppress(StorageError):
                if self.sync().joins:
                    joined()
            if self._stopping.wait(INTERVAL):
                return
