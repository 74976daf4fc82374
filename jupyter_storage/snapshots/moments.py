"""Moments as people write them: ``10 minutes ago``, ``yesterday 14:00``, ``2026-11-21 10:00``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

__all__ = ["EXAMPLES", "read_moment"]

EXAMPLES = "'10 minutes ago', 'yesterday 14:00' or '2026-11-21 10:00'"

_AGO = re.compile(r"(an?|\d+(?:\.\d+)?)\s*([a-z]+)\s+ago")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_DAY = re.compile(r"(today|yesterday|[a-z]+day|\d{4}-\d\d-\d\d)(?:[ t]+(\S+))?")
_SECONDS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_moment(text: str, now: datetime) -> datetime | None:
    """Read a moment.

    Parameters
    ----------
    text : str
        ``<number> <unit> ago``, a time of today (or, where that is still to come, of yesterday), a
        day (``today``, ``yesterday``, a weekday, a date), a day and a time, or ISO 8601. A day
        alone means its end.
    now : datetime
        With its time zone, which times without one of their own are in.

    Returns
    -------
    datetime or None
        With its time zone; None where the text is no moment.
    """
    text = " ".join(text.lower().split())
    try:
        return _ago(text, now) or _clock(text, now) or _day(text, now) or _iso(text, now)
    except (ValueError, OverflowError):
        return None


def _ago(text: str, now: datetime) -> datetime | None:
    if (found := _AGO.fullmatch(text)) is None:
        return None
    unit = found[2] if found[2] in _SECONDS else found[2].removesuffix("s")
    number = 1.0 if found[1] in {"a", "an"} else float(found[1])
    return now - timedelta(seconds=number * _SECONDS[unit]) if unit in _SECONDS else None


def _clock(text: str, now: datetime) -> datetime | None:
    if _CLOCK.fullmatch(text) is None:
        return None
    moment = _at(now, text)
    return moment if moment <= now else _at(now - timedelta(days=1), text)


def _day(text: str, now: datetime) -> datetime | None:
    if (found := _DAY.fullmatch(text)) is None:
        return None
    name, clock = found[1], found[2]
    if name in {"today", "yesterday"}:
        day = now - timedelta(days=int(name == "yesterday"))
    elif name in _WEEKDAYS:
        # The last one that has begun before today.
        day = now - timedelta(days=(now.weekday() - _WEEKDAYS.index(name) - 1) % 7 + 1)
    elif name.endswith("day"):
        return None
    else:
        day = datetime.fromisoformat(name)
    if clock is None:
        return _at(day, "23:59:59", now)
    return _at(day, clock, now) if _CLOCK.fullmatch(clock) else None


def _iso(text: str, now: datetime) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d[ t]\d", text):
        return None
    moment = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    return moment if moment.tzinfo else _local(moment, now)


def _at(day: datetime, clock: str, now: datetime | None = None) -> datetime:
    """A time of a day; without ``now``, in the day's own zone."""
    found = _CLOCK.fullmatch(clock)
    assert found is not None  # noqa: S101  callers looked
    moment = day.replace(
        hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0), microsecond=0
    )
    return _local(moment.replace(tzinfo=None), now or day)


def _local(moment: datetime, now: datetime) -> datetime:
    """Give a naive time the zone of ``now``."""
    if now.tzinfo is None or now.astimezone().tzinfo == now.tzinfo:
        # The machine's own zone, whose offset may differ between then and now.
        return moment.astimezone()
    return moment.replace(tzinfo=now.tzinfo)
