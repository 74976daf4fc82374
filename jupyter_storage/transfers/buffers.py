"""A bounded queue between threads that can be closed from either end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Buffer", "ahead", "batches", "run"]

T = TypeVar("T")

_LOOK = 0.25  # seconds after which a waiting thread looks whether it was cancelled


class Buffer(Generic[T]):
    """A queue of at most ``depth`` items.

    Unlike :class:`queue.Queue` it ends: the producer finishes or fails, the consumer closes, and
    nobody waits for ever.
    """

    def __init__(self, depth: int, cancel: threading.Event | None = None) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._cancel = cancel
        lock = threading.Lock()
        # One who waits is woken for one item: to wake all of them would cost more than the work.
        self._there, self._room = threading.Condition(lock), threading.Condition(lock)
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item, waiting for room; False where nobody wants any more."""
        with self._room:
            while len(self._items) >= self._depth and not self._is_stopped():
                self._room.wait(_LOOK)
            if self._is_stopped():
                return False
            self._items.append(item)
            self._there.notify()
            return True

    def finish(self, error: BaseException | None = None) -> None:
        """No more items will come; an error is raised to the consumer after the last."""
        with self._there:
            self._ended, self._error = True, self._error or error
            self._there.notify_all()

    def close(self) -> None:
        """Items are no longer wanted; what waits in the queue is dropped."""
        with self._there:
            self._closed = True
            self._items.clear()
            self._there.notify_all()
            self._room.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._there:
                while not self._items and not self._ended and not self._is_stopped():
                    self._there.wait(_LOOK)
                if self._is_stopped():
                    return
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._room.notify()
            yield item

    def _is_stopped(self) -> bool:
        return self._closed or (self._cancel is not None and self._cancel.is_set())


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Take so many together: to hand each from thread to thread costs more than to make it.

    Where making them ends with an error, it comes after what was made before.
    """
    left = iter(items)
    while True:
        batch: list[T] = []
        try:
            batch.extend(islice(left, size))  # keeps what came before an error
        except Exception:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


@contextmanager
def ahead(
    items: Iterator[T], *, depth: int = 2, cancel: threading.Event | None = None
) -> Iterator[Iterator[T]]:
    """Let a thread read ahead, so that reading and writing overlap.

    Parameters
    ----------
    items : iterator
        Advanced in a thread of its own, which has ended when the context is left.
    depth : int
        Most items that wait.
    cancel : threading.Event, optional
        Ends the iteration early, without an error: look at it afterwards.
    """
    buffer: Buffer[T] = Buffer(depth, cancel)

    def read() -> None:
        try:
            for item in items:
                if not buffer.put(item):
                    return
        except BaseException as error:
            buffer.finish(error)
        else:
            buffer.finish()

    thread = threading.Thread(target=read, name="jupyter-storage-read", daemon=True)
    thread.start()
    try:
        yield iter(buffer)
    finally:
        buffer.close()
        thread.join()


def run(
    items: Iterable[T],
    work: Callable[[T], None],
    *,
    concurrency: int,
    depth: int,
    cancel: threading.Event,
) -> None:
    """Work on items in threads while this thread makes more of them.

    Parameters
    ----------
    items : iterable
        Advanced by the calling thread, at most ``depth`` items beyond the work.
    work : callable
        Called in up to ``concurrency`` threads. The first exception ends all and is raised.
    concurrency, depth : int
    cancel : threading.Event
        Drops what waits. Work under way is left to notice by itself.
    """
    buffer: Buffer[T] = Buffer(depth, cancel)
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def loop() -> None:
        try:
            for item in buffer:
                work(item)
        except BaseException as error:
            errors.append(error)
            buffer.close()

    try:
        for item in items:
            if cancel.is_set() or not buffer.put(item):
                break
            if len(threads) < concurrency:
                thread = threading.Thread(target=loop, name="jupyter-storage-copy", daemon=True)
                threads.append(thread)
                thread.start()
        buffer.finish()
    except BaseException:
        buffer.close()
        raise
    finally:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
