"""Snapshots of one project directory: what the service uses."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_storage.errors import (
    AccessDenied,
    Cancelled,
    Conflict,
    InvalidPath,
    InvalidRequest,
    NotFound,
    StorageError,
)
from jupyter_storage.paths import clean_key
from jupyter_storage.records import (
    ConflictPolicy,
    RestorePlan,
    RestoreRecord,
    SnapshotRecord,
    SnapshotStatus,
)
from jupyter_storage.redact import redact
from jupyter_storage.snapshots import startup, worker
from jupyter_storage.snapshots.capture import Taken
from jupyter_storage.snapshots.child import Child
from jupyter_storage.snapshots.home import Home
from jupyter_storage.snapshots.names import find_snapshot
from jupyter_storage.snapshots.place import Place, restic_environment
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.restore import Progress, restore
from jupyter_storage.snapshots.retention import DEFAULT
from jupyter_storage.snapshots.rewind import plan_rewind, rewind
from jupyter_storage.snapshots.syncer import Syncer, Told, Wanted
from jupyter_storage.snapshots.views import newest, to_record

__all__ = ["Workspace"]

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
    password_file : str or None
        A person's own; empty for the one beside the repository; None for an empty password.
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
    retention : str
        What :mod:`~jupyter_storage.snapshots.retention` makes a policy of.
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
        password_file: str | None = "",
        interval: float = 2.0,
        enabled: bool = True,
        excluded: Sequence[Path] = (),
        gitignore: bool = True,
        bandwidth: int = 0,
        retention: str = DEFAULT,
        listener: Callable[[SnapshotStatus], None] | None = None,
    ) -> None:
        self.project = Path(os.path.abspath(project))  # noqa: PTH100 links stay links
        self.workspace = workspace
        self.state = state
        self._home = Home(
            [each.rstrip("/") for each in (uri, fallback_uri) if each],
            options,
            state,
            password_file,
        )
        self._interval, self._enabled = interval, enabled
        self._excluded, self._gitignore = [*excluded, state], gitignore
        self._bandwidth, self._listener, self._retention = bandwidth, listener, retention
        self._lock = threading.RLock()
        # Held while files are captured or replaced: half of a restore is not a version.
        self._still = threading.Lock()
        self._syncer: Syncer | None = None
        self._child = Child(state / "run")
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._status = SnapshotStatus(
            "unwatched" if enabled else "off",
            workspace,
            str(self.project),
            self._home.uri,
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
        startup.end(self.project)
        self._change(state="ok" if self._enabled else "off", last=record, error=None, hint=None)
        return record

    def repository(self) -> Repository | None:
        """Give the open repository; None where there is none yet."""
        repository = self._home.repository()
        self._change(repository=self._home.uri)
        return repository

    def list(self) -> list[SnapshotRecord]:
        """List the snapshots of this workspace, newest first."""
        repository = self.repository()
        found = repository.snapshots() if repository else []
        return [to_record(each) for each in reversed(found) if self.tag in each.tags]

    def find(self, name: str) -> SnapshotRecord:
        """Find a snapshot.

        Parameters
        ----------
        name : str
            An ID, the beginning of one, ``latest``, or a time such as ``10 minutes ago``, which
            means the newest one that is at least as old. ``latest`` and times mean the main line.

        Raises
        ------
        NotFound, Conflict
            If there is none, or more than one.
        """
        return to_record(self._find(self._opened(), name))

    def restore(
        self,
        snapshot: str,
        target: Path,
        *,
        paths: Sequence[str] = (),
        policy: ConflictPolicy = ConflictPolicy.FAIL,
        exact: bool = False,
        first: Sequence[str] = (),
        saved: Callable[[SnapshotRecord], None] | None = None,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> RestoreRecord:
        """Restore a snapshot, or a part of it, into a directory.

        Before anything is replaced in the project directory, a snapshot is taken.

        Parameters
        ----------
        snapshot : str
            As for :meth:`find`.
        target : Path
            Made where it is missing.
        paths : sequence of str
            Files and directories, relative to the project directory; all unless given.
        policy : ConflictPolicy
            ``FAIL``: the target is empty, or holds none of the paths. ``OVERWRITE``: files that the
            snapshot has too are replaced. ``SKIP``: whatever is there stays. ``NEWER``: files that
            are older than the snapshot's are replaced.
        exact : bool
            Whether files that the snapshot lacks are removed; with ``OVERWRITE``, and into the
            project directory only.
        first : sequence of str
            Files that come before all others.
        saved : Callable, optional
            Called with the snapshot that was taken before, if one was.
        progress : Progress, optional
        cancel : threading.Event, optional
            Set to stop.

        Raises
        ------
        NotFound
            If there is no such snapshot, or it has no such path.
        AlreadyExists
            If something is there and the policy is ``FAIL``.
        """
        repository = self._opened()
        chosen = self._find(repository, snapshot)
        here = target.resolve() == self.project.resolve()
        if exact and (not here or policy is not ConflictPolicy.OVERWRITE):
            raise InvalidRequest(
                "Only in the project directory are files removed that a snapshot lacks",
                path=str(target),
                hint="Restore into an empty directory instead.",
            )
        options: dict[str, Any] = {
            "paths": [_inside(path, self.project) for path in paths],
            "policy": policy,
            "first": first,
            "progress": progress,
            "cancel": cancel,
        }
        replaces = policy not in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}
        undo = self._undo(repository) if replaces and self._is_ours(target) else None
        if undo and saved:
            saved(to_record(undo))
        still = self._still if undo else nullcontext()
        with still, repository.lock(records=self.state / "locks"):
            repository.refresh()
            if undo and here:
                return rewind(repository, undo, chosen, target, exact=exact, **options)
            record = restore(repository, chosen, target, **options)
            return replace(record, undo=to_record(undo)) if undo else record

    def plan_restore(
        self, snapshot: str, *, paths: Sequence[str] = (), exact: bool = False
    ) -> RestorePlan:
        """Say what a restore into the project directory replaces and removes.

        A snapshot is taken, with which this compares.
        """
        repository = self._opened()
        chosen = self._find(repository, snapshot)
        undo = self._undo(repository)
        with repository.lock(records=self.state / "locks"):
            repository.refresh()
            wanted = [_inside(path, self.project) for path in paths]
            return plan_rewind(repository, undo, chosen, paths=wanted, exact=exact)

    def status(self) -> SnapshotStatus:
        """Say how safe the project directory is, from memory."""
        with self._lock:
            return self._status

    def environment(self) -> dict[str, str]:
        """Variables with which stock restic opens the repository.

        Returns
        -------
        dict
            ``RESTIC_REPOSITORY``, ``RESTIC_PASSWORD_FILE``, and for S3 what options name.
        """
        return restic_environment(self._home.place())

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
                if startup.is_wanting(self.project, self._excluded_here()) and self._newest():
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
            excluded=self._excluded_here(),
            gitignore=self._gitignore,
            interval=self._interval,
            journal=self.state / "journal.sqlite",
            capture=self._capture,
            tell=self._heard,
        )
        with self._lock:
            if self._stopping.is_set():
                return
            self._syncer = syncer
            syncer.start()

    def _restore_project(self) -> None:
        self._change(state="restoring", error=None, hint=None)
        startup.begin(self.project)
        record = self.restore(
            "latest", self.project, policy=ConflictPolicy.SKIP, cancel=self._stopping
        )
        startup.end(self.project, record)

    # Below

    def place(self) -> Place:
        """Say where the repository is; a place is chosen where there is none yet."""
        return self._home.place()

    @property
    def tag(self) -> str:
        """What all snapshots of this workspace are tagged with."""
        return f"workspace:{self.workspace}"

    def _opened(self) -> Repository:
        repository = self.repository()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        return repository

    def _find(self, repository: Repository, name: str) -> Snapshot:
        return find_snapshot(repository.snapshots(), name, self.tag)

    def _newest(self) -> Snapshot | None:
        repository = self.repository()
        return newest(repository.snapshots(), [self.tag]) if repository else None

    def _is_ours(self, target: Path) -> bool:
        """Whether a directory is the project directory, or one lies in the other."""
        target, project = target.resolve(), self.project.resolve()
        return target.is_relative_to(project) or project.is_relative_to(target)

    def _undo(self, repository: Repository) -> Snapshot:
        """Take a snapshot of the project directory as it is, and give it."""
        record = self.now()
        return find_snapshot(repository.snapshots(), record.id, self.tag)

    def _request(self, force: bool) -> dict[str, Any]:
        place = self._home.place()
        self._change(repository=place.uri)
        return {
            "uri": place.uri,
            "options": dict(place.options),
            "password_file": str(place.password_file),
            "state": str(self.state),
            "project": str(self.project),
            "tags": [self.tag],
            "lineage": [self.tag],
            "excluded": [str(path) for path in self._excluded_here()],
            "gitignore": self._gitignore,
            "force": force,
            "bandwidth": self._bandwidth,
            "retention": self._retention,
        }

    def _excluded_here(self) -> Sequence[Path]:
        """Whatever snapshots must not hold: our own, and the repository itself."""
        return [*self._excluded, *self._home.directories()]

    def _capture(self, wanted: Wanted, cancel: threading.Event) -> Taken:
        request = self._request(wanted.force)
        if wanted.changes is not None:
            request |= {"base": wanted.changes.base, "dirty": wanted.changes.marks}
        with self._still:
            try:
                return self._child.capture(request, cancel)
            except AccessDenied:
                # The password may have been changed on another machine.
                self._home.forget()
                raise

    def _heard(self, told: Told) -> None:
        changes: dict[str, Any] = {
            "pending": told.pending,
            "pending_bytes": told.pending_bytes,
            "durable": told.durable and datetime.fromtimestamp(told.durable, timezone.utc),
            "late": told.late,
        }
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


def _inside(path: str, project: Path) -> str:
    """A path in the project directory, absolute or relative to it, as a key."""
    if path.startswith("/"):
        try:
            path = str(Path(path).relative_to(project))
        except ValueError:
            raise InvalidPath("It is not in the project directory", path=path) from None
    key = clean_key(path)
    if not key:
        raise InvalidPath("A path is empty", hint="Leave it out to restore everything.")
    return key


def _told(problem: Exception) -> StorageError:
    if isinstance(problem, StorageError):
        return problem
    return StorageError(f"{type(problem).__name__}: {problem}")
