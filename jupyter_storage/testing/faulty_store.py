"""A store that fails when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from jupyter_storage.errors import Unreachable
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.store import Progress, Store, Writer

__all__ = ["Fault", "FaultyStore", "Verb"]

T = TypeVar("T")

Verb = Literal[
    "stat",
    "list",
    "walk",
    "open",
    "read",
    "create",
    "write",
    "commit",
    "make_directory",
    "delete",
    "delete_directory",
    "copy_from",
    "rename",
]
"""``read`` is one piece of an open file, ``write`` and ``commit`` are a writer's."""


@dataclass
class Fault:
    """What goes wrong, and when.

    Attributes
    ----------
    verb : str or None
        Which operation; None for any.
    after : int
        How many such operations go well before.
    times : int
        How many fail then; a negative number for all that follow.
    when : {'before', 'after', 'flip'}
        ``before``: nothing is done. ``after``: it is done, and the answer is lost. ``flip``: no
        error is raised, but the lowest bit of a piece's first byte is wrong (``read`` and
        ``write`` only).
    error : callable
        Makes the error from the key.
    """

    verb: Verb | None = None
    after: int = 0
    times: int = 1
    when: Literal["before", "after", "flip"] = "before"
    error: Callable[[str], BaseException] = lambda key: Unreachable(
        "The connection was cut", path=key
    )


class FaultyStore(ForwardingStore):
    """Does what another store does, but for the faults that it was given.

    Parameters
    ----------
    store : Store
    *faults : Fault
        More may be appended to ``faults`` later.

    Attributes
    ----------
    operations : list of tuple
        Verb and key of all that was asked for, in order.
    """

    def __init__(self, store: Store, *faults: Fault) -> None:
        super().__init__(store)
        self.faults = list(faults)
        self.operations: list[tuple[Verb, str]] = []
        self._lock = threading.Lock()

    def stat(self, key: str) -> Entry:
        return self._do("stat", key, lambda: self.inner.stat(key))

    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        return self._do("list", key, lambda: self.inner.list(key, cursor=cursor, limit=limit))

    def walk(self, key: str = "") -> Iterator[Entry]:
        for entry in self.inner.walk(key):
            yield self._do("walk", key, lambda entry=entry: entry)  # type: ignore[misc]

    @contextmanager
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        fault = self._fault("open", key)
        if fault is not None:
            raise fault.error(key)
        with self.inner.open(key, offset=offset, length=length) as pieces:
            yield self._pieces(key, pieces)

    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        return _FaultyWriter(
            self,
            key,
            self._do(
                "create",
                key,
                lambda: self.inner.create(key, exclusive=exclusive, size=size, modified=modified),
            ),
        )

    def make_directory(self, key: str) -> None:
        self._do("make_directory", key, lambda: self.inner.make_directory(key))

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self.inner.delete(key))

    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        return self._do(
            "delete_directory", key, lambda: self.inner.delete_directory(key, progress=progress)
        )

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        copy = super().copy_from
        return self._do(
            "copy_from",
            key,
            lambda: copy(source, source_key, key, exclusive=exclusive, progress=progress),
        )

    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        self._do("rename", key, lambda: self.inner.rename(key, to, exclusive=exclusive))

    def _pieces(self, key: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            fault = self._fault("read", key)
            if fault is None:
                yield piece
            elif fault.when == "flip":
                yield _flipped(piece)
            else:
                raise fault.error(key)

    def _do(self, verb: Verb, key: str, work: Callable[[], T]) -> T:
        fault = self._fault(verb, key)
        if fault is None:
            return work()
        if fault.when == "after":
            work()
        raise fault.error(key)

    def _fault(self, verb: Verb, key: str) -> Fault | None:
        with self._lock:
            self.operations.append((verb, key))
            for fault in self.faults:
                if fault.verb not in {None, verb} or not fault.times:
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class _FaultyWriter(Writer):
    def __init__(self, store: FaultyStore, key: str, inner: Writer) -> None:
        self._store, self._key, self._inner = store, key, inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        fault = self._store._fault("write", self._key)
        if fault is None:
            self._inner.write(data)
        elif fault.when == "flip":
            self._inner.write(_flipped(bytes(data)))
        else:
            raise fault.error(self._key)

    def commit(self) -> Entry:
        return self._store._do("commit", self._key, self._inner.commit)

    def abort(self) -> None:
        self._inner.abort()


def _flipped(piece: bytes) -> bytes:
    return bytes([piece[0] ^ 1]) + piece[1:] if piece else piece
