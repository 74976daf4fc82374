"""Uploads under way: begun, received piece by piece, published."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from jupyter_storage.errors import (
    Conflict,
    InvalidRequest,
    IsADirectory,
    NoSpace,
    NotFound,
    os_errors,
)
from jupyter_storage.records import ConflictPolicy, Entry, UploadRecord, to_wire
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.uploads.conflicts import check_conflict
from jupyter_storage.uploads.piece import Piece
from jupyter_storage.uploads.staging import (
    followed,
    has_staged,
    holding,
    is_held,
    settle,
    stage_beside,
)
from jupyter_storage.uploads.states import BEGIN_AGAIN, State, States, identity

__all__ = ["LIFE", "Uploads"]

LIFE = 7 * 24 * 3600.0
"""Seconds after which an upload that nobody touched is forgotten."""

_REMEMBERED = 24 * 3600.0  # seconds for which a finished one answers a repeated commit
_CLEANED = 3600.0  # seconds between two looks for forgotten ones
_RECEIVING, _PUBLISHING = "another connection is sending it", "it is being published"
_BETWEEN_PIECES = 3.0  # seconds
_CHECKSUM = re.compile(r"crc32 ([0-9A-Fa-f]{8})")


class Uploads:
    """Uploads under way.

    For a target on this machine the bytes are staged in the target's file system, under a hidden
    name, so that publishing is a rename; for others in ``directory``.

    Parameters
    ----------
    directory : Path
        For the state, in a small file each. Made with mode 0700 if it is not there.
    resolve : callable
        Gives the place of a path, or raises why it may not be written.
    engine : Engine
        Sends what was staged to object stores.
    """

    def __init__(self, directory: Path, resolve: Callable[[str], Place], engine: Engine) -> None:
        self._states = States(directory)
        self._resolve = resolve
        self._engine = engine
        self._lock = threading.Lock()
        self._busy: dict[str, str] = {}
        self._cleaned = float("-inf")

    def begin(
        self,
        path: str,
        *,
        size: int,
        modified: datetime | None = None,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        sample: str | None = None,
        owner: str | None = None,
    ) -> UploadRecord:
        """Prepare to receive a file; what cannot work is refused now, not after the last byte.

        Parameters
        ----------
        path : str
            Where it will be, as a person types it.
        size : int
            Bytes.
        modified : datetime, optional
            Modification time to keep.
        conflict : ConflictPolicy
            ``SKIP`` and ``NEWER`` refuse, with AlreadyExists, what a transfer would skip.
        sample : str, optional
            By which the sender knows the file's content again. An earlier upload of the same
            file to the same place, with this sample, is gone on with.
        owner : str, optional
            Who asks, where the server knows its users.

        Raises
        ------
        AlreadyExists, InvalidRequest, IsADirectory, NoSpace, NotADirectory, Protected
        """
        if size < 0:
            raise InvalidRequest(f"A file cannot have {size} bytes", path=path)
        place = self._resolve(path)
        if not place.key or place.directory:
            raise IsADirectory(
                "A file's name is missing", path=path, hint="Add the name that it is to have."
            )
        with place.naming():
            check_conflict(place, modified, conflict)
        self._clean_sometimes()
        seconds = None if modified is None else modified.timestamp()
        identifier = uuid4().hex
        if sample is not None:
            known = identity(path, size, seconds, sample, owner)
            try:
                return self._go_on(known, conflict)
            except NotFound:
                identifier = known
            except Conflict:
                # Somebody sends the same file at this moment: neither disturbs the other.
                pass
        staged, staged_key = self._stage(place, identifier)
        with os_errors(path):
            free = shutil.disk_usage(staged.parent).free
            if size > free:
                raise NoSpace(
                    f"It needs {size:,} bytes and the disk of '{staged.parent}' has {free:,} left",
                    path=path,
                )
            with staged.open("xb"):
                state = State(
                    id=identifier,
                    path=path,
                    size=size,
                    created=time.time(),
                    modified=seconds,
                    conflict=conflict.value,
                    staged=str(staged),
                    staged_key=staged_key,
                    sample=sample,
                    owner=owner,
                )
                self._states.save(state)
        return state.record()

    def get(self, identifier: str) -> UploadRecord:
        """Describe one; ``offset`` is where the next piece begins.

        Raises
        ------
        NotFound
        """
        state = self._states.load(identifier)
        return state.record(active=self._is_active(state))

    def list(self, owner: str | None = None) -> list[UploadRecord]:
        """List those of a person that can be gone on with, oldest first."""
        records = [
            state.record(active=self._is_active(state))
            for state in self._states
            if state.entry is None and state.owner in {None, owner}
        ]
        return sorted(records, key=lambda record: record.created)

    def open_piece(self, identifier: str, offset: int, checksum: str | None = None) -> Piece:
        """Begin to receive a piece.

        Parameters
        ----------
        identifier : str
        offset : int
            Where the sender believes that it begins.
        checksum : str, optional
            ``crc32`` and eight hexadecimal digits, of this piece. Without one, what arrives
            before a cut is kept.

        Returns
        -------
        Piece
            To be committed or aborted; until then no other can be opened.

        Raises
        ------
        Conflict
            If another connection is sending, or the offset is another one: the message and the
            hint carry the right one.
        InvalidRequest
            If the checksum cannot be read.
        """
        crc = None
        if checksum is not None:
            match = _CHECKSUM.fullmatch(checksum.strip())
            if match is None:
                raise InvalidRequest(
                    "The checksum cannot be read", hint="Send 'crc32' and 8 hexadecimal digits."
                )
            crc = int(match[1], 16)
        self._claim(identifier, _RECEIVING)
        try:
            state = self._states.load(identifier)
            if state.entry is not None or offset != state.offset:
                raise Conflict(
                    f"The next piece begins at byte {state.offset}, not {offset}",
                    path=state.path,
                    hint=f"Go on at byte {state.offset}.",
                )
            return Piece(state, crc, lambda reached: self._received(state, reached))
        except BaseException:
            self._release(identifier)
            raise

    def commit(
        self,
        identifier: str,
        *,
        meter: Meter | None = None,
        cancel: threading.Event | None = None,
    ) -> Entry:
        """Publish a complete upload under its name, at once and whole.

        Doing it again gives the same answer for a day.

        Parameters
        ----------
        identifier : str
        meter : Meter, optional
            Hears of bytes on their way to an object store.
        cancel : threading.Event, optional

        Returns
        -------
        Entry
            What is there now; its path is the key.

        Raises
        ------
        AlreadyExists
            If somebody made such a file since, and the upload was not to replace it. The bytes
            stay: abort it, or begin again under another name.
        Conflict
            If bytes are missing, or the upload is in use.
        """
        self._claim(identifier, _PUBLISHING)
        try:
            state = self._states.load(identifier)
            if state.entry is not None:
                return state.published()
            if state.offset != state.size:
                raise Conflict(
                    f"{state.offset:,} of {state.size:,} bytes have arrived",
                    path=state.path,
                    hint=f"Go on at byte {state.offset}.",
                )
            place = self._resolve(state.path)
            with holding(state):
                if state.staged_key is not None:
                    entry = self._rename(state, place)
                else:
                    entry = self._send(state, place, meter, cancel)
            with os_errors(state.path):
                self._states.save(replace(state, entry=to_wire(entry)))
                Path(state.staged).unlink(missing_ok=True)
            return entry
        finally:
            self._release(identifier)

    def abort(self, identifier: str) -> None:
        """Forget an upload and its bytes. A piece that is on its way is lost, too.

        Raises
        ------
        Conflict
            If it is being published.
        """
        state = self._states.load(identifier)
        with self._lock:
            if self._busy.get(identifier) == _PUBLISHING:
                raise Conflict("It is being published", path=state.path)
            with os_errors(state.path):
                self._states.forget(state)

    def clean(self) -> int:
        """Forget uploads that nobody has touched for :data:`LIFE` seconds.

        Returns
        -------
        int
            How many.
        """
        count, now = 0, time.time()
        for state in self._states:
            with suppress(OSError):
                age = now - self._states.file(state.id).stat().st_mtime
                if age > (LIFE if state.entry is None else _REMEMBERED):
                    with self._lock:
                        if state.id not in self._busy:
                            self._states.forget(state)
                            count += 1
        return count

    # Places

    def _stage(self, place: Place, identifier: str) -> tuple[Path, str | None]:
        """Choose the file that takes the bytes."""
        if isinstance(place.store, LocalStore):
            return stage_beside(place, place.store, identifier)
        directory = self._states.directory
        with os_errors(str(directory)):
            self._states.make_directory()
        return directory / f"{identifier}.data", None

    def _send(
        self, state: State, place: Place, meter: Meter | None, cancel: threading.Event | None
    ) -> Entry:
        with os_errors(state.path):
            settle(state)
        staged = Path(state.staged)
        return self._engine.send(
            Place(LocalStore(staged.parent), staged.name, "", False),
            place,
            exclusive=state.exclusive,
            progress=meter.add if meter else lambda _: None,
            cancel=cancel or threading.Event(),
        )

    def _rename(self, state: State, place: Place) -> Entry:
        assert isinstance(place.store, LocalStore)  # noqa: S101  so it was staged there
        assert state.staged_key is not None  # noqa: S101
        store, key = place.store, followed(place.store, place.key)
        if not Path(state.staged).exists() and state.inode is not None:
            # A commit before this one may have come as far as the rename.
            path = store.local_path(key)
            if path is not None and path.exists() and path.stat().st_ino == state.inode:
                return store.stat(key)
        with os_errors(state.path):
            inode = settle(state)
            self._states.save(replace(state, inode=inode))
        with place.naming():
            store.rename(state.staged_key, key, exclusive=state.exclusive)
            return store.stat(key)

    # Who is at it

    def _go_on(self, identifier: str, conflict: ConflictPolicy) -> UploadRecord:
        """Take up an earlier upload, or raise why it cannot be."""
        state = self._states.load(identifier)
        if state.offset and self._is_active(state):
            raise Conflict("Somebody else is sending it", path=state.path)
        with self._lock, os_errors(state.path):
            if state.entry is not None or not has_staged(state):
                self._states.forget(state)
                raise NotFound("It is done, or lost", path=state.path)
            state = replace(state, conflict=conflict.value)
            self._states.save(state)
        return state.record()

    def _is_active(self, state: State) -> bool:
        if state.entry is not None:
            return False
        with self._lock:
            if state.id in self._busy:
                return True
        with suppress(OSError):
            # Between two pieces nobody holds it.
            if time.time() - self._states.file(state.id).stat().st_mtime < _BETWEEN_PIECES:
                return True
        return is_held(state)

    def _claim(self, identifier: str, use: str) -> None:
        self._states.file(identifier)
        with self._lock:
            if identifier in self._busy:
                raise Conflict(f"The upload is in use: {self._busy[identifier]}")
            self._busy[identifier] = use

    def _release(self, identifier: str) -> None:
        with self._lock:
            self._busy.pop(identifier, None)

    def _received(self, state: State, reached: int | None) -> None:
        """A piece has ended: note how much has arrived, unless the upload was aborted."""
        try:
            if reached is not None:
                self._note(state, reached)
        finally:
            self._release(state.id)

    def _note(self, state: State, offset: int) -> None:
        with self._lock:
            if not self._states.file(state.id).exists():
                raise NotFound("The upload was aborted", path=state.path, hint=BEGIN_AGAIN)
            with os_errors(state.path):
                self._states.save(replace(state, offset=offset))

    def _clean_sometimes(self) -> None:
        if time.monotonic() - self._cleaned > _CLEANED:
            self._cleaned = time.monotonic()
            self.clean()
