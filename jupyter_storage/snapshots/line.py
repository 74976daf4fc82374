"""Which line of snapshots a project directory is on: the main line of its workspace, or a fork.

Whoever holds the lease writes the main line. Who does not writes a fork, whose snapshots carry a
tag of their own: both sides keep what they have. A fork becomes the main line by itself where the
holder is gone and the main line has not moved since the two parted; else a person decides.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import Conflict, from_os_error
from jupyter_storage.paths import TEMPORARY_PREFIX
from jupyter_storage.records import SnapshotRecord
from jupyter_storage.snapshots.lease import Lease
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.views import EPOCH, FORK, epoch_of

__all__ = ["Heading", "Line", "directory_name"]


@dataclass(frozen=True)
class Heading:
    """Where the next snapshot goes.

    Attributes
    ----------
    tags : tuple of str
        For the snapshot.
    lineage : tuple of str
        Tags of its parent.
    fork : str or None
        None on the main line.
    holder : str or None
        Who holds the workspace, on a fork.
    joins : bool
        Whether a snapshot is due even if nothing changed: the first on the main line again.
    """

    tags: tuple[str, ...]
    lineage: tuple[str, ...]
    fork: str | None = None
    holder: str | None = None
    joins: bool = False


@dataclass(frozen=True)
class _Past:
    """What this project directory comes from; all its processes read and write it.

    Attributes
    ----------
    origin : tuple of (int, int) or None
        Age of the newest snapshot of the main line that is in it.
    tags : tuple of str
        Of the last snapshot that was taken here, or restored.
    taken : bool
        Whether it was taken here.
    fork : str or None
        The fork that the directory is on.
    epoch : int
        The last one that was held for it.
    """

    origin: tuple[int, int] | None = None
    tags: tuple[str, ...] = ()
    taken: bool = False
    fork: str | None = None
    epoch: int = 0


class Line:
    """The line of one project directory. All methods may be called from several threads.

    Parameters
    ----------
    lease : Lease
    tag : str
        What all snapshots of the workspace are tagged with.
    state : Path
        File of our own on this machine, for this project directory.
    newest : Callable
        Gives the newest snapshot of the main line.
    """

    def __init__(
        self, lease: Lease, *, tag: str, state: Path, newest: Callable[[], Snapshot | None]
    ) -> None:
        self._lease, self._tag, self._state, self._newest = lease, tag, state, newest
        self._lock = threading.RLock()
        self._probed = state.with_name("guarded")
        with suppress(OSError):
            if self._probed.read_text() == lease.uri:
                lease.guarded = True

    @property
    def guarded(self) -> bool | None:
        """Whether the store itself keeps two machines apart; None while nobody knows."""
        return self._lease.guarded

    def sync(self) -> Heading:
        """Look who holds the workspace, take it where that is right, and say where we are."""
        with self._lock:
            self._lease.sync()
            past = self._read()
            if past.origin is None and not self._lease.held and (main := self._newest()):
                # As far as anybody knows, the directory is what is newest now.
                past = self._write(replace(past, origin=_age(main)))
            if not self._lease.held and self._lease.is_free() and not self._has_parted(past):
                self._lease.take()
            if self._lease.guarded:
                self._remember()
            return self._heading(self._read())

    def take_over(self) -> Heading:
        """Take the workspace, whoever holds it.

        Raises
        ------
        Conflict
            If somebody else takes it at the same moment.
        """
        with self._lock:
            self._lease.sync()
            main = self._newest()
            if self._lease.held or self._lease.shared:
                return self._heading(self._read())
            if not self._lease.take():
                raise Conflict(
                    f"{self._lease.holder} took the workspace at the same moment",
                    hint="Look whether it is in use there, and try again.",
                )
            past = self._read()
            if main is not None:
                past = self._write(replace(past, origin=_age(main)))
            return self._heading(past)

    def captured(self, record: SnapshotRecord, heading: Heading) -> None:
        """The project directory is what a snapshot holds, which was taken of it."""
        with self._lock:
            past = self._read()
            # On a fork the main line has not moved, whatever snapshot still stands.
            origin = past.origin if heading.fork else max(past.origin or (0, 0), _moment(record))
            tags = self._known(record)
            # Where nothing had changed it is an older one, which may be another machine's.
            taken = set(heading.tags) <= set(tags) or (past.taken and tags == past.tags)
            self._write(replace(past, origin=origin, tags=tags, taken=taken, fork=heading.fork))

    def restored(self, record: SnapshotRecord) -> None:
        """The project directory was empty, and is what a snapshot holds."""
        with self._lock:
            past = self._read()
            self._write(_Past(_moment(record), self._known(record), epoch=past.epoch))

    def release(self) -> None:
        """Give the lease back."""
        with self._lock:
            self._lease.release()

    # Below

    def _remember(self) -> None:
        """Note that the store keeps two machines apart, so that it is not asked each time."""
        if not self._probed.exists():
            with suppress(OSError):
                self._probed.write_text(self._lease.uri)

    def _known(self, record: SnapshotRecord) -> tuple[str, ...]:
        """Of a snapshot's tags those that say where it is; a person may have added others."""
        return tuple(
            tag for tag in record.tags if tag == self._tag or tag.startswith((EPOCH, FORK))
        )

    def _has_parted(self, past: _Past) -> bool:
        """Whether the main line has moved on without us."""
        main = self._newest()
        if main is None or past.origin is None or _age(main) <= past.origin:
            return False
        # What was written in our own epoch is ours, even if a crash kept us from noting it.
        return epoch_of(main.tags) != past.epoch

    def _heading(self, past: _Past) -> Heading:
        if self._lease.held or self._lease.shared:
            if past.epoch != self._lease.highest:
                past = self._write(replace(past, epoch=self._lease.highest))
            return Heading(
                tags=(self._tag, f"{EPOCH}{self._lease.highest}"),
                lineage=past.tags or (self._tag,),
                joins=past.fork is not None,
            )
        if past.fork is None:
            past = self._write(replace(past, fork=secrets.token_hex(4)))
        own = f"{FORK}{past.fork}"
        return Heading(
            tags=(self._tag, f"{EPOCH}{past.origin[0] if past.origin else 0}", own),
            # What was restored here may have gone on elsewhere: it is no parent.
            lineage=past.tags if past.taken else (self._tag, own),
            fork=past.fork,
            holder=str(self._lease.holder) if self._lease.holder else None,
        )

    def _read(self) -> _Past:
        with suppress(OSError, ValueError, TypeError, KeyError):
            wire = json.loads(self._state.read_text())
            origin = wire["origin"] and (int(wire["origin"][0]), int(wire["origin"][1]))
            tags = tuple(map(str, wire["tags"]))
            return _Past(origin, tags, bool(wire["taken"]), wire["fork"], int(wire["epoch"]))
        return _Past()

    def _write(self, past: _Past) -> _Past:
        temporary = self._state.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps(asdict(past)))
            temporary.replace(self._state)
        except OSError as error:
            raise from_os_error(error, str(self._state)) from error
        return past


def directory_name(project: Path) -> str:
    """Name for what is noted of a project directory: of this one, not of one in its place."""
    try:
        inode = project.stat().st_ino
    except OSError:
        inode = 0
    return sha256(f"{project}:{inode}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


# Records have microseconds, so microseconds are what is compared.


def _age(snapshot: Snapshot) -> tuple[int, int]:
    return epoch_of(snapshot.tags), snapshot.time // 1000


def _moment(record: SnapshotRecord) -> tuple[int, int]:
    first = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return epoch_of(record.tags), (record.time - first) // timedelta(microseconds=1)
