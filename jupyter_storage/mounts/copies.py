"""A copy in place of a mount: fetched as a whole, and its changes brought back on request.

For machines where nothing can be mounted. What both sides were like when they were last the same is
remembered, so that it is known which of them changed since. Nothing is ever deleted on either side,
and a file that changed on both is left as it is, and named.
"""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jupyter_storage.errors import Conflict, StorageError, os_errors
from jupyter_storage.mounts.requests import Request, put
from jupyter_storage.records import ConflictPolicy, Entry
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.store import Store
from jupyter_storage.transfers.contents import have_one_content
from jupyter_storage.transfers.engine import Engine
from jupyter_storage.transfers.places import Place, failure
from jupyter_storage.transfers.plan import SKIPPED, have_one_time
from jupyter_storage.transfers.progress import Meter

__all__ = ["Copy", "Known", "decide"]

KNOWN = "known.json"
LOCK = "lock"

Decision = Literal["nothing", "same", "fetch", "push", "clash"]


@dataclass(frozen=True, slots=True)
class Known:
    """A file when it was last the same on both sides: its marks there and here."""

    here: str
    there: str


def decide(here: Entry | None, there: Entry | None, known: Known | None) -> Decision:
    """Say what is to be done about a file.

    Parameters
    ----------
    here, there : Entry or None
        In the copy and in the bucket; None where it is not.
    known : Known or None
        None where it was never the same on both sides.

    Returns
    -------
    {'nothing', 'same', 'fetch', 'push', 'clash'}
        ``same``: it changed on both sides to the same, as far as size and time tell. ``clash``: it
        changed on both, maybe to something else. What is missing on one side and unchanged on the
        other was deleted, and is left.
    """
    changed_here = here is not None and (known is None or _mark(here) != known.here)
    changed_there = there is not None and (known is None or _mark(there) != known.there)
    if here is not None and there is not None and changed_here and changed_there:
        return "same" if here.size == there.size and have_one_time(here, there) else "clash"
    if changed_here:
        return "push"
    return "fetch" if changed_there else "nothing"


