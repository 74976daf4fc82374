"""Mounts of this machine: made, listed, brought back, taken away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from jupyter_storage.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    StorageError,
    Unreachable,
    os_errors,
)
from jupyter_storage.mounts.cache import Pending, cache_directory, pending
from jupyter_storage.mounts.mounters import choose
from jupyter_storage.mounts.requests import FAILED, LOG, PIDS, STOP, Request, directory_of, put
from jupyter_storage.mounts.table import answers, detach, is_mounted
from jupyter_storage.records import MountRecord

__all__ = ["Mounts"]

PATIENCE = 30.0  # seconds until a mount must be there, or gone
GRACE = 1.0  # seconds after which a process that has nothing to serve any more is told to end
FORCED_PATIENCE = 2.0  # the same, where what is under way is given up
ANSWER = 5.0  # seconds in which a mount that works answers
TICK = 0.05
NAMED = 20  # files that are named where many are not uploaded
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
        path = os.path.realpath(target)
        there = self.mounted(target)
        if there is not None:
            mode = "MOUNT_CACHED" if cached else "MOUNT"
            if (there.uri, there.mode, there.read_only) == (uri, mode, read_only):
                return there
            raise AlreadyExists(
                f"{there.uri} is mounted there as {there.mode}",
                path=path,
                hint=f"Unmount it first: jupyter storage unmount {path}.",
            )
        mounter, reason = choose(path, uri, cached=cached and not read_only, wanted=mounter)
        _prepare(path)
        created = datetime.now(timezone.utc).isoformat()
        request = Request(path, uri, dict(options), read_only, cached, mounter, reason, created)
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
        return _record(directory, request)

    def mounted(self, target: Path) -> MountRecord | None:
        """What of ours is mounted there and alive."""
        directory = directory_of(self._state, os.path.realpath(target))
        try:
            record = _record(directory, Request.read(directory))
        except (OSError, ValueError):
            return None
        return record if record.state == "ok" else None

    def all(self) -> list[MountRecord]:
        """List the mounts that should be, each as it is now."""
        requests = self._requests()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda each: _record(*each), requests))

    def get(self, identifier: str) -> MountRecord:
        """Describe one.

        Raises
        ------
        NotFound
        """
        for directory, request in self._requests():
            if directory.name == identifier:
                return _record(directory, request)
        raise NotFound("There is no such mount", path=identifier, hint="It may be unmounted.")

    def pending(self, target: Path) -> list[Pending]:
        """List what was written there and is not uploaded yet."""
        directory = directory_of(self._state, os.path.realpath(target))
        try:
            return pending(cache_directory(directory, Request.read(directory).uri))
        except (OSError, ValueError):
            return []

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
        path = os.path.realpath(target)
        directory = directory_of(self._state, path)
        if not (directory / STOP).parent.exists():
            return
        (directory / STOP).touch()
        began = time.monotonic()
        told = False
        # What was written has arrived when the processes have ended.
        while is_mounted(path) or any(_is_alive(pid, path) for pid in _pids(directory).values()):
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
                _signal(directory, path, signal.SIGTERM, ("mounter",))
                told = True
            time.sleep(TICK)
        if force:
            # They go on as long as somebody has a file open.
            _signal(directory, path, signal.SIGKILL, ("supervisor", "mounter"))
        left = self.pending(target)
        if left and not force:
            # They are kept, and uploaded when the same is mounted there again.
            raise _unsaved(path, left)
        shutil.rmtree(directory, ignore_errors=True)

    def reconcile(self) -> list[MountRecord]:
        """Bring back what should be mounted: adopt what lives, detach what is dead.

        For the start of a server, after a machine or a process was stopped.
        """
        for directory, request in self._requests():
            if (directory / STOP).exists():
                # Somebody was unmounting it.
                with suppress(StorageError):
                    self.unmount(Path(request.target))
            elif not _is_alive(_pids(directory).get("supervisor"), request.target):
                with suppress(StorageError):
                    self._start(directory, request)
        return self.all()

    def _requests(self) -> list[tuple[Path, Request]]:
        found = []
        for directory in self._state.glob("*"):
            with suppress(OSError, ValueError, TypeError):
                found.append((directory, Request.read(directory)))
        return sorted(found, key=lambda each: each[1].created)

    def _start(self, directory: Path, request: Request) -> None:
        command = [sys.executable, "-m", "jupyter_storage.mounts.supervisor", str(directory)]
        with (directory / LOG).open("ab") as log:
            # It outlives this process, and Ctrl-C is not meant for it.
            supervisor = subprocess.Popen(  # noqa: S603  words of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        put(directory / PIDS, {**_pids(directory), "supervisor": supervisor.pid})
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # In this order: what is left of a dead one may be detached between the two.
            if answers(request.target) and is_mounted(request.target):
                # Nobody waits for it here: it is to go on.
                supervisor.returncode = 0
                return
            if supervisor.poll() is not None:
                break
            time.sleep(TICK)
        error = _reason(directory, request)
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


def _prepare(path: str) -> None:
    with os_errors(path):
        if is_mounted(path):
            # What is left of a mounter that died.
            if answers(path):
                raise AlreadyExists(
                    "Something is mounted there already", path=path, hint="Choose another target."
                )
            detach(path, lazily=True)
        Path(path).mkdir(parents=True, exist_ok=True)
        if os.listdir(path):
            raise AlreadyExists(
                "The directory is not empty: a mount would hide what is in it",
                path=path,
                hint="Choose another target, or move the files away.",
            )


def _record(directory: Path, request: Request) -> MountRecord:
    left = pending(cache_directory(directory, request.uri))
    return MountRecord(
        id=directory.name,
        target=request.target,
        uri=request.uri,
        mode="MOUNT_CACHED" if request.cached else "MOUNT",
        mounter=request.mounter,
        reason=request.reason,
        state=_state(request.target),
        pending=len(left),
        waiting=tuple(each.key for each in left[:NAMED]),
        created=datetime.fromisoformat(request.created),
        read_only=request.read_only,
    )


def _state(target: str) -> Literal["ok", "dead", "hanging", "missing"]:
    if not is_mounted(target):
        return "missing"
    found = answers(target, ANSWER)
    if not is_mounted(target):
        return "missing"
    return "hanging" if found is None else "ok" if found else "dead"


def _reason(directory: Path, request: Request) -> StorageError:
    """Say why nothing was mounted."""
    try:
        fields = json.loads((directory / FAILED).read_text("utf-8"))
    except (OSError, ValueError):
        log = ""
        with suppress(OSError):
            log = (directory / LOG).read_text("utf-8", "replace")
        last = log.strip().splitlines()[-1:] or ["it did not say why"]
        return Unreachable(f"It could not be mounted: {last[0]}", path=request.target)
    kind = NotFound if fields["kind"] == NotFound.__name__ else Unreachable
    return kind(f"{request.uri}: {fields['message']}", path=request.target, hint=fields["hint"])


def _pids(directory: Path) -> dict[str, int]:
    try:
        return dict(json.loads((directory / PIDS).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _signal(directory: Path, target: str, number: signal.Signals, names: tuple[str, ...]) -> None:
    pids = _pids(directory)
    for pid in [pids[name] for name in names if name in pids]:
        if _is_alive(pid, target):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _is_alive(pid: int | None, target: str) -> bool:
    """Whether a process of ours has this number: numbers are used again."""
    if pid is None:
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"jupyter_storage.mounts." in words or os.fsencode(target) in words.split(b"\0")
