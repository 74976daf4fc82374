"""Locks: shared ones for whoever writes, exclusive ones for whoever deletes.

A lock is a file that is written, and then looked for again after a moment: of two that write at
once, each sees the other. It is renewed every 5 minutes and is stale after 30. Source: restic's
design document, "Locks".

restic removes the locks of processes on its own host that are dead. In containers hosts share
names and process IDs, so we do it differently: every lock that we hold is also a locked file in
``records``; where the kernel lets go of that file, its process is gone, and so may the lock.

A lock says when it was written, by the clock of its machine, which may be wrong. So its age is
taken from the store: from when the store got it, to when it got ours.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from jupyter_storage.errors import Conflict, NotFound, StorageError
from jupyter_storage.snapshots.repository.crypto import user_name
from jupyter_storage.snapshots.repository.times import from_text, now, to_text

__all__ = ["Hold", "elapsed", "hold_lock"]

_WAIT = 0.2  # seconds until a lock written at the same moment is surely seen
_REFRESH = 5 * 60.0
_STALE = 30 * 60 * 10**9


class Hold(Protocol):
    """What the holder of a lock may ask."""

    def __call__(self) -> None:
        """Confirm the lock: to be called before something is published.

        Raises
        ------
        Conflict
            If the lock could not be renewed and may be gone.
        """

    def fence(self) -> None:
        """As calling it, but without a look at the store, which may be due."""

    def alone(self) -> bool:
        """Whether nobody else holds a lock; whoever takes one now waits 0.2 s before he works."""


class LockFiles(Protocol):
    """What locks need of a repository."""

    def save_unpacked(self, kind: str, value: Any) -> str:
        """Write a file and return its ID."""

    def load_unpacked(self, kind: str, identifier: str) -> Any:
        """Read a file."""

    def list_times(self, kind: str) -> dict[str, datetime | None]:
        """List the IDs of files, and when the store got them."""

    def delete_file(self, kind: str, identifier: str) -> None:
        """Delete a file."""


@contextmanager
def hold_lock(
    files: LockFiles,
    *,
    exclusive: bool = False,
    records: Path | None = None,
    patient: bool = False,
) -> Iterator[Hold]:
    """Hold a lock.

    Parameters
    ----------
    files : LockFiles
        The repository.
    exclusive : bool
        Whether nobody else may hold any lock.
    records : Path, optional
        Directory on this machine that remembers our locks; those of dead processes are removed.
    patient : bool
        Do not wait for locks that were written at the same moment, but leave it to the yielded
        :class:`Hold` to look for them when it is asked. Nothing may be published before that.

    Yields
    ------
    Hold

    Raises
    ------
    Conflict
        If somebody else holds a lock that excludes this one.
    """
    if records is not None:
        _sweep(files, records)
    _look(files, exclusive, ours=frozenset())
    lock = _Lock(files, exclusive, records)
    try:
        if not patient:
            lock.look_again()
        lock.start()
        yield lock
    finally:
        lock.release()


class _Lock:
    def __init__(self, files: LockFiles, exclusive: bool, records: Path | None) -> None:
        self._files, self._exclusive, self._records = files, exclusive, records
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = elapsed()
        self._record: int | None = None
        self._renewal = threading.Lock()
        self.identifier = self._write()
        self._look_at: float | None = elapsed() + _WAIT

    def start(self) -> None:
        self._thread = threading.Thread(target=self._renew, name="lock renewal", daemon=True)
        self._thread.start()

    def look_again(self) -> None:
        """See the lock of whoever looked before ours was there: by now it is visible."""
        if self._look_at is not None:
            time.sleep(max(0.0, self._look_at - elapsed()))
            with self._renewal:
                _look(self._files, self._exclusive, ours=frozenset({self.identifier}))
            self._look_at = None

    def __call__(self) -> None:
        self.look_again()
        self.fence()

    def fence(self) -> None:
        if elapsed() - self._renewed > _STALE / 10**9 - 60:
            raise Conflict(
                "The repository's lock could not be renewed for half an hour",
                hint="Check the connection to the store; the next snapshot starts afresh.",
            )

    def alone(self) -> bool:
        with self._renewal:
            try:
                _look(self._files, exclusive=True, ours=frozenset({self.identifier}))
            except Conflict:
                return False
            return True

    def release(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        # A lock that stays behind goes stale by itself.
        with suppress(StorageError):
            self._files.delete_file("locks", self.identifier)
            self._forget(self.identifier, self._record)

    def _renew(self) -> None:
        while not self._done.wait(_REFRESH):
            # The next round tries again; confirm() knows when it is too late.
            with self._renewal, suppress(StorageError):
                # Who slept for too long and was taken for dead must not come back to life.
                self.fence()
                old, record = self.identifier, self._record
                self.identifier = self._write()
                self._files.delete_file("locks", old)
                self._forget(old, record)

    def _write(self) -> str:
        identifier = self._files.save_unpacked(
            "locks",
            {
                "time": to_text(now()),
                "exclusive": self._exclusive,
                "hostname": socket.gethostname(),
                "username": user_name(),
                "pid": os.getpid(),
                "uid": os.getuid(),
                "gid": os.getgid(),
            },
        )
        self._renewed = elapsed()
        if self._records is not None:
            self._records.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._records / identifier
            self._record = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._record, fcntl.LOCK_EX)
        return identifier

    def _forget(self, identifier: str, record: int | None) -> None:
        if self._records is not None and record is not None:
            (self._records / identifier).unlink(missing_ok=True)
            os.close(record)


def elapsed() -> float:
    """Seconds, also those in which the machine slept: others' clocks go on."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _sweep(files: LockFiles, records: Path) -> None:
    """Remove the locks that processes of this machine left when they died."""
    for path in records.iterdir() if records.is_dir() else ():
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            with suppress(NotFound):
                files.delete_file("locks", path.name)
            path.unlink(missing_ok=True)


def _look(files: LockFiles, exclusive: bool, ours: frozenset[str]) -> None:
    written = files.list_times("locks")
    present = max((time for name in ours if (time := written.get(name))), default=None)
    for identifier in written.keys() - ours:
        try:
            lock = files.load_unpacked("locks", identifier)
        except NotFound:
            continue
        if _age(from_text(lock["time"]), written[identifier], present) > _STALE:
            continue
        if exclusive or lock.get("exclusive"):
            who = f"{lock.get('username')}@{lock.get('hostname')}, process {lock.get('pid')}"
            raise Conflict(
                f"The snapshot repository is locked by {who}",
                hint="Wait until it has finished. If it died, run 'restic unlock'.",
            )


def _age(said: int, written: datetime | None, present: datetime | None) -> int:
    """Nanoseconds since a lock was written; where ours is not there yet, as far as we know."""
    if written is None:
        return now() - said
    moment = int(written.timestamp() * 10**9)
    if present is None:
        return now() - min(said, moment)
    return int(present.timestamp() * 10**9) - moment
