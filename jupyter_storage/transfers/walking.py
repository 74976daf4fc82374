"""A walk that lists several directories at the same time, for stores that are far away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from jupyter_storage.errors import NotFound
from jupyter_storage.records import Entry
from jupyter_storage.stores.store import Store
from jupyter_storage.transfers.buffers import Buffer, batches

__all__ = ["walk_together"]

_MANY = 64  # directories next to each other; of more, each is likely small
_DEPTH = 4  # batches of one directory that wait


def walk_together(store: Store, key: str, *, concurrency: int) -> Iterator[Entry]:
    """Yield what :meth:`Store.walk` yields, in its order, and the directories of one level.

    One listing takes page after page. Where a directory holds a few others, these are listed side
    by side; where it holds very many, page after page is less work, and where it is local, too.

    Parameters
    ----------
    store : Store
    key : str
    concurrency : int
        Directories that are listed at the same time.
    """
    if store.local_path("") is not None:
        yield from store.walk(key)
        return
    page = store.list(key)
    directories = [entry for entry in page.entries if entry.is_directory]
    if page.cursor is not None or not 1 <= len(directories) <= _MANY:
        yield from store.walk(key)
    elif len(directories) == 1:
        for entry in page.entries:
            yield entry
            if entry.is_directory:
                yield from walk_together(store, entry.path, concurrency=concurrency)
    else:
        yield from _side_by_side(store, page.entries, concurrency)


def _side_by_side(store: Store, entries: tuple[Entry, ...], concurrency: int) -> Iterator[Entry]:
    cancel = threading.Event()
    left = deque(entry for entry in entries if entry.is_directory)
    begun: deque[Buffer[list[Entry]]] = deque()
    pool = ThreadPoolExecutor(concurrency, "jupyter-storage-list")

    def fill(directory: str, buffer: Buffer[list[Entry]]) -> None:
        try:
            for batch in batches(store.walk(directory)):
                if not buffer.put(batch):
                    return
        except NotFound:
            buffer.finish()  # it went meanwhile
        except BaseException as error:
            buffer.finish(error)
        else:
            buffer.finish()

    def begin() -> None:
        while left and len(begun) < concurrency:
            buffer: Buffer[list[Entry]] = Buffer(_DEPTH, cancel)
            begun.append(buffer)
            pool.submit(fill, left.popleft().path, buffer)

    try:
        for entry in entries:
            yield entry
            if entry.is_directory:
                begin()
                for batch in begun[0]:
                    yield from batch
                begun.popleft()
    finally:
        cancel.set()
        pool.shutdown(cancel_futures=True)
