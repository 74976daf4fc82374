"""Files that are written here first: kept on disk until the bucket has them.

Each has its bytes and a journal entry, which is there from the first change until the upload is
complete. A process that is killed leaves both, and the next one uploads what they say.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from uuid import uuid4

from jupyter_storage.errors import NotFound, StorageError
from jupyter_storage.mounts.requests import put
from jupyter_storage.paths import is_below
from jupyter_storage.redact import redact
from jupyter_storage.stores.store import CHUNK, Store

__all__ = ["Cache", "Pending", "cache_directory", "pending"]

UPLOADS = 4  # files at once
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a failed upload is tried again

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that the bucket does not have yet.

    Attributes
    ----------
    journal : Path
    key : str
    error : str
        Why the last try failed; empty if there was none.
    """

    journal: Path
    key: str
    error: str


def cache_directory(directory: Path, uri: str) -> Path:
    """Where the files for a bucket are; another bucket at the same target has another one."""
    return directory / "cache" / hashlib.sha256(uri.encode()).hexdigest()[:16]


def pending(directory: Path) -> list[Pending]:
    """List what is not uploaded, from any process."""
    found = []
    for journal in sorted(directory.glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            fields = json.loads(journal.read_text("utf-8"))
            found.append(Pending(journal, str(fields["key"]), str(fields.get("error", ""))))
    return found


class CachedFile:
    """One file: its bytes here, and what is to become of them."""

    def __init__(self, directory: Path, key: str, name: str | None = None) -> None:
        name = name or uuid4().hex
        self.key = key
        self.path = directory / f"{name}.data"
        self.journal = directory / f"{name}.json"
        self.users = 0  # that have it open for writing
        self.changes = 0
        self.dirty = False
        self.gone = False  # deleted meanwhile: what is on its way is to be deleted, too

    def change(self) -> None:
        """Note, before it is done, that the bytes differ from the bucket's."""
        self.changes += 1
        if not self.dirty:
            put(self.journal, {"key": self.key})
            self.dirty = True

    def note(self, error: str) -> None:
        """Note why it could not be uploaded."""
        put(self.journal, {"key": self.key, "error": error})

    def remove(self) -> None:
        """Leave no trace; whoever reads it goes on reading."""
        self.journal.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


class Cache:
    """All such files of one mount, and the threads that upload them.

    Parameters
    ----------
    directory : Path
        What a process before this one left there is uploaded.
    store : Store
    uploaded : callable
        Told the key of what the bucket has now, and this machine no longer.
    """

    def __init__(self, directory: Path, store: Store, uploaded: Callable[[str], None]) -> None:
        self._directory, self._store, self._uploaded = directory, store, uploaded
        self._files: dict[str, CachedFile] = {}
        self._lock = threading.RLock()
        self._taken: set[str] = set()  # keys at which something is going on in the bucket
        self._released = threading.Condition()
        self._due: Queue[CachedFile] = Queue()
        self._stopped = threading.Event()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._recover()
        self._threads = [
            threading.Thread(target=self._work, name="storage-upload", daemon=True)
            for _ in range(UPLOADS)
        ]
        for thread in self._threads:
            thread.start()

    def get(self, key: str) -> CachedFile | None:
        """Give a file that is here."""
        with self._lock:
            return self._files.get(key)

    def below(self, key: str) -> list[CachedFile]:
        """List the files in a directory and below it."""
        with self._lock:
            return [file for file in self._files.values() if is_below(file.key, key)]

    def open(self, key: str, *, empty: bool) -> CachedFile:
        """Have a file here to write to; its content is fetched unless that is given up.

        Raises
        ------
        OSError
            If the disk is full: nothing is lost.
        """
        with self._lock:
            file = self._files.get(key)
            if file is None:
                file = CachedFile(self._directory, key)
                try:
                    self._fill(file, empty=empty)
                    if empty:
                        file.change()
                except BaseException:
                    file.remove()
                    raise
                self._files[key] = file
            elif empty:
                file.change()
                os.truncate(file.path, 0)
            file.users += 1
            return file

    def change(self, file: CachedFile) -> None:
        """A file is about to be changed."""
        with self._lock:
            file.change()

    def close(self, file: CachedFile) -> None:
        """Somebody who wrote is done; after the last one it is uploaded."""
        with self._lock:
            file.users -= 1
            if file.users:
                return
            if file.dirty and not file.gone:
                self._due.put(file)
            else:
                self._drop(file)

    def forget(self, key: str) -> bool:
        """Give up a file that is being deleted; whether there was one."""
        with self._lock:
            file = self._files.pop(key, None)
            if file is None:
                return False
            file.gone = True
            file.remove()
            return True

    def rename(self, file: CachedFile, key: str) -> None:
        """Upload a file under another name than it had."""
        with self._lock:
            # First on disk: where that is full, nothing has changed.
            put(file.journal, {"key": key})
            self.forget(key)
            self._files.pop(file.key, None)
            file.key = key
            file.changes += 1
            file.dirty = True
            self._files[key] = file
            if not file.users:
                self._due.put(file)

    def wait(self, key: str = "", seconds: float = 60.0) -> bool:
        """Wait until everything in a directory is uploaded; False if that takes too long."""
        for _ in range(int(seconds * 20)):
            if not self.below(key):
                return True
            self._stopped.wait(0.05)
        return not self.below(key)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Wait for what is on its way to a key, and let nothing else go there meanwhile.

        Else what is older could arrive later.
        """
        with self._released:
            self._released.wait_for(lambda: key not in self._taken)
            self._taken.add(key)
        try:
            yield
        finally:
            with self._released:
                self._taken.discard(key)
                self._released.notify_all()

    def stop(self) -> None:
        """Upload what can be uploaded, and end. The rest is there for the next process."""
        self.wait(seconds=20.0)
        self._stopped.set()
        for thread in self._threads:
            thread.join(5.0)

    def _recover(self) -> None:
        for left in pending(self._directory):
            file = CachedFile(self._directory, left.key, left.journal.stem)
            if not file.path.exists():
                file.remove()
                continue
            file.dirty = True
            self._files[left.key] = file
            self._due.put(file)
        known = {file.path for file in self._files.values()}
        for path in self._directory.glob("*.data"):
            # Opened, and never changed.
            if path not in known:
                path.unlink()

    def _fill(self, file: CachedFile, *, empty: bool) -> None:
        with file.path.open("wb") as target:
            if not empty:
                with self._store.open(file.key) as pieces:
                    for piece in pieces:
                        target.write(piece)

    def _drop(self, file: CachedFile) -> None:
        if self._files.get(file.key) is file:
            del self._files[file.key]
        # It may be due once more: it was closed while it was on its way.
        file.dirty = False
        file.remove()
        self._uploaded(file.key)

    # Uploading

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                file = self._due.get(timeout=0.2)
            except Empty:
                continue
            self._upload_until_done(file)

    def _upload_until_done(self, file: CachedFile) -> None:
        tries = 0
        while not self._stopped.is_set():
            try:
                self._upload(file)
                return
            except (StorageError, OSError) as error:
                text = redact(str(error))
                _log.warning("%s is not uploaded yet: %s", file.key, text)
                with self._lock:
                    if file.gone or file.users:
                        return
                    # On a full disk it stays without a note.
                    with suppress(OSError):
                        file.note(text)
            self._stopped.wait(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    def _upload(self, file: CachedFile) -> None:
        key = file.key
        with self.alone(key):
            self._upload_as(file, key)

    def _upload_as(self, file: CachedFile, key: str) -> None:
        with self._lock:
            if file.gone or file.users or not file.dirty or file.key != key:
                # Whoever has it open, or gave it another name, brings it here again.
                return
            changes = file.changes
            source = file.path.open("rb")
        with source, self._store.create(key, size=os.fstat(source.fileno()).st_size) as writer:
            for piece in _pieces(source.fileno()):
                writer.write(piece)
                if file.changes != changes or file.gone:
                    # Half of the old and half of the new is nothing to publish.
                    return
            with self._lock:
                if file.changes != changes or file.gone:
                    return
            writer.commit()
        with self._lock:
            if file.gone or file.key != key:
                with suppress(NotFound):
                    self._store.delete(key)
            elif file.changes == changes and not file.users:
                self._drop(file)
            elif file.changes == changes:
                file.dirty = False
                file.journal.unlink(missing_ok=True)


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while piece := os.pread(descriptor, CHUNK, offset):
        yield piece
        offset += len(piece)
