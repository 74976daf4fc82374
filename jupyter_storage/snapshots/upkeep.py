"""Upkeep of a workspace's snapshots, as a person asks for it."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.records import SnapshotRecord
from jupyter_storage.snapshots.diary import Diary
from jupyter_storage.snapshots.maintenance import forget, nanoseconds, open_marks
from jupyter_storage.snapshots.place import check_replaceable, replace_shared_password
from jupyter_storage.snapshots.repository import Repository, Snapshot
from jupyter_storage.snapshots.repository.keys import KeyRing
from jupyter_storage.snapshots.repository.locks import Hold
from jupyter_storage.snapshots.repository.outcomes import (
    CheckRecord,
    ForgetRecord,
    KeyRecord,
    PruneRecord,
    RepairRecord,
    UpkeepRecord,
)
from jupyter_storage.snapshots.repository.times import now
from jupyter_storage.snapshots.retention import DEFAULT, parse_policy
from jupyter_storage.snapshots.views import NAME, PINNED, to_record

if TYPE_CHECKING:
    from jupyter_storage.snapshots.workspace import Workspace

__all__ = ["Upkeep"]

_LONGEST = 100  # characters of a name


class Upkeep:
    """Keeps the repository of a workspace in order. All methods may be called from several threads.

    Parameters
    ----------
    workspace : Workspace
    retention : str
        See :mod:`jupyter_storage.snapshots.retention`.
    """

    def __init__(self, workspace: Workspace, retention: str = DEFAULT) -> None:
        self._workspace, self._retention = workspace, retention

    def forget(self, *, dry_run: bool = False) -> ForgetRecord:
        """Thin out snapshots by retention. Their data stays until it is pruned.

        Parameters
        ----------
        dry_run : bool
            Only say what would be done, going by this machine's clock.

        Raises
        ------
        InvalidRequest
            If the retention makes no sense.
        Conflict
            If somebody else is at work in the repository.
        """
        policy = parse_policy(self._retention)
        repository = self._repository()
        if dry_run:
            return forget(repository, policy, now())
        with self._lock(repository, exclusive=True) as hold:
            time = open_marks(*self._place(), repository.id).clock()
            return forget(repository, policy, nanoseconds(time), hold)

    def prune(self) -> PruneRecord:
        """Remove what no snapshot needs; see :meth:`Repository.prune`.

        Raises
        ------
        Conflict
            If somebody else is at work in the repository.
        """
        repository = self._repository()
        with self._lock(repository, exclusive=True) as hold:
            return repository.prune(open_marks(*self._place(), repository.id), hold)

    def check(
        self, *, percent: float = 0.0, progress: Callable[[int, int], None] | None = None
    ) -> CheckRecord:
        """Look whether the repository is whole.

        Parameters
        ----------
        percent : float
            Of the data, how much is read, chosen by chance; 0 checks the structure alone.
        progress : callable, optional
            Called with the numbers of bytes and packs that were read since the last call.
        """
        repository = self._repository()
        with self._lock(repository):
            return repository.check(percent=percent, progress=progress)

    def repair(self) -> RepairRecord:
        """Make the index anew from what is there.

        Raises
        ------
        Conflict
            If somebody else is at work in the repository.
        """
        repository = self._repository()
        with self._lock(repository, exclusive=True) as hold:
            return repository.repair_index(hold)

    def last(self) -> UpkeepRecord | None:
        """Say what the last daily upkeep on this machine came to; None before the first."""
        notes = Diary(self._workspace.state).read()
        moment = notes.pop("time", None)
        notes.pop("due", None)
        if not notes or not isinstance(moment, float):
            return None
        try:
            return UpkeepRecord(datetime.fromtimestamp(moment, timezone.utc), **notes)
        except TypeError:
            # Written by another version.
            return None

    # Keys

    def list_keys(self) -> list[KeyRecord]:
        """List the keys: each opens the repository with a password of its own."""
        return self._ring().list()

    def add_key(self, password: str) -> KeyRecord:
        """Let another password open the repository; see :meth:`KeyRing.add`."""
        return self._ring().add(password)

    def remove_key(self, key: str) -> KeyRecord:
        """Take a password away; see :meth:`KeyRing.remove`."""
        return self._ring().remove(key)

    def change_password(self, password: str = "") -> KeyRecord:
        """Change the password beside the repository.

        The new key is there before the password is replaced, and the old one goes last: at any
        moment the password beside the repository opens it.

        Parameters
        ----------
        password : str
            The new one; made by chance unless given.

        Raises
        ------
        Unsupported
            If the password does not lie beside the repository.
        """
        place, repository = self._workspace.place(), self._repository()
        check_replaceable(place)
        old = place.password()
        new = password or secrets.token_urlsafe(32)
        repository.keys(old).add(new)
        replace_shared_password(place, new)
        ring = repository.keys(new)
        ring.retire(old)
        return next(key for key in ring.list() if key.current)

    # Tags

    def pin(self, snapshot: str) -> SnapshotRecord:
        """Keep a snapshot for ever; see :meth:`tag`."""
        return self.tag(snapshot, add=[PINNED])

    def unpin(self, snapshot: str) -> SnapshotRecord:
        """Keep a snapshot only as long as retention says; see :meth:`tag`."""
        return self.tag(snapshot, remove=[PINNED])

    def name(self, snapshot: str, text: str) -> SnapshotRecord:
        """Give a snapshot a name, in place of any that it has; an empty one takes it away.

        Raises
        ------
        InvalidRequest
            If the name is too long, or has characters that cannot be seen.
        """
        text = text.strip()
        if len(text) > _LONGEST or any(unicodedata.category(each) == "Cc" for each in text):
            raise InvalidRequest(
                "This cannot be the name of a snapshot",
                hint=f"A name is one line with at most {_LONGEST} characters.",
            )
        return self._retag(snapshot, lambda tags: _named(tags, text))

    def tag(
        self, snapshot: str, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> SnapshotRecord:
        """Change the tags of a snapshot.

        A snapshot never changes: a new one takes its place, with another ID and the same content,
        as with ``restic tag``.

        Parameters
        ----------
        snapshot : str
            See :meth:`Workspace.find`.
        add, remove : collection of str

        Returns
        -------
        SnapshotRecord
            The new one; the old one where nothing changes.
        """

        def changed(tags: tuple[str, ...]) -> tuple[str, ...]:
            left = tuple(tag for tag in tags if tag not in remove)
            return (*left, *(tag for tag in add if tag not in left))

        return self._retag(snapshot, changed)

    def _retag(
        self, snapshot: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]
    ) -> SnapshotRecord:
        found = self._workspace.find(snapshot)
        tags = change(found.tags)
        repository = self._repository()
        if tags == found.tags:
            return found
        with self._lock(repository) as hold:
            # What the file holds, and not what we know of it: others note more.
            wire = repository.load_unpacked("snapshots", found.id)
            wire["tags"] = list(tags)
            wire["original"] = wire.get("original") or found.id
            hold()
            # Two that are the same for a moment: a crash in between loses nothing.
            identifier = repository.save_unpacked("snapshots", wire)
            repository.delete_file("snapshots", found.id)
        return to_record(Snapshot.from_json(identifier, wire))

    # Below

    def _repository(self) -> Repository:
        repository = self._workspace.repository()
        if repository is None:
            raise NotFound(
                "There are no snapshots of this workspace yet",
                hint="'jupyter storage snapshot now' takes the first.",
            )
        return repository

    def _ring(self) -> KeyRing:
        return self._repository().keys(self._workspace.place().password())

    def _place(self) -> tuple[str, dict[str, object]]:
        place = self._workspace.place()
        return place.uri, dict(place.options)

    def _lock(
        self, repository: Repository, *, exclusive: bool = False
    ) -> AbstractContextManager[Hold]:
        return repository.lock(exclusive=exclusive, records=self._workspace.state / "locks")


def _named(tags: tuple[str, ...], text: str) -> tuple[str, ...]:
    others = tuple(tag for tag in tags if not tag.startswith(NAME))
    return (*others, f"{NAME}{text}") if text else others
