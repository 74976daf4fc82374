"""Resumable uploads: pieces are staged on disk, and published whole at the end."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import (
    AlreadyExists,
    ChecksumMismatch,
    Conflict,
    InvalidRequest,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotFound,
    from_os_error,
)
from jupyter_storage.paths import TEMPORARY_PREFIX, join, parent
from jupyter_storage.records import ConflictPolicy, Entry, UploadRecord, to_wire
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.plan import is_newer
from jupyter_storage.transfers.progress import Meter

__all__ = ["LIFE", "Piece", "Uploads"]

LIFE = 7 * 24 * 3600.0
"""Seconds after which an upload that nobody touched is forgotten."""

_REMEMBERED = 24 * 3600.0  # seconds for which a finished one answers a repeated commit
_CLEANED = 3600.0  # seconds between two looks for forgotten ones
_RECEIVING, _PUBLISHING = "another connection is sending it", "it is being published"
_ID = re.compile(r"[0-9a-f]{32}")
_CHECKSUM = re.compile(r"crc32 ([0-9A-Fa-f]{8})")


@dataclass(frozen=True, slots=True)
class _State:
    """What is kept in a file, so that an upload outlives the server.

    Attributes
    ----------
    staged : str
        File that holds the bytes.
    staged_key : str or None
        Its key where it lies in the target's own store.
    offset : int
        Bytes that were accepted. The file may be longer, after a crash: the rest is cut off.
    inode : int or None
        Of the staged file, noted before it is renamed.
    entry : dict or None
        What was published.
    """

    id: str
    path: str
    size: int
    created: float
    modified: float | None
    conflict: str
    staged: str
    staged_key: str | None
    offset: int = 0
    inode: int | None = None
    entry: dict[str, Any] | None = None

    def record(self) -> UploadRecord:
        """What faces show."""
        created = datetime.fromtimestamp(self.created, timezone.utc)
        policy = ConflictPolicy(self.conflict)
        return UploadRecord(self.id, self.path, self.size, self.offset, created, policy)


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
        self._directory = directory
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
            self._check_conflict(place, modified, conflict)
        self._clean_sometimes()
        identifier = uuid4().hex
        staged, staged_key = self._stage(place, identifier)
        with _errors(path):
            free = shutil.disk_usage(staged.parent).free
            if size > free:
                raise NoSpace(
                    f"It needs {size:,} bytes and the disk of '{staged.parent}' has {free:,} left",
                    path=path,
                )
            with staged.open("xb"):
                state = _State(
                    id=identifier,
                    path=path,
                    size=size,
                    created=time.time(),
                    modified=None if modified is None else modified.timestamp(),
                    conflict=conflict.value,
                    staged=str(staged),
                    staged_key=staged_key,
                )
                self._save(state)
        return state.record()

    def get(self, identifier: str) -> UploadRecord:
        """Describe one; ``offset`` is where the next piece begins.

        Raises
        ------
        NotFound
        """
        return self._load(identifier).record()

    def list(self) -> list[UploadRecord]:
        """List those that can be gone on with, oldest first."""
        records = [state.record() for state in self._states() if state.entry is None]
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
            state = self._load(identifier)
            if state.entry is not None or offset != state.offset:
                raise Conflict(
                    f"The next piece begins at byte {state.offset}, not {offset}",
                    path=state.path,
                    hint=f"Go on at byte {state.offset}.",
                )
            return Piece(self, state, crc)
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
            state = self._load(identifier)
            if state.entry is not None:
                return _entry(state.entry)
            if state.offset != state.size:
                raise Conflict(
                    f"{state.offset:,} of {state.size:,} bytes have arrived",
                    path=state.path,
                    hint=f"Go on at byte {state.offset}.",
                )
            place = self._resolve(state.path)
            if state.staged_key is not None:
                entry = self._rename(state, place)
            else:
                with _errors(state.path):
                    _settle(state)
                source = Place(
                    LocalStore(Path(state.staged).parent), Path(state.staged).name, "", False
                )
                entry = self._engine.send(
                    source,
                    place,
                    exclusive=_is_exclusive(state),
                    progress=meter.add if meter else lambda _: None,
                    cancel=cancel or threading.Event(),
                )
            with _errors(state.path):
                self._save(replace(state, entry=to_wire(entry)))
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
        state = self._load(identifier)
        with self._lock:
            if self._busy.get(identifier) == _PUBLISHING:
                raise Conflict("It is being published", path=state.path)
            with _errors(state.path):
                self._forget(state)

    def clean(self) -> int:
        """Forget uploads that nobody has touched for :data:`LIFE` seconds.

        Returns
        -------
        int
            How many.
        """
        count, now = 0, time.time()
        for state in self._states():
            with suppress(OSError):
                age = now - self._file(state.id).stat().st_mtime
                if age > (LIFE if state.entry is None else _REMEMBERED):
                    with self._lock:
                        if state.id not in self._busy:
                            self._forget(state)
                            count += 1
        return count

    # Places

    def _check_conflict(
        self, place: Place, modified: datetime | None, conflict: ConflictPolicy
    ) -> None:
        try:
            there = place.store.stat(place.key)
        except NotFound:
            return
        if there.is_directory:
            raise IsADirectory("A directory has that name", path=place.key)
        newcomer = Entry("", "", "file", modified=modified)
        if conflict in {ConflictPolicy.FAIL, ConflictPolicy.SKIP} or (
            conflict is ConflictPolicy.NEWER and not is_newer(newcomer, there)
        ):
            raise AlreadyExists("It exists already", path=place.key)

    def _stage(self, place: Place, identifier: str) -> tuple[Path, str | None]:
        """Choose the file that takes the bytes."""
        if not isinstance(place.store, LocalStore):
            with _errors(str(self._directory)):
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            return self._directory / f"{identifier}.data", None
        store, key = place.store, parent(place.key)
        with place.naming():
            if not key:
                store.make_directory("")
            # The nearest directory that exists: those below it come into being with the file.
            while key:
                try:
                    if not store.stat(key).is_directory:
                        raise NotADirectory("It is a file, not a directory", path=key)
                    break
                except NotFound:
                    key = parent(key)
            else:
                store.make_directory("")
            staged_key = join(key, f"{TEMPORARY_PREFIX}{identifier}")
            path = store.local_path(staged_key)
        assert path is not None  # noqa: S101  a LocalStore always has one
        return path, staged_key

    def _rename(self, state: _State, place: Place) -> Entry:
        assert isinstance(place.store, LocalStore)  # noqa: S101  so it was staged there
        assert state.staged_key is not None  # noqa: S101
        store, key = place.store, _followed(place.store, place.key)
        if not Path(state.staged).exists() and state.inode is not None:
            # A commit before this one may have come as far as the rename.
            path = store.local_path(key)
            if path is not None and path.exists() and path.stat().st_ino == state.inode:
                return store.stat(key)
        with _errors(state.path):
            inode = _settle(state)
            self._save(replace(state, inode=inode))
        with place.naming():
            store.rename(state.staged_key, key, exclusive=_is_exclusive(state))
            return store.stat(key)

    # State

    def _claim(self, identifier: str, use: str) -> None:
        self._file(identifier)
        with self._lock:
            if identifier in self._busy:
                raise Conflict(f"The upload is in use: {self._busy[identifier]}")
            self._busy[identifier] = use

    def _release(self, identifier: str) -> None:
        with self._lock:
            self._busy.pop(identifier, None)

    def _file(self, identifier: str) -> Path:
        if not _ID.fullmatch(identifier):
            raise NotFound("There is no such upload", hint=_BEGIN_AGAIN)
        return self._directory / f"{identifier}.json"

    def _load(self, identifier: str) -> _State:
        try:
            return _State(**json.loads(self._file(identifier).read_text("utf-8")))
        except FileNotFoundError:
            raise NotFound("There is no such upload", hint=_BEGIN_AGAIN) from None
        except (TypeError, ValueError) as error:
            raise NotFound("The upload's state cannot be read", hint=_BEGIN_AGAIN) from error
        except OSError as error:
            raise from_os_error(error, str(self._directory)) from error

    def _states(self) -> Iterator[_State]:
        for file in sorted(self._directory.glob("*.json")):
            with suppress(NotFound):
                yield self._load(file.stem)

    def _save(self, state: _State) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._directory / f"{state.id}.{uuid4().hex}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
        temporary.replace(self._file(state.id))

    def _update(self, state: _State, offset: int) -> None:
        """Note how much has arrived, unless the upload was aborted meanwhile."""
        with self._lock:
            if not self._file(state.id).exists():
                raise NotFound("The upload was aborted", path=state.path, hint=_BEGIN_AGAIN)
            with _errors(state.path):
                self._save(replace(state, offset=offset))

    def _forget(self, state: _State) -> None:
        Path(state.staged).unlink(missing_ok=True)
        self._file(state.id).unlink(missing_ok=True)

    def _clean_sometimes(self) -> None:
        if time.monotonic() - self._cleaned > _CLEANED:
            self._cleaned = time.monotonic()
            self.clean()


class Piece:
    """A run of bytes on its way. As a context manager it aborts unless it was committed."""

    def __init__(self, uploads: Uploads, state: _State, crc: int | None) -> None:
        self._uploads, self._state, self._expected = uploads, state, crc
        self._crc = self._written = 0
        self._open = True
        with _errors(state.path):
            try:
                self._file = Path(state.staged).open("r+b", buffering=0)  # noqa: SIM115
            except FileNotFoundError:
                raise NotFound(
                    "What had arrived is gone", path=state.path, hint=_BEGIN_AGAIN
                ) from None
            length = self._file.seek(0, os.SEEK_END)
            if length < state.offset:
                self._file.close()
                raise Conflict(
                    f"The disk kept only {length:,} of {state.offset:,} bytes",
                    path=state.path,
                    hint=_BEGIN_AGAIN,
                )
            self._file.truncate(state.offset)
            self._file.seek(state.offset)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes.

        Raises
        ------
        InvalidRequest
            If there are more than the upload has. Those up to then count as arrived.
        NoSpace
        """
        view = memoryview(data)
        room = self._state.size - self._state.offset - self._written
        if len(view) > room:
            raise InvalidRequest(
                f"More bytes came than the {self._state.size:,} that were announced",
                path=self._state.path,
                hint="Begin again with the right size.",
            )
        if self._expected is not None:
            self._crc = zlib.crc32(view, self._crc)
        with _errors(self._state.path):
            while view:
                written = self._file.write(view)
                self._written += written
                view = view[written:]

    def commit(self) -> int:
        """Accept the piece.

        Returns
        -------
        int
            Where the next one begins.

        Raises
        ------
        ChecksumMismatch
            If the checksum differs. Nothing of the piece is kept.
        NotFound
            If the upload was aborted meanwhile.
        """
        if self._expected is not None and self._crc != self._expected:
            self.abort()
            raise ChecksumMismatch(
                f"The piece's checksum is {self._crc:08x}, not {self._expected:08x}",
                path=self._state.path,
                hint=f"Nothing of it was kept: send it again from byte {self._state.offset}.",
            )
        return self._end(self._written)

    def abort(self) -> None:
        """The rest will not come: keep what arrived, if no checksum was to tell about it.

        Does nothing after :meth:`commit` or a second time.
        """
        if self._open:
            with suppress(NotFound):
                self._end(self._written if self._expected is None else 0)

    def __enter__(self) -> Piece:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()

    def _end(self, kept: int) -> int:
        self._open = False
        offset = self._state.offset + kept
        try:
            with _errors(self._state.path):
                self._file.truncate(offset)
                self._file.close()
            self._uploads._update(self._state, offset)
        finally:
            self._file.close()
            self._uploads._release(self._state.id)
        return offset


