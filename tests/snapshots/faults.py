"""One thing that goes wrong, at one operation of all the stores that share it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress

from jupyter_storage.errors import StorageError, Unreachable
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.store import Writer

WRITES = frozenset({"put", "delete"})
READS = frozenset({"list", "get", "stat"})


class Crash(BaseException):
    """As kill -9: nothing may catch it and go on."""


class Fault:
    """What goes wrong, and at which operation.

    Parameters
    ----------
    at : int
        Operations that go well before.
    how : str
        ``before``, ``after``: the process dies before or after it. ``lost``: it is done, and the
        answer is lost. ``refused``: it is not done. ``twice``: the connection does it a second
        time, and gives the answer to that. ``late``: a copy of the request was on its way all the
        time, and arrives when everything is over. ``down``: the store is away from then on.
        ``stale``: from then on, lists are those of an earlier time; ``stale_once``: that
        one. ``meanwhile``: somebody else
        gets to work just before it.
    verbs : set of str
        Which operations count.
    past : Store or callable
        For ``stale`` the store as it was; for ``meanwhile`` the work.
    """

    def __init__(self, at=-1, how="none", verbs=WRITES, past=None):
        self.at, self.how, self.verbs, self.past = at, how, verbs, past
        self.count = 0
        self.dead = self.down = False
        self.lock = threading.RLock()
        self.late = []

    @property
    def met(self):
        return 0 <= self.at < self.count

    def do(self, verb, key, action, stale=None):
        # One after another: what a dead process leaves is what it had done until then.
        with self.lock:
            if self.dead:
                raise Crash
            if self.down:
                raise Unreachable("The store is away", path=key)
            here = False
            if verb in self.verbs:
                here, self.count = self.count == self.at, self.count + 1
            if stale is not None and (here or (self.met and self.how == "stale")):
                action = stale if self.how.startswith("stale") else action
            return getattr(self, f"_{self.how}")(key, action) if here else action()

    def settle(self):
        """Let arrive what was on its way."""
        for action in self.late:
            with suppress(StorageError):
                action()

    def _before(self, key, action):
        self.dead = True
        raise Crash

    def _after(self, key, action):
        action()
        self._before(key, action)

    def _lost(self, key, action):
        action()
        raise Unreachable("The answer was lost", path=key)

    def _refused(self, key, action):
        raise Unreachable("The connection was cut", path=key)

    def _twice(self, key, action):
        action()
        return action()

    def _late(self, key, action):
        self.late.append(action)
        return action()

    def _down(self, key, action):
        self.down = True
        self._refused(key, action)

    def _stale(self, key, action):
        return action()

    _stale_once = _stale

    def _meanwhile(self, key, action):
        self.past()
        return action()


class FaultyBucket(ForwardingStore):
    """A store of which operations are whole, as those of a bucket, and one of them goes wrong."""

    def __init__(self, store, fault):
        super().__init__(store)
        self.fault = fault

    def create(self, key, *, exclusive=False, size=None, modified=None):
        return _Put(self, key, {"exclusive": exclusive, "modified": modified})

    def delete(self, key):
        return self.fault.do("delete", key, lambda: self.inner.delete(key))

    def stat(self, key):
        return self.fault.do("stat", key, lambda: self.inner.stat(key))

    def list(self, key="", **options):
        return self._list(lambda store: store.list(key, **options), key)

    def walk(self, key=""):
        return iter(self._list(lambda store: list(store.walk(key)), key))

    @contextmanager
    def open(self, key, **options):
        with self.fault.do("get", key, lambda: self.inner.open(key, **options)) as pieces:
            yield pieces

    def _list(self, look, key):
        return self.fault.do("list", key, lambda: look(self.inner), lambda: look(self.fault.past))


class _Put(Writer):
    """Nothing is sent before all is known: then the request can be repeated."""

    def __init__(self, store, key, options):
        self.store, self.key, self.options = store, key, options
        self.content = bytearray()

    def write(self, data):
        self.content += data

    def commit(self):
        content = bytes(self.content)

        def put():
            return self.store.inner.write(self.key, content, **self.options)

        return self.store.fault.do("put", self.key, put)

    def abort(self):
        self.content.clear()
