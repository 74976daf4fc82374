"""When a tier will be full, if it goes on as it did."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["days_until_full"]

LEAST = 4  # points
SPAN = 6 * 3600.0  # seconds that they must cover
WINDOW = 7 * 86_400.0  # what is older says little about now
HORIZON = 30.0  # days; nobody acts on what is further off
REACH = 10.0  # times the time that was watched: further, it would be a guess


def days_until_full(points: Sequence[tuple[float, int]], room: int) -> float | None:
    """Say in how many days nothing will be left.

    Parameters
    ----------
    points : sequence of (float, int)
        Moments in seconds and bytes used, in order.
    room : int
        Bytes that are left at the last of them.

    Returns
    -------
    float or None
        None where there is too little to tell, it does not grow, or it has long to go.
    """
    if not points:
        return None
    last = points[-1][0]
    recent = [(at - last, used) for at, used in points if last - at <= WINDOW]
    span = -recent[0][0]
    if len(recent) < LEAST or span < SPAN:
        return None
    middle = sum(at for at, _ in recent) / len(recent)
    mean = sum(used for _, used in recent) / len(recent)
    spread = sum((at - middle) ** 2 for at, _ in recent)
    slope = sum((at - middle) * (used - mean) for at, used in recent) / spread
    if slope <= 0:
        return None
    seconds = max(0, room) / slope
    if seconds > HORIZON * 86_400 or seconds > REACH * span:
        return None
    return seconds / 86_400
