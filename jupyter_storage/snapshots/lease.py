"""Who writes the main line of a workspace: one holder at a time, in numbered epochs.

The lease lies beside the repository, in ``snapshots.lease/``. Whoever creates the object of the
next epoch, which the store lets only one do, holds the workspace from then on, and says every few
seconds in a second object that he lives. A holder is dead where nothing was heard of him for a
minute by *our* clock; the clocks of other machines count for nothing. He may live all the same:
then he finds a higher epoch, and knows that he holds it no more.

Nothing here keeps a former holder from writing. What he writes carries his epoch, and a lower epoch
is never the newest.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import AlreadyExists, NotFound, StorageError, from_os_error
from jupyter_storage.stores.store import Store

__all__ = ["EXPIRY", "INTERVAL", "Holder", "Lease", "this_process"]

INTERVAL = 15.0
"""Seconds between two signs of life."""

EXPIRY = 60.0
"""Seconds without one after which a holder is taken for dead."""

_DIRECTORY = "snapshots.lease"
_LOCKS = "snapshots/locks"
_EPOCH = re.compile(r"epoch-(\d{8,})")
_KEPT = 10  # epochs that stay behind, for people who wonder
_SETTLE = 1.0  # seconds until the second of two that write at once has surely written


@dataclass(frozen=True)
class Holder:
    """Who created an epoch.

    Attributes
    ----------
    id : str
        Of one lease in one process.
    host, boot : str
        The machine's name, and what tells one start of it from another.
    """

    id: str
    user: str
    host: str
    boot: str
    pid: int

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


def this_process() -> Holder:
    """Describe this process, with a new ID."""
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Holder(uuid4().hex, user, socket.gethostname(), boot, os.getpid())


class Lease:
    """One process' view of the lease of a workspace. Not safe for several threads.

    Parameters
    ----------
    store : Store
        Its root holds the repository as ``snapshots``.
    records : Path
        Directory on this machine where each holder keeps a locked file, for one project
        directory. Where the kernel has let go of it, that process is gone.
    locks : Path
        Directory with records of the repository's locks; see
        :func:`~jupyter_storage.snapshots.repository.locks.hold_lock`.
    me : Holder, optional
        This process, unless given.
    clock : Callable
        Seconds, monotonic.
    sleep : Callable

    Attributes
    ----------
    epoch : int
        The last one that was held here; 0 for none.
    highest : int
        The highest one that was seen.
    holder : Holder or None
        Who created the highest.
    guarded : bool or None
        Whether the store lets only one create an epoch; None while nobody asked.
    """

    def __init__(
        self,
        store: Store,
        *,
        records: Path,
        locks: Path,
        me: Holder | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._records, self._locks = store, records, locks
        self.me = me or this_process()
        self._clock, self._sleep = clock, sleep
        self.epoch = self.highest = 0
        self.holder: Holder | None = None
        self.guarded: bool | None = None
        self._beat: bytes | None = None
        self._heard = clock()
        self._said = float("-inf")
        self._count = 0
        self._record: int | None = None

    @property
    def uri(self) -> str:
        """Where it is."""
        return self._store.uri

    @property
    def held(self) -> bool:
        """Whether the highest epoch was ours when we looked last."""
        return self.holder is not None and self.holder.id == self.me.id

    @property
    def shared(self) -> bool:
        """Whether another process holds it for the very same project directory."""
        return self.holder is not None and not self.held and self._path(self.holder).exists()

    # Looking

    def sync(self) -> None:
        """Look who holds it, and give a sign of life if it is due."""
        numbers = self._numbers()
        highest = max(numbers, default=0)
        # A store may list what was true a moment ago.
        if highest > self.highest or (highest and self.holder is None) or not self.guarded:
            self._see(max(highest, self.highest))
        if self.held:
            self.epoch = self.highest
            if self.highest not in numbers:
                # Somebody cleaned up: who comes next must not begin anew below us.
                with suppress(AlreadyExists):
                    self._store.write(_epoch(self.highest), self._content(), exclusive=True)
            if self._clock() - self._said >= INTERVAL:
                self._say()
        elif self.highest:
            self._hear()

    def is_free(self) -> bool:
        """Whether nobody holds it: there is none, it was given back, or the holder is dead."""
        if self.holder is None or self.held:
            return self.holder is None
        if self._said_by_holder().get("released"):
            return True
        if self._is_dead_here(self.holder):
            return True
        return self._clock() - self._heard > EXPIRY

    def _numbers(self) -> list[int]:
        numbers: list[int] = []
        cursor: str | None = None
        while True:
            try:
                page = self._store.list(_DIRECTORY, cursor=cursor)
            except NotFound:
                return numbers
            found = [_EPOCH.fullmatch(entry.name) for entry in page.entries]
            numbers += [int(match[1]) for match in found if match]
            cursor = page.cursor
            if cursor is None:
                return numbers

    def _see(self, number: int) -> None:
        """Learn who created an epoch."""
        holder = None
        with suppress(NotFound):
            holder = _decoded(self._store.read(_epoch(number)))
        if number != self.highest or holder != self.holder:
            self.highest, self.holder = number, holder
            self._beat, self._heard = None, self._clock()

    def _hear(self) -> None:
        """Listen for a sign of life."""
        beat = None
        with suppress(NotFound):
            beat = self._store.read(_sign(self.highest))
        if beat != self._beat:
            self._beat, self._heard = beat, self._clock()

    def _said_by_holder(self) -> Mapping[str, Any]:
        try:
            said = json.loads(self._beat or b"{}")
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def _is_dead_here(self, holder: Holder) -> bool:
        """Whether it was a process of this machine, and is gone."""
        if (holder.host, holder.boot) != (self.me.host, self.me.boot):
            return False
        try:
            with self._path(holder).open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    # Taking and giving back

    def take(self) -> bool:
        """Begin the next epoch; False where somebody else was first.

        Whoever takes it from a dead holder removes the locks that this one left in the repository.
        """
        if self.guarded is None:
            self.guarded = self._store.creates_exclusively() and self._probe()
        before, dead = self.holder, self.is_free()
        said = self._said_by_holder()
        number = self.highest + 1
        self._keep_record()
        # Whether it was created, a reader sees: the answer to a write may have been lost.
        with suppress(AlreadyExists):
            if not self.guarded:
                with suppress(NotFound):
                    self._store.read(_epoch(number))
                    raise AlreadyExists("Somebody was first")
            self._store.write(_epoch(number), self._content(), exclusive=True)
        if not self.guarded:
            self._sleep(_SETTLE)
        self._see(number)
        if not self.held:
            return False
        self.epoch = number
        self._say()
        if before is not None and dead:
            self._bury(before, said)
        self._tidy(number)
        return True

    def release(self) -> None:
        """Give it back; the next one need not wait."""
        if self.held:
            self._say(released=True)
        self.holder = None
        if self._record is not None:
            self._path(self.me).unlink(missing_ok=True)
            os.close(self._record)
            self._record = None
        # An epoch that was given back is nobody's; a process that goes on takes another one.
        self.me = replace(self.me, id=uuid4().hex)

    def _say(self, *, released: bool = False) -> None:
        self._count += 1
        locks = sorted(os.listdir(self._locks)) if self._locks.is_dir() else []
        said = {"id": self.me.id, "count": self._count, "released": released, "locks": locks}
        self._store.write(_sign(self.highest), json.dumps(said).encode())
        self._said = self._clock()

    def _content(self) -> bytes:
        return json.dumps(asdict(self.me)).encode()

    def _probe(self) -> bool:
        """Whether the store refuses the second of two that create the same object."""
        key = f"{_DIRECTORY}/probe-{uuid4().hex}"
        self._store.write(key, b"", exclusive=True)
        try:
            self._store.write(key, b"", exclusive=True)
        except AlreadyExists:
            return True
        else:
            return False
        finally:
            with suppress(StorageError):
                self._store.delete(key)

    def _bury(self, dead: Holder, said: Mapping[str, Any]) -> None:
        """Remove the locks that a dead holder had. One that stays behind goes stale by itself."""
        for name in said.get("locks") or ():
            if isinstance(name, str) and re.fullmatch("[0-9a-f]{64}", name):
                with suppress(StorageError):
                    self._store.delete(f"{_LOCKS}/{name}")
        self._path(dead).unlink(missing_ok=True)

    def _tidy(self, number: int) -> None:
        for old in self._numbers():
            if old <= number - _KEPT:
                for key in (_epoch(old), _sign(old)):
                    with suppress(StorageError):
                        self._store.delete(key)

    # Records of this machine

    def _path(self, holder: Holder) -> Path:
        return self._records / (holder.id if re.fullmatch("[0-9a-f]{32}", holder.id) else "-")

    def _keep_record(self) -> None:
        if self._record is not None:
            return
        path = self._path(self.me)
        try:
            self._records.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._record = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._record, fcntl.LOCK_EX)
        except OSError as error:
            raise from_os_error(error, str(path)) from error


def _epoch(number: int) -> str:
    return f"{_DIRECTORY}/epoch-{number:08d}"


def _sign(number: int) -> str:
    return f"{_DIRECTORY}/life-{number:08d}"


def _decoded(content: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        # Not ours, or of a version to come: somebody nobody knows.
        return Holder("", "somebody", "another machine", "", 0)
