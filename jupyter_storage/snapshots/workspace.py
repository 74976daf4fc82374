"""Snapshots of one project directory: what the service uses."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_storage.errors import AlreadyExists, Conflict
from jupyter_storage.records import (
    ConflictPolicy,
    RestorePlan,
    RestoreRecord,
    SnapshotRecord,
    SnapshotStatus,
)
from jupyter_storage.snapshots import startup
from jupyter_storage.snapshots.capturer import Capturer
from jupyter_storage.snapshots.clone import clone
from jupyter_storage.snapshots.documents import Documents
from jupyter_storage.snapshots.home import Home
from jupyter_storage.snapshots.keeper import Keeper
from jupyter_storage.snapshots.line import Heading
from jupyter_storage.snapshots.place import Place, restic_environment
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.restore import Progress
from jupyter_storage.snapshots.restorer import Restorer
from jupyter_storage.snapshots.retention import DEFAULT
from jupyter_storage.snapshots.sight import Sight, seen
from jupyter_storage.snapshots.standing import Standing
from jupyter_storage.snapshots.syncer import Syncer, Told
from jupyter_storage.snapshots.views import to_record

__all__ = ["Workspace"]


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
        Seconds after a change until a snapshot is taken; half of that where none follows.
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
            self.tag,
        )
        self.documents = Documents(self._home)
        self._interval, self._enabled = interval, enabled
        self._lock = threading.RLock()
        # Held while files are captured or replaced: half of a restore is not a version.
        self._still = threading.Lock()
        self._keeper = Keeper(
            self._home, self.project, state, self.tag, newest=self._home.newest, heard=self._headed
        )
        self._capturer = Capturer(
            self.project,
            self._home,
            self._keeper,
            state,
            self._still,
            excluded=excluded,
            gitignore=gitignore,
            bandwidth=bandwidth,
            retention=retention,
        )
        self._restorer = Restorer(self.project, state, self._still, self._save)
        self._syncer: Syncer | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._sight = Sight(state / "watching", self.project)
        self._standing = Standing(
            SnapshotStatus(
                "unwatched" if enabled else "off", workspace, str(self.project), self._home.uri
            ),
            listener,
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
            syncer = self._syncer
        if self._standing.status.state == "restoring":
            raise Conflict(
                "The project directory is being restored", hint="Try again when it is complete."
            )
        if syncer is not None:
            return syncer.now(force).result()
        record = self._capturer.once(force=force, progress=progress)
        # By hand is how a person says that the directory is right as it is.
        startup.end(self.project)
        self._standing.change(
            state="ok" if self._enabled else "off", last=record, error=None, hint=None
        )
        return record

    def repository(self) -> Repository | None:
        """Give the open repository; None where there is none yet."""
        return self._home.repository()

    def list(self) -> list[SnapshotRecord]:
        """List the snapshots of this workspace, newest first."""
        return [to_record(each) for each in reversed(self._home.snapshots())]

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
        return to_record(self._home.find(name))

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
        return self._restorer.restore(
            self._home.opened(),
            self._home.find(snapshot),
            target,
            paths=paths,
            policy=policy,
            exact=exact,
            first=first,
            saved=saved,
            progress=progress,
            cancel=cancel,
        )

    def plan_restore(
        self, snapshot: str, *, paths: Sequence[str] = (), exact: bool = False
    ) -> RestorePlan:
        """Say what a restore into the project directory replaces and removes.

        A snapshot is taken, with which this compares.
        """
        chosen = self._home.find(snapshot)
        return self._restorer.plan(self._home.opened(), chosen, paths=paths, exact=exact)

    def takeover(self) -> SnapshotRecord:
        """Make this machine the holder of the workspace, and the project directory its newest.

        Whoever held it goes on as a fork.

        Returns
        -------
        SnapshotRecord
            Taken now, on the main line.
        """
        self._keeper.line.take_over()
        return self.now()

    def clone(self, snapshot: str, other: Workspace) -> SnapshotRecord:
        """Begin another workspace with a snapshot of this one.

        Parameters
        ----------
        snapshot : str
            As for :meth:`find`.
        other : Workspace
            One that has no snapshots yet; it gets a repository of its own.

        Returns
        -------
        SnapshotRecord
            The first snapshot of the other workspace.

        Raises
        ------
        AlreadyExists
            If the other workspace has snapshots.
        """
        chosen, source = self._home.find(snapshot), self._home.opened()
        if other.list():
            raise AlreadyExists(
                f"The workspace '{other.workspace}' has snapshots already",
                hint="Choose another ID for the new workspace.",
            )
        target = other.made()
        with source.lock(records=self.state / "locks"), target.lock(records=other.state / "locks"):
            source.refresh()
            target.refresh()
            return to_record(clone(source, chosen, target, other.tag))

    def made(self) -> Repository:
        """Give the open repository; it is made where there is none yet."""
        return self._home.repository() or self._home.make()

    def status(self) -> SnapshotStatus:
        """Say how safe the project directory is, from memory."""
        status = replace(self._standing.status, repository=self._home.uri)
        if status.state == "unwatched" and (restoring := startup.progress(self.project)):
            # By another process, which is a server.
            status = replace(status, state="restoring", restoring=restoring)
        if status.watching is None:
            watching, unwatched = seen(self.state / "watching", self.project)
            status = replace(status, watching=watching, unwatched=unwatched)
        return status

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
            self._standing.change(state="waiting")
            self._thread = threading.Thread(target=self._begin, name="snapshots", daemon=True)
            self._thread.start()
            self._keeper.start(self._join)

    def stop(self, timeout: float = 20.0) -> None:
        """Take a last snapshot, within ``timeout`` seconds, and end what :meth:`start` began."""
        end = time.monotonic() + timeout
        self._stopping.set()
        with self._lock:
            syncer, thread = self._syncer, self._thread
        if syncer is not None:
            syncer.stop(timeout)
        if thread is not None:
            thread.join(max(0.0, end - time.monotonic()))
        self._capturer.close()
        self._keeper.stop(max(1.0, end - time.monotonic()))
        self._sight.close()

    def _begin(self) -> None:
        self._restorer.sweep()
        if not startup.bring_back(
            self._is_wanting, self._restore_project, self._standing.fail, self._stopping
        ):
            return
        syncer = Syncer(
            self.project.resolve(),
            excluded=self._capturer.excluded,
            gitignore=self._capturer.gitignore,
            interval=self._interval,
            journal=self.state / "journal.sqlite",
            capture=self._capturer.capture,
            prepare=self._capturer.prepare,
            tell=self._hear,
        )
        with self._lock:
            if self._stopping.is_set():
                return
            self._syncer = syncer
            syncer.start()

    def _is_wanting(self) -> bool:
        wanting = startup.is_wanting(self.project, self._capturer.excluded)
        return wanting and bool(self._home.snapshots())

    def _restore_project(self) -> None:
        chosen = self.find("latest")
        startup.begin(self.project)
        progress = self._standing.restore(chosen, partial(startup.note, self.project))
        record = self.restore(
            chosen.id,
            self.project,
            policy=ConflictPolicy.SKIP,
            first=self.documents.read(),
            progress=progress,
            cancel=self._stopping,
        )
        self._keeper.line.restored(chosen)
        startup.end(self.project, record)
        self._standing.change(state="waiting", restoring=None)

    # Below

    def place(self) -> Place:
        """Say where the repository is; a place is chosen where there is none yet."""
        return self._home.place()

    @property
    def tag(self) -> str:
        """What all snapshots of this workspace are tagged with."""
        return f"workspace:{self.workspace}"

    def _headed(self, heading: Heading, guarded: bool | None) -> None:
        self._standing.change(
            repository=self._home.uri,
            fork=heading.fork,
            holder=heading.holder,
            guarded=guarded,
        )

    def _hear(self, told: Told) -> None:
        self._sight.note(told.watching, told.unwatched)
        self._standing.hear(told)

    def _join(self) -> None:
        """Take the first snapshot on the main line; its heading says that one is due."""
        with self._lock:
            syncer = self._syncer
        if syncer is not None:
            syncer.now()

    def _save(self) -> Snapshot:
        """Take a snapshot of the project directory as it is, and give it."""
        return self._home.find(self.now().id)
