"""Deletions side by side, where one request takes no more than one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from jupyter_storage.errors import NotFound

__all__ = ["delete_each"]

AT_ONCE = 8


def delete_each(delete: Callable[[str], None], object_keys: Sequence[str]) -> None:
    """Delete objects one by one, several at once."""

    def gone(object_key: str) -> None:
        # Somebody else may be deleting the same.
        with suppress(NotFound):
            delete(object_key)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(gone, object_keys):
            continue