class Copy:
    """One copy, and what is known of it.

    Parameters
    ----------
    directory : Path
        Of ours.
    request : Request
    engine : Engine, optional
    """

    def __init__(self, directory: Path, request: Request, engine: Engine | None = None) -> None:
        self._directory, self._request = directory, request
        self._engine = engine or Engine()
        self._here = LocalStore(Path(request.target))

    @property
    def state(self) -> Literal["ok", "missing", "incomplete"]:
        """Whether all that was in the bucket is here."""
        if not Path(self._request.target).is_dir():
            return "missing"
        return "ok" if self._load()[1] else "incomplete"

    def unsynced(self) -> list[str]:
        """Files that were changed here, and were not brought back yet."""
        if self._request.read_only or self.state == "missing":
            return []
        known, _ = self._load()
        try:
            return [
                name
                for name, here in _files(self._here).items()
                if name not in known or known[name].here != _mark(here)
            ]
        except StorageError:
            return []

    def fetch(self, meter: Meter, cancel: threading.Event) -> None:
        """Bring what changed in the bucket. What was changed here stays as it is."""
        with self._alone(), self._opened() as store:
            known, _ = self._load()
            target = Path(self._request.target)
            with os_errors(str(target)):
                target.mkdir(parents=True, exist_ok=True)
                if not any(target.iterdir()):
                    # Nobody deletes all of it file by file: this is a new disk.
                    known = {}
            self._save(known, whole=False)
            failed = meter.snapshot().failure_count
            there = _files(store)
            names = self._decided(there, known, store, cancel)["fetch"]
            self._copy(self._place_there(_Chosen(store, names)), self._place_here(), meter, cancel)
            here = _files(self._here)
            for name in names:
                _note_fetched(known, name, here.get(name), there[name])
            self._save(known, whole=meter.snapshot().failure_count == failed)

    def push(self, meter: Meter, cancel: threading.Event) -> int:
        """Bring back what was changed here, and say how many files that was.

        What changed on both sides is told to the meter, and left as it is on both.
        """
        if self._request.read_only:
            return 0
        with self._alone(), self._opened() as store:
            known, whole = self._load()
            before, old = _files(self._here), _files(store)
            decided = self._decided(old, known, store, cancel)
            for name in decided["clash"]:
                error = Conflict(
                    "It was changed here, and in the bucket by somebody else",
                    hint="Rename yours, and flush again; then fetch theirs with 'mounts --repair'.",
                )
                meter.fail(failure(error, str(Path(self._request.target) / name)))
            names = [name for name in decided["push"] if name in before]
            done = 0
            if names:
                chosen = Place(_Chosen(self._here, names), "", self._place_here().label)
                self._copy(chosen, self._place_there(store), meter, cancel)
                there = _files(store)
                for name in names:
                    # What did not arrive is as it was; a change since then has another mark here.
                    if name in there and (
                        name not in old or _mark(old[name]) != _mark(there[name])
                    ):
                        known[name] = Known(_mark(before[name]), _mark(there[name]))
                        done += 1
            self._save(known, whole=whole)
            return done

    def bring_back(self) -> int:
        """As :meth:`push`, for somebody who waits for it.

        Raises
        ------
        Conflict
            If not all could be brought back.
        """
        meter = Meter()
        done = self.push(meter, threading.Event())
        failed = [each for each in meter.snapshot().failures if each.kind != SKIPPED]
        if failed:
            more = f" (and {len(failed) - 1:,} files more)" if len(failed) > 1 else ""
            raise Conflict(f"{failed[0].message}{more}", path=failed[0].path, hint=failed[0].hint)
        return done

    def _decided(
        self,
        there: Mapping[str, Entry],
        known: dict[str, Known],
        store: Store,
        cancel: threading.Event,
    ) -> dict[Decision, list[str]]:
        """Decide about all files; of those that are the same after all, that is noted."""
        here = _files(self._here)
        found: dict[Decision, list[str]] = {"fetch": [], "push": [], "clash": []}
        for name in sorted({*here, *there}):
            mine, theirs = here.get(name), there.get(name)
            decision = decide(mine, theirs, known.get(name))
            if decision == "clash" and mine is not None and theirs is not None:
                # Somebody may have been killed between the upload and the note of it.
                alike = mine.size == theirs.size and have_one_content(
                    self._place_here().below(name), self._place_there(store).below(name), cancel
                )
                decision = "same" if alike else "clash"
            if decision == "same" and mine is not None and theirs is not None:
                known[name] = Known(_mark(mine), _mark(theirs))
            elif decision in found:
                found[decision].append(name)
        return found

    def _copy(self, source: Place, target: Place, meter: Meter, cancel: threading.Event) -> None:
        self._engine.copy(
            [source],
            target,
            recursive=True,
            policy=ConflictPolicy.OVERWRITE,
            meter=meter,
            cancel=cancel,
        )

    def _place_here(self) -> Place:
        return Place(self._here, "", f"{self._request.target.rstrip('/')}/")

    def _place_there(self, store: Store) -> Place:
        return Place(store, "", f"{self._request.uri}/")

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        store = RetryingStore(open_store(self._request.uri, self._request.options))
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep out a process that does the same: somebody asks while it is time anyway."""
        with os_errors(str(self._directory)), (self._directory / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> tuple[dict[str, Known], bool]:
        try:
            fields = json.loads((self._directory / KNOWN).read_text("utf-8"))
            files = {name: Known(*marks) for name, marks in fields["files"].items()}
            return files, bool(fields["whole"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}, False

    def _save(self, known: Mapping[str, Known], *, whole: bool) -> None:
        files = {name: [each.here, each.there] for name, each in known.items()}
        put(self._directory / KNOWN, {"whole": whole, "files": files})


class _Chosen(ForwardingStore):
    """Some of a store's files."""

    def __init__(self, store: Store, names: Collection[str]) -> None:
        super().__init__(store)
        self._names = set(names)

    def walk(self, key: str = "") -> Iterator[Entry]:
        for entry in self.inner.walk(key):
            # Directories come into being with what is in them.
            if entry.path in self._names:
                yield entry


def _files(store: Store) -> dict[str, Entry]:
    return {entry.path: entry for entry in store.walk() if entry.type == "file"}


def _mark(entry: Entry) -> str:
    modified = "" if entry.modified is None else entry.modified.isoformat()
    return f"{entry.size} {modified} {entry.checksum or ''}"


def _note_fetched(known: dict[str, Known], name: str, here: Entry | None, there: Entry) -> None:
    if here is None:
        return
    if here.size == there.size and have_one_time(here, there):
        known[name] = Known(_mark(here), _mark(there))
    elif name not in known or known[name].here != _mark(here):
        # Somebody changed it as soon as it was here.
        known[name] = Known("", _mark(there))
