"""Snapshots of one project directory: what the service uses."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_storage.errors import (
    Cancelled,
    Conflict,
    NotFound,
    PartialFailure,
    StorageError,
    from_os_error,
)
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.records import RestoreRecord, SnapshotRecord, SnapshotStatus
from jupyter_storage.redact import redact
from jupyter_storage.snapshots import worker
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.place import Place, find_place, restic_environment
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.restore import restore
from jupyter_storage.snapshots.syncer import Syncer, Told
from jupyter_storage.snapshots.views import to_record
from jupyter_storage.stores.opening import open_store

__all__ = ["Workspace"]

# What may lie in a directory that counts as empty.
_IGNORABLE = frozenset({".ipynb_checkpoints", ".virtual_documents", "lost+found"})

# Lies in the project directory while a restore at start is not finished: a directory that is
# half there must never become the newest snapshot. Snapshots leave such names out.
_UNFINISHED = f"{TEMPORARY_PREFIX}restoring"

_PAUSES = (2.0, 5.0, 15.0, 60.0)


class Workspace:
    """Snapshots of one project directory. All methods may be called from several threads.

    Parameters
    ----------
    project : Path
        The project directory.
    workspace : str
        Identifies the workspace; snapshots carry it as the tag ``workspace:<id>``.
    uri : str
        Prefix in the bucket's system area. The repository is at ``<uri>/snapshots``.
    options : mapping
        For :func:`~jupyter_storage.stores.opening.open_store`.
    fallback_uri : str or None
        Used in place of ``uri`` where that is denied.
    state : Path
        Directory of our own on this machine.
    password_file : str
        A person's own; empty for the one beside the repository.
    interval : float
        Seconds of quiet after a change before a snapshot is taken.
    enabled : bool
        Whether :meth:`start` does anything.
    excluded : sequence of Path
        Left out of snapshots.
    gitignore : bool
        Whether ``.gitignore`` files count in work trees of git.
    bandwidth : int
        Bytes a second that snapshots may write; 0 for no limit.
    listener : Callable, optional
        Called with every new status, in several threads.
    """

    def __init__(
        self,
        *,
        project: Path,
        workspace: str,
        uri: str,
        options: Mapping[str, Any],
        fallback_uri: str | None,
        state: Path,
        password_file: str = "",
        interval: float = 2.0,
        enabled: bool = True,
        excluded: Sequence[Path] = (),
        gitignore: bool = True,
        bandwidth: int = 0,
        listener: Callable[[SnapshotStatus], None] | None = None,
    ) -> None:
        self.project = Path(os.path.abspath(project))  # noqa: PTH100 links stay links
        self.workspace = workspace
        self._uris = [uri.rstrip("/")] + ([fallback_uri.rstrip("/")] if fallback_uri else [])
        self._options, self._state = dict(options), state
        self._password_file, self._interval, self._enabled = password_file, interval, enabled
        self._excluded, self._gitignore = [*excluded, state], gitignore
        self._bandwidth, self._listener = bandwidth, listener
        self._lock = threading.RLock()
        self._place: Place | None = None
        self._repository: Repository | None = None
        self._syncer: Syncer | None = None
        self._child = Child(state / "run")
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._status = SnapshotStatus(
            "unwatched" if enabled else "off",
            workspace,
            str(self.project),
            self._uris[0] + "/snapshots",
        )

    # What faces ask for

    def now(
        self, *, force: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> SnapshotRecord:
        """Take a snapshot and wait for it.

        Parameters
        ----------
        force : bool
            Write one even if nothing changed.
        progress : Callable, optional
            Called with the numbers of bytes and files that were read since the last call; only
            where the snapshot is taken in this process, that is, after no :meth:`start`.

        Returns
        -------
        SnapshotRecord
            The new one, or the newest if nothing changed.

        Raises
        ------
        Conflict
            While the project directory is being restored: half of it must not become a version.
        """
        with self._lock:
            syncer, restoring = self._syncer, self._status.state == "restoring"
        if restoring:
            raise Conflict(
                "The project directory is being restored", hint="Try again when it is complete."
            )
        if syncer is not None:
            return syncer.now(force).result()
        record = worker.run(self._request(force), progress=progress)
        # By hand is how a person says that the directory is right as it is.
        (self.project / _UNFINISHED).unlink(missing_ok=True)
        self._change(state="ok" if self._enabled else "off", last=record, error=None, hint=None)
        return record

    def list(self) -> list[SnapshotRecord]:
        """List the snapshots of this workspace, newest first."""
        repository = self._open()
        if repository is None:
            return []
        found = [s for s in repository.snapshots() if self._tag in s.tags]
        return [to_record(snapshot) for snapshot in reversed(found)]

    def restore(
        self,
        snapshot: str,
        target: Path,
        *,
        overwrite: bool = False,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> RestoreRecord:
        """Restore a snapshot into a directory.

        Parameters
        ----------
        snapshot : str
            Its ID, the beginning of one, or ``latest``.
        target : Path
            Made where it is missing.
        overwrite : bool
            Whether it may hold files; those that the snapshot has too are replaced.
        progress : Callable, optional
            Called with the numbers of bytes and files that were written since the last call.
        cancel : threading.Event, optional
            Set to stop.

        Raises
        ------
        NotFound
            If there is no such snapshot.
        AlreadyExists
            If the target is not empty and ``overwrite`` is not set.
        """
        return self._restore(
            snapshot, target, overwrite=overwrite, progress=progress, cancel=cancel
        )

    def status(self) -> SnapshotStatus:
        """Say how safe the project directory is, from memory."""
        with self._lock:
            return self._status

    def repository(self) -> Repository | None:
        """Open the repository for reading; None where there is none yet."""
        return self._open()

    def find(self, name: str) -> SnapshotRecord:
        """Find a snapshot by its ID, the beginning of one, or ``latest``.

        Raises
        ------
        NotFound, Conflict
            If there is none, or more than one.
        """
        repository = self._open()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        mine = [each for each in repository.snapshots() if self._tag in each.tags]
        return to_record(repository.find_snapshot(name, mine))

    def environment(self) -> dict[str, str]:
        """Variables with which stock restic opens the repository.

        Returns
        -------
        dict
            ``RESTIC_REPOSITORY``, ``RESTIC_PASSWORD_FILE``, and for S3 what options name.
        """
        return restic_environment(self._locate())

    # Life in a server

    def start(self) -> None:
        """Restore into an empty project directory, then snapshot it for ever; in the background."""
        with self._lock:
            if not self._enabled or self._thread is not None:
                return
            self._status = replace(self._status, state="waiting")
            self._thread = threading.Thread(target=self._begin, name="snapshots", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Take a last snapshot, within ``timeout`` seconds, and end what :meth:`start` began."""
        self._stopping.set()
        with self._lock:
            syncer, thread = self._syncer, self._thread
        if syncer is not None:
            syncer.stop(timeout)
        if thread is not None:
            thread.join(timeout)
        self._child.close()

    def _begin(self) -> None:
        for attempt in range(2**31):
            try:
                if self._needs_restore():
                    self._restore_project()
                break
            except Cancelled:
                return
            except Exception as problem:
                error = _told(problem)
                hint = (
                    f"{error.hint} Until the project directory is restored, no snapshot is taken. "
                    "'jupyter storage snapshot now' takes the directory as it is."
                )
                self._change(state="error", error=redact(str(error)), hint=redact(hint))
            # Somebody may take a snapshot by hand meanwhile: then the directory is right.
            if self._stopping.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)]):
                return
        syncer = Syncer(
            self.project.resolve(),
            excluded=self._inside(),
            gitignore=self._gitignore,
            interval=self._interval,
            capture=self._capture,
            tell=self._heard,
        )
        with self._lock:
            if self._stopping.is_set():
                return
            self._syncer = syncer
            syncer.start()

    def _needs_restore(self) -> bool:
        """Whether the project directory is empty, or half restored, and there are snapshots."""
        try:
            self.project.mkdir(parents=True, exist_ok=True)
            names = set(os.listdir(self.project))
        except OSError as error:
            raise from_os_error(error, str(self.project)) from error
        excluded = {str(path.resolve()) for path in self._inside()}
        real = {
            name
            for name in names - _IGNORABLE
            if not name.startswith(TEMPORARY_PREFIX)
            and not _leads_to(str((self.project / name).resolve()), excluded)
        }
        if _UNFINISHED not in names and real:
            return False
        return bool(self.list())

    def _restore_project(self) -> None:
        self._change(state="restoring", error=None, hint=None)
        marker = self.project / _UNFINISHED
        try:
            marker.touch()
        except OSError as error:
            raise from_os_error(error, str(self.project)) from error
        record = self._restore("latest", self.project, keep=True, cancel=self._stopping)
        if record.failures:
            first = record.failures[0]
            raise PartialFailure(
                f"{len(record.failures)} files could not be restored, the first: {first.message}",
                path=first.path,
                hint=first.hint,
            )
        marker.unlink(missing_ok=True)

    # Below

    @property
    def _tag(self) -> str:
        return f"workspace:{self.workspace}"

    def _locate(self) -> Place:
        place = self._find(create=True)
        if place is None:
            raise NotFound("There is no place for snapshots", path=self._uris[0])
        return place

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
            if place is not None:
                with self._lock:
                    self._place = place
                self._change(repository=place.uri)
        return place

    def _open(self) -> Repository | None:
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

    def _restore(
        self,
        name: str,
        target: Path,
        *,
        overwrite: bool = False,
        keep: bool = False,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> RestoreRecord:
        repository = self._open()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        with self._read_lock(repository):
            found = repository.snapshots()
            mine = [s for s in found if self._tag in s.tags]
            snapshot = repository.find_snapshot(name, mine if name == "latest" else found)
            repository.refresh()
            return restore(
                repository,
                snapshot,
                target,
                overwrite=overwrite,
                keep=keep,
                progress=progress,
                cancel=cancel,
            )

    def _read_lock(self, repository: Repository) -> AbstractContextManager[Hold]:
        return repository.lock(records=self._state / "locks")

    def _request(self, force: bool) -> dict[str, Any]:
        place = self._locate()
        return {
            "uri": place.uri,
            "options": dict(place.options),
            "password_file": str(place.password_file),
            "state": str(self._state),
            "project": str(self.project),
            "tags": [self._tag],
            "lineage": [self._tag],
            "excluded": [str(path) for path in self._inside(place)],
            "gitignore": self._gitignore,
            "force": force,
            "bandwidth": self._bandwidth,
        }

    def _inside(self, place: Place | None = None) -> Sequence[Path]:
        """Whatever snapshots must not hold: our own, and the repository itself."""
        own = list(self._excluded)
        for uri in {*self._uris, *({place.uri} if place else ())}:
            if uri.startswith("file:"):
                path = open_store(uri, self._options).local_path("")
                if path is not None:
                    own.append(path)
        return own

    def _capture(self, force: bool, cancel: threading.Event) -> SnapshotRecord:
        return self._child.capture(self._request(force), cancel).record

    def _heard(self, told: Told) -> None:
        changes: dict[str, Any] = {"pending": told.pending}
        if told.record is not None:
            changes |= {"last": told.record, "failures": told.record.failures}
        changes |= {"error": None, "hint": None}
        if told.error is not None and not isinstance(told.error, Cancelled):
            changes |= {"error": redact(str(told.error)), "hint": redact(told.error.hint)}
        if told.capturing:
            changes["state"] = "capturing"
        elif changes["error"]:
            changes["state"] = "error"
        else:
            changes["state"] = "waiting" if told.pending or told.record is None else "ok"
        self._change(**changes)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            before, self._status = self._status, replace(self._status, **changes)
            status = self._status
        if self._listener is not None and status != before:
            self._listener(status)


def _leads_to(path: str, places: set[str]) -> bool:
    """Whether a path is one of some places, or holds nothing but the way to one."""
    if path in places:
        return True
    if not any(place.startswith(path + "/") for place in places):
        return False
    with suppress(OSError):
        return all(_leads_to(f"{path}/{name}", places) for name in os.listdir(path))
    return False


def _told(problem: Exception) -> StorageError:
    if isinstance(problem, StorageError):
        return problem
    return StorageError(f"{type(problem).__name__}: {problem}")
