"""A bucket that is put back to how it was before each case, and judged after it."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

from faults import WRITES, Crash, Fault, FaultyBucket
from oracle import PASSWORD, Restic, programs

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.repository import Repository, crypto, locks, opening, times
from jupyter_storage.snapshots.repository.names import unquote
from jupyter_storage.stores.local import LocalStore

# What was found in repositories that all versions of restic have judged, by all their bytes: many
# cases end the same way. What is random is the same in each case, and so is the clock.
_JUDGED: dict[str, dict] = {}

_MEMORY = Path("/dev/shm")


def contents_of(repository, snapshot):
    """All files of a snapshot with what is in them."""
    found, pending = {}, [("", snapshot.tree)]
    while pending:
        above, tree = pending.pop()
        for node in repository.load_tree(tree):
            path = f"{above}{unquote(node['name'])}"
            if node["type"] == "dir":
                pending.append((f"{path}/", node["subtree"]))
            elif node["type"] == "file":
                blobs = node["content"] or ()
                found[path] = b"".join(repository.load_blob("data", blob) for blob in blobs)
    return found


class Chance:
    """What is random, and the clock, as they were the last time."""

    def __init__(self, monkeypatch):
        self.random, self.skew = random.Random(), 0
        self.again(0)
        shim = SimpleNamespace(urandom=self.random.randbytes, getuid=os.getuid)
        monkeypatch.setattr(crypto, "os", shim)
        monkeypatch.setattr(opening, "os", shim)
        monkeypatch.setattr(times, "time", SimpleNamespace(time_ns=self.now))

    def again(self, seed):
        self.random.seed(seed)
        self.time = 1_790_000_000 * 10**9 + seed * 10**12

    def right(self):
        """Set the clock to what the store's is."""
        self.time, self.skew = time.time_ns(), 0

    def now(self):
        self.time += 10**6
        return self.time + self.skew


class Bench:
    """A bucket with a repository in it.

    Attributes
    ----------
    acknowledged : dict
        Of each snapshot that must be there, by its ID, all files with what is in them.
    somewhere : list
        What some snapshot must hold, whatever its ID.
    cases : int
        Things that went wrong.
    """

    def __init__(self, monkeypatch):
        base = _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None
        self.base = Path(tempfile.mkdtemp(prefix="jupyter-storage-bench-", dir=base))
        self.root = self.base / "bucket"
        self.root.mkdir()
        self.chance = Chance(monkeypatch)
        self.acknowledged, self.cases, self.restored = {}, 0, 0
        self.somewhere, self._kept = [], {}
        monkeypatch.setattr("jupyter_storage.snapshots.repository.files._PAUSE", 0.0001)
        monkeypatch.setattr(locks, "_WAIT", 0.0)

    def close(self):
        self._bury()
        shutil.rmtree(self.base)

    @property
    def store(self):
        return LocalStore(self.root / "snapshots")

    def restic(self):
        beside = self.root / "snapshots.password"
        password = beside.read_text().strip() if beside.exists() else PASSWORD
        return Restic(str(self.store.root), self.base, password, GOMAXPROCS="1")

    def faulty(self, fault, name="snapshots"):
        return FaultyBucket(LocalStore(self.root / name), fault)

    def open(self, fault=None):
        beside = self.root / "snapshots.password"
        password = beside.read_text().strip() if beside.exists() else PASSWORD
        store = self.faulty(fault) if fault is not None else self.store
        repository = Repository.open(store, password)
        repository.refresh()
        return repository

    # Turning back

    def keep(self, name="kept"):
        """Remember how everything is."""
        shutil.rmtree(self.base / name, ignore_errors=True)
        shutil.copytree(self.root, self.base / name)
        if name == "kept":
            self._kept = dict(self.acknowledged)

    def past(self):
        """The repository as it was when somebody kept the past."""
        return LocalStore(self.base / "past/snapshots")

    def put_back(self):
        self._bury()
        shutil.rmtree(self.root)
        shutil.copytree(self.base / "kept", self.root)
        self.acknowledged = dict(self._kept)
        self.chance.skew = 0

    def _bury(self):
        """Close what a dead process had open, as the kernel does: so its locks end."""
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}").startswith(f"{self.base}/"):
                    os.close(int(name))

    def pass_a_day(self):
        """Let the clock of the store go on, for what passes of pruning left."""
        for path in (self.root / "upkeep").glob("pass-*"):
            moment = path.stat().st_mtime - 86400
            os.utime(path, (moment, moment))

    def unlock(self):
        """As ``restic unlock --remove-all``, after everybody is dead."""
        self._bury()
        shutil.rmtree(self.store.root / "locks", ignore_errors=True)
        (self.store.root / "locks").mkdir(parents=True)

    # Judging

    def verify(self):
        """All that was acknowledged is there, to the byte, and stock restic is content."""
        if not Repository.exists(self.store):
            assert not self.acknowledged
            return
        state = self.state()
        if state not in _JUDGED:
            _JUDGED[state] = self._judge()
        there = _JUDGED[state]
        assert there.keys() >= self.acknowledged.keys()
        for identifier, contents in self.acknowledged.items():
            assert there[identifier] == contents
        assert all(contents in there.values() for contents in self.somewhere)

    def state(self):
        """All bytes of the repository, as one name."""
        state = sha256(repr(list(programs())).encode())
        for path in sorted(self.store.root.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                state.update(f"{path.relative_to(self.root)} {len(content)}\n".encode())
                state.update(content)
        return state.hexdigest()

    def _judge(self):
        restic = self.restic()
        judging = restic.begin_check()
        try:
            repository = self.open()
            found = repository.check(percent=100)
            there = {s.id: contents_of(repository, s) for s in repository.snapshots()}
            repository.close()
        finally:
            restic.end_check(judging)
        assert found.failures == ()
        if len(_JUDGED) % 5 == 0 and there:
            self._restore(restic, there)
        return there

    def _restore(self, restic, there):
        """What one version of stock restic restores is the same."""
        versions = list(programs())
        identifier = max(there)
        target = self.base / "restored"
        restic(
            "restore",
            identifier,
            "--target",
            target,
            "--no-lock",
            "--no-cache",
            version=versions[self.restored % len(versions)],
        )
        found = {
            str(path.relative_to(target)): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file()
        }
        assert found == there[identifier]
        shutil.rmtree(target)
        self.restored += 1

    # Going through all operations

    def sweep(self, work, how, *, verbs=WRITES, past=None, done=lambda: None, damaged=False):
        """Let the same go wrong at each operation of some work, in turn.

        After each, everything is judged; then the work is done again, to its end.

        Parameters
        ----------
        work : callable
            Takes a fault.
        how, verbs, past
            See :class:`Fault`.
        done : callable
            Judges what the work came to in the end.
        damaged : bool
            Whether the work is what makes the repository whole.
        """
        for at in range(1000):
            self.put_back()
            fault = Fault(at, how, verbs, past)
            finished = self.attempt(work, fault)
            if not fault.met:
                break
            self.cases += 1
            self.unlock()
            if finished or not damaged:
                self.verify()
            if not finished:
                self.chance.again(2)
                work(Fault())
                self.unlock()
                self.verify()
            done()
        assert finished
        assert self.cases

    def attempt(self, work, fault, seed=1):
        """Do some work; False where it did not come to its end."""
        self.chance.again(seed)
        try:
            work(fault)
        except (Crash, StorageError):
            return False
        finally:
            fault.settle()
        return True
