"""What part of a file a request asks for, and whether the client has it already.

The rules are those of RFC 9110, sections 13 (conditional requests) and 14 (ranges).
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime

from jupyter_storage.records import Entry

__all__ = ["Unsatisfiable", "entity_tag", "http_date", "is_fresh_date", "requested_range"]

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies wholly beyond the end of the file."""


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Read a ``Range`` header.

    Parameters
    ----------
    header : str or None
        As it came.
    size : int
        Bytes of the file.

    Returns
    -------
    tuple of int or None
        Offset and length; None where the whole file is to be sent: no range, more than one, or
        one that is not understood (the RFC says to ignore it).

    Raises
    ------
    Unsatisfiable
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if not length:
            raise Unsatisfiable
        return size - length, length
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, last - first + 1


def entity_tag(entry: Entry) -> str | None:
    """Name a file's content: by its checksum, else by its time and size.

    Parameters
    ----------
    entry : Entry
        Of a file.

    Returns
    -------
    str or None
        A strong entity tag in its quotes; None where the store knows neither.
    """
    if entry.checksum:
        return f'"{entry.checksum.replace(":", "-")}"'
    if entry.modified is None:
        return None
    return f'"{int(entry.modified.timestamp() * 1_000_000):x}-{entry.size or 0:x}"'


def http_date(moment: datetime) -> str:
    """Write a time as HTTP does, in whole seconds."""
    return format_datetime(moment.astimezone(timezone.utc).replace(microsecond=0), usegmt=True)


def is_fresh_date(header: str | None, modified: datetime | None) -> bool:
    """Whether a copy from ``header`` (an HTTP date) is still that of ``modified``."""
    if header is None or modified is None:
        return False
    try:
        since = parsedate_to_datetime(header)
    except ValueError:
        return False
    if since.tzinfo is None:
        since = since.replace(tzinfo=timezone.utc)
    return modified.replace(microsecond=0) <= since