_BEGIN_AGAIN = "Begin the upload again."


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os_error(error, path) from error


def _is_exclusive(state: _State) -> bool:
    return ConflictPolicy(state.conflict) in {ConflictPolicy.FAIL, ConflictPolicy.SKIP}


def _settle(state: _State) -> int:
    """Make the staged bytes durable, cut off what was never accepted, and give the inode."""
    with Path(state.staged).open("r+b", buffering=0) as file:
        file.truncate(state.size)
        # One fsync a file: after it is published it must be whole, even if the power goes.
        os.fsync(file.fileno())
        if state.modified is not None:
            os.utime(file.fileno(), (state.modified, state.modified))
        return os.fstat(file.fileno()).st_ino


def _followed(store: LocalStore, key: str) -> str:
    """The key of what a link at the end leads to, so that the link stays a link."""
    path = store.local_path(key)
    if path is not None and path.is_symlink():
        entry = store.stat(key)
        if entry.type == "symlink":
            raise NotFound(
                "The symbolic link leads out of the tier, or nowhere",
                path=key,
                hint="Use the path that the link points to.",
            )
        return path.resolve().relative_to(store.root).as_posix()
    return key


def _entry(wire: dict[str, Any]) -> Entry:
    modified = wire.get("modified")
    if modified is not None:
        # Python 3.10 does not know the Z.
        modified = datetime.fromisoformat(modified.replace("Z", "+00:00"))
    return Entry(**{**wire, "modified": modified})
