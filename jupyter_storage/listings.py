"""Sorted and filtered pages of a directory.

By name, pages come straight from the store, so that the first page of a million keys costs one
request. Any other order needs the whole directory: it is read once, kept for the pages that
follow, and forgotten soon.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timezone
from fnmatch import translate
from typing import Literal

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.records import Entry, Page
from jupyter_storage.stores.store import Store

__all__ = ["SORTABLE", "Listings", "SortKey", "name_filter"]

SORTABLE = 100_000  # entries; more cannot be put in another order than the store's own
KEPT = 8  # sorted directories
LIFE = 120.0  # seconds after the last page
PATIENCE = 1.0  # seconds that one page looks for names before it hands out what it found

SortKey = Literal["name", "size", "modified"]
_OLDEST = datetime.min.replace(tzinfo=timezone.utc)
_ORDERS: dict[str, Callable[[Entry], tuple[object, ...]]] = {
    "name": lambda entry: (entry.name.casefold(), entry.name),
    "size": lambda entry: (entry.size or 0, entry.name),
    "modified": lambda entry: (entry.modified or _OLDEST, entry.name),
}


def name_filter(matching: str) -> Callable[[Entry], bool]:
    """Make the test of a name: see ``matching`` of :meth:`Listings.page`."""
    if not matching:
        return lambda entry: True
    text = matching.casefold()
    if not re.search(r"[*?\[]", text):
        return lambda entry: text in entry.name.casefold()
    found = re.compile(translate(text)).match
    return lambda entry: found(entry.name.casefold()) is not None


class Listings:
    """Hands out pages in any order; safe to use from several threads."""

    def __init__(self) -> None:
        self._sorted: OrderedDict[str, tuple[float, list[Entry]]] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self,
        store: Store,
        key: str,
        *,
        cursor: str | None = None,
        limit: int = 1000,
        sort: SortKey = "name",
        descending: bool = False,
        matching: str = "",
    ) -> Page:
        """Give one page of a directory.

        Parameters
        ----------
        store : Store
            Where it is.
        key : str
            The directory.
        cursor : str, optional
            From the page before, asked for with the same order.
        limit : int
            Most entries in the page.
        sort : {'name', 'size', 'modified'}
            Directories come first, except by name in a directory of more than one page, which
            comes in the store's own order (by key).
        descending : bool
            Turn the order round; directories still come first.
        matching : str
            Only names that have this in them, or that match it where it has ``*``, ``?`` or
            ``[…]``; upper and lower case are the same. A page may then be short, or empty,
            although more follow.

        Returns
        -------
        Page

        Raises
        ------
        InvalidRequest
            For an unknown order, a cursor that is no longer known, or a directory with more than
            :data:`SORTABLE` entries in another order than by name.
        """
        if sort not in _ORDERS:
            raise InvalidRequest(
                f"Cannot sort by '{sort}'", path=key, hint="Sort by name, size or modified."
            )
        if limit < 1:
            raise InvalidRequest("A page has at least one entry", path=key, hint="limit ≥ 1")
        if cursor and cursor.startswith("sorted:"):
            return self._resume(cursor, limit)
        wanted = name_filter(matching)
        if sort == "name" and not descending:
            page = _matches(store, key, cursor, limit, wanted)
            if cursor is None and page.cursor is None:
                return Page(tuple(_arrange(list(page.entries), sort, descending)))
            return page
        entries = [entry for entry in _whole(store, key) if wanted(entry)]
        return self._cut(secrets.token_hex(8), _arrange(entries, sort, descending), 0, limit)

    def _resume(self, cursor: str, limit: int) -> Page:
        token, _, start = cursor.removeprefix("sorted:").partition(":")
        with self._lock:
            kept = self._sorted.get(token)
        if kept is None or not start.isdigit():
            raise InvalidRequest(
                "This listing is no longer known", hint="List the directory again from its start."
            )
        return self._cut(token, kept[1], int(start), limit)

    def _cut(self, token: str, entries: list[Entry], start: int, limit: int) -> Page:
        end = start + limit
        more = end < len(entries)
        now = time.monotonic()
        with self._lock:
            self._sorted.pop(token, None)
            if more:
                self._sorted[token] = (now, entries)
            while self._sorted:
                oldest = next(iter(self._sorted))
                if len(self._sorted) <= KEPT and now - self._sorted[oldest][0] < LIFE:
                    break
                del self._sorted[oldest]
        return Page(tuple(entries[start:end]), f"sorted:{token}:{end}" if more else None)


def _matches(
    store: Store, key: str, cursor: str | None, limit: int, wanted: Callable[[Entry], bool]
) -> Page:
    """Read the store's pages until there is enough to show, or for a second."""
    entries: list[Entry] = []
    until = time.monotonic() + PATIENCE
    while True:
        page = store.list(key, cursor=cursor, limit=limit - len(entries))
        entries.extend(entry for entry in page.entries if wanted(entry))
        cursor = page.cursor
        # What is left of the page gets smaller with each match: half a page is enough.
        if cursor is None or len(entries) * 2 >= limit or time.monotonic() >= until:
            return Page(tuple(entries), cursor)


def _whole(store: Store, key: str) -> list[Entry]:
    entries: list[Entry] = []
    cursor: str | None = None
    while True:
        page = store.list(key, cursor=cursor, limit=1000)
        entries.extend(page.entries)
        if len(entries) > SORTABLE:
            raise InvalidRequest(
                f"The directory has more than {SORTABLE:,} entries, too many to sort",
                path=key,
                hint="List it by name, or a directory further down.",
            )
        cursor = page.cursor
        if cursor is None:
            return entries


def _arrange(entries: list[Entry], sort: str, descending: bool) -> list[Entry]:
    entries.sort(key=_ORDERS[sort], reverse=descending)
    entries.sort(key=lambda entry: not entry.is_directory)
    return entries
