"""Which names of objects a store shows."""

from __future__ import annotations

from jupyter_storage.errors import InvalidPath
from jupyter_storage.paths import clean_key

__all__ = ["visible_name"]


def visible_name(name: str) -> str | None:
    """Give a part of an object's key back, or None where no path can name it.

    Buckets hold names that are no paths (``a//b``, ``..``), written by other programs. They are
    left alone.
    """
    try:
        return name if name and "/" not in name and clean_key(name) == name else None
    except InvalidPath:
        return None
