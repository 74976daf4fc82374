"""Times as Go writes them: RFC 3339 with nanoseconds, trailing zeros trimmed."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from functools import lru_cache

__all__ = ["from_text", "now", "to_datetime", "to_text"]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Go's JSON holds the years 0 to 9999, Python's datetime begins with year 1.
_FIRST = int((datetime(1, 1, 1, tzinfo=timezone.utc) - _EPOCH).total_seconds())
_LAST = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc) - _EPOCH).total_seconds())


def now() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()


def to_text(nanoseconds: int) -> str:
    """Spell nanoseconds since 1970, in UTC.

    Times outside of the years 1 to 9999, which some file systems hand out, become the nearest
    year: no such time can be written in this format.
    """
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    text = _second(seconds)
    if fraction:
        return f"{text}.{fraction:09d}".rstrip("0") + "Z"
    return text + "Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    moment = _EPOCH + timedelta(seconds=min(max(seconds, _FIRST), _LAST))
    return f"{moment.year:04d}-" + moment.strftime("%m-%dT%H:%M:%S")


def from_text(text: str) -> int:
    """Read a time with any offset, as nanoseconds since 1970.

    Raises
    ------
    ValueError
        If it is no time.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"no time: {text!r}")
    second, fraction, sign, hours, minutes = match.groups()
    seconds = _seconds(second)
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


@lru_cache(4096)
def _seconds(text: str) -> int:
    year, month, day, hour, minute, second = map(int, re.split("[-T:]", text))
    # Year 0 is Go's way to say 'before the first year'.
    moment = datetime(max(year, 1), month, day, hour, minute, min(second, 59), tzinfo=timezone.utc)
    return (moment - _EPOCH) // timedelta(seconds=1)


def to_datetime(nanoseconds: int) -> datetime:
    """As a datetime in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
