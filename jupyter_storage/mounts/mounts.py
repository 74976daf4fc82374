"""Mounts of this machine: made, listed, brought back, taken away."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_storage.errors import (
    Conflict,
    NotFound,
    StorageError,
)
from jupyter_storage.mounts.cache import Pending
from jupyter_storage.mounts.copies import Copy
from jupyter_storage.mounts.mounters import choose, why_not
from jupyter_storage.mounts.processes import lives, send, start
from jupyter_storage.mounts.requests import FAILED, MADE, STOP, Request, directory_of
from jupyter_storage.mounts.states import describe, reason, waiting
from jupyter_storage.mounts.table import answers, detach, is_mounted, resolved
from jupyter_storage.mounts.targets import prepare, taken
from jupyter_storage.records import MountRecord
from jupyter_storage.transfers.progress import Meter

__all__ = ["Mounts"]

PATIENCE = 30.0  # seconds until a mount must be there, or gone
PATIENCE_AT_START = 5.0  # the same, where it worked before: it goes on trying
GRACE = 1.0  # seconds after which a process that has nothing to serve any more is told to end
FORCED_PATIENCE = 2.0  # the same, where what is under way is given up
TICK = 0.05
SIDE_BY_SIDE = 8  # mounts that are looked at together: one that hangs takes seconds


class Mounts:
    """Attaches object storage to directories.

    Each mount has a process that serves it and one that keeps it alive, neither of which ends with
    this one.

    Parameters
    ----------
    state : Path
        Directory of our own on this machine.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def mount(
        self,
        target: Path,
        uri: str,
        options: Mapping[str, Any],
        *,
        read_only: bool = False,
        cached: bool = False,
        mounter: str | None = None,
    ) -> MountRecord:
        """Mount, or say that it is mounted already.

        Parameters
        ----------
        target : Path
            A directory, which is made where it is not there, and else must be empty.
        uri : str
        options : mapping
            For the store.
        read_only : bool
        cached : bool
            Whether files are written here first, and uploaded after they are closed.
        mounter : str, optional
            Name of the one to use; else one that can is chosen.

        Raises
        ------
        AlreadyExists
            If something else is there.
        Unsupported
            Where nothing can be mounted on this machine.
        """
        path = resolved(target)
        there = self.mounted(target)
        if there is not None:
            mode = "MOUNT_CACHED" if cached else "MOUNT"
            if (there.uri, there.mode, there.read_only) == (uri, mode, read_only):
                return there
            raise taken(there)
        mounter, why = choose(path, uri, cached=cached and not read_only, wanted=mounter)
        prepare(path)
        created = datetime.now(timezone.utc).isoformat()
        request = Request(
            path,
            uri,
            dict(options),
            read_only,
            cached,
            mounter=mounter,
            reason=why,
            created=created,
        )
        directory = directory_of(self._state, path)
        (directory / STOP).unlink(missing_ok=True)
        (directory / FAILED).unlink(missing_ok=True)
        request.write(directory)
        try:
            self._start(directory, request)
        except StorageError:
            if not self.pending(target):
                shutil.rmtree(directory, ignore_errors=True)
            raise
        return describe(directory, request)

    def copy(
        self,
        target: Path,
        uri: str,
        options: Mapping[str, Any],
        *,
        read_only: bool = False,
        every: float | None = None,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        """Fetch a copy in place of a mount; where there is one already, what it lacks.

        :meth:`flush` brings back what is changed in it.

        Parameters
        ----------
        target : Path
            As for :meth:`mount`.
        uri : str
        options : mapping
        read_only : bool
            Whether nothing is ever brought back.
        every : float, optional
            Seconds between two times that it is brought back by itself; 0 for never. As before
            unless given.
        meter : Meter
        cancel : threading.Event
        """
        path = resolved(target)
        directory = directory_of(self._state, path)
        before = self._request(target)
        if before is None:
            prepare(path)
        elif not before.copied or before.uri != uri:
            raise taken(describe(directory, before))
        created = datetime.now(timezone.utc).isoformat() if before is None else before.created
        request = Request(
            path,
            uri,
            dict(options),
            read_only,
            copied=True,
            every=every if every is not None else before.every if before else 0.0,
            mounter="copy",
            reason=why_not(),
            created=created,
        )
        (directory / STOP).unlink(missing_ok=True)
        request.write(directory)
        try:
            Copy(directory, request).fetch(meter, cancel)
        except StorageError:
            if before is None and not os.listdir(path):
                shutil.rmtree(directory, ignore_errors=True)
            raise
        self._start_copying(directory, request)

    def mounted(self, target: Path) -> MountRecord | None:
        """What of ours is mounted there and alive."""
        directory = directory_of(self._state, resolved(target))
        try:
            record = describe(directory, Request.read(directory))
        except (OSError, ValueError):
            return None
        return record if record.state == "ok" else None

    def all(self) -> list[MountRecord]:
        """List the mounts that should be, each as it is now."""
        requests = self._requests()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda each: describe(*each), requests))

    def targets(self, uri: str = "") -> list[str]:
        """List where something should be, of all or of what lies at a URI or below it.

        Whether it works is not looked at.
        """
        root = uri.rstrip("/")
        return [
            each.target
            for _, each in self._requests()
            if not root or f"{each.uri}/".startswith(f"{root}/")
        ]

    def get(self, identifier: str) -> MountRecord:
        """Describe one.

        Raises
        ------
        NotFound
        """
        for directory, request in self._requests():
            if directory.name == identifier:
                return describe(directory, request)
        raise NotFound("There is no such mount", path=identifier, hint="It may be unmounted.")

    def pending(self, target: Path) -> list[Pending]:
        """List what was written there and is not uploaded yet."""
        directory = directory_of(self._state, resolved(target))
        request = self._request(target)
        return [] if request is None else waiting(directory, request)

    def losses(self, target: Path) -> list[Pending]:
        """List what unmounting by force would lose; what is in a copy stays there."""
        request = self._request(target)
        return [] if request is None or request.copied else self.pending(target)

    def flush(self, target: Path, *, patience: float = 60.0) -> int:
        """Wait until all that was written there is uploaded.

        Parameters
        ----------
        target : Path
        patience : float
            Seconds in which at least one file must arrive.

        Returns
        -------
        int
            Number of files that were waited for.

        Raises
        ------
        Conflict
            If nothing arrives any more, with the files that are missing.
        """
        request = self._request(target)
        if request is not None and request.copied:
            return Copy(directory_of(self._state, request.target), request).bring_back()
        waiting = {each.journal for each in self.pending(target)}
        number = len(waiting)
        until = time.monotonic() + patience
        while waiting:
            now = [each for each in self.pending(target) if each.journal in waiting]
            if len(now) < len(waiting):
                until = time.monotonic() + patience
            waiting = {each.journal for each in now}
            if waiting and time.monotonic() > until:
                raise _unsaved(str(target), now)
            time.sleep(TICK)
        return number

    def unmount(self, target: Path, *, force: bool = False) -> None:
        """Detach, after all that was written has arrived; nothing happens if it is not mounted.

        Parameters
        ----------
        target : Path
        force : bool
            Also where files are open, or not uploaded: what :meth:`pending` lists is lost.

        Raises
        ------
        Conflict
            If files are open there, or cannot be uploaded.
        """
        if not force:
            self.flush(target)
        path = resolved(target)
        directory = directory_of(self._state, path)
        if not directory.exists():
            return
        (directory / STOP).touch()
        request = self._request(target)
        if request is not None and request.copied:
            # All that it is for was done. What is there stays.
            send(directory, path, signal.SIGTERM, ("supervisor",))
            shutil.rmtree(directory, ignore_errors=True)
            return
        began = time.monotonic()
        told = False
        # What was written has arrived when the processes have ended.
        while is_mounted(path) or lives(directory, path):
            reason = detach(path, lazily=force) if is_mounted(path) else None
            if reason is not None:
                (directory / STOP).unlink(missing_ok=True)
                raise Conflict(
                    "Files in it are open, or a program works in it",
                    path=path,
                    hint="Close them (a notebook, a terminal), or add --force: what is being "
                    "written is lost then.",
                )
            waited = time.monotonic() - began
            if waited > (FORCED_PATIENCE if force else PATIENCE):
                break
            if waited > GRACE and not told:
                # A container or a browser that was started meanwhile has the mount, too.
                send(directory, path, signal.SIGTERM, ("mounter",))
                told = True
            time.sleep(TICK)
        if force:
            # They go on as long as somebody has a file open.
            send(directory, path, signal.SIGKILL, ("supervisor", "mounter"))
        left = self.pending(target)
        if left and not force:
            # They are kept, and uploaded when the same is mounted there again.
            raise _unsaved(path, left)
        shutil.rmtree(directory, ignore_errors=True)

    def reconcile(self) -> list[MountRecord]:
        """Bring back what should be mounted: adopt what lives, detach what is dead.

        For the start of a server, after a machine or a process was stopped. Copies get what they
        lack.
        """
        # Those that take long come last.
        for directory, request in sorted(self._requests(), key=lambda each: each[1].copied):
            if (directory / STOP).exists():
                # Somebody was unmounting it.
                with suppress(StorageError):
                    self.unmount(Path(request.target))
            elif request.copied:
                with suppress(StorageError):
                    Copy(directory, request).fetch(Meter(), threading.Event())
                if not lives(directory, request.target, "supervisor"):
                    self._start_copying(directory, request)
            elif not lives(directory, request.target, "supervisor"):
                with suppress(StorageError):
                    self._start(directory, request, patience=PATIENCE_AT_START)
        return self.all()

    def _requests(self) -> list[tuple[Path, Request]]:
        found = []
        for directory in self._state.glob("*"):
            with suppress(OSError, ValueError, TypeError):
                found.append((directory, Request.read(directory)))
        return sorted(found, key=lambda each: each[1].created)

    def _request(self, target: Path) -> Request | None:
        try:
            return Request.read(directory_of(self._state, resolved(target)))
        except (OSError, ValueError, TypeError):
            return None

    def _start_copying(self, directory: Path, request: Request) -> None:
        # One that lives may know of another time.
        send(directory, request.target, signal.SIGTERM, ("supervisor",))
        if request.every:
            process = start("jupyter_storage.mounts.copying", directory)
            process.returncode = 0  # nobody waits for it here

    def _start(self, directory: Path, request: Request, *, patience: float = PATIENCE) -> None:
        supervisor = start("jupyter_storage.mounts.supervisor", directory)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            # In this order: what is left of a dead one may be detached between the two.
            if answers(request.target) and is_mounted(request.target):
                # Nobody waits for it here: it is to go on.
                supervisor.returncode = 0
                (directory / MADE).touch()
                return
            if supervisor.poll() is not None:
                break
            time.sleep(TICK)
        if (directory / MADE).exists() and supervisor.poll() is None:
            # The service may be away. It goes on trying.
            supervisor.returncode = 0
            return
        error = reason(directory, request)
        if supervisor.poll() is None:
            supervisor.terminate()
            supervisor.wait()
        raise error


def _unsaved(path: str, files: list[Pending]) -> Conflict:
    names = ", ".join(each.key for each in files[:5]) + (", …" if len(files) > 5 else "")
    why = next((each.error for each in files if each.error), "they may be open")
    return Conflict(
        f"{len(files):,} files are not uploaded yet ({why}): {names}",
        path=path,
        hint="Close them, or see that the bucket can be reached; they are kept until then.",
    )
