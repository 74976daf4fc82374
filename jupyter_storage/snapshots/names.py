"""From what a person calls a snapshot to the snapshot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from jupyter_storage.errors import Conflict, InvalidRequest, NotFound
from jupyter_storage.snapshots.moments import EXAMPLES, read_moment
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.repository.times import to_datetime
from jupyter_storage.snapshots.views import age, fork_of, newest

__all__ = ["find_snapshot"]

_LIST = "'jupyter storage snapshot list' shows those that there are."


def find_snapshot(
    snapshots: Sequence[Snapshot], name: str, tag: str, now: datetime | None = None
) -> Snapshot:
    """Find a snapshot.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        All of the repository.
    name : str
        The beginning of an ID, ``latest``, or a moment: see
        :func:`~jupyter_storage.snapshots.moments.read_moment`.
    tag : str
        The workspace's. ``latest`` and moments mean its main line, and where it has none, all of
        its snapshots; an ID may be any snapshot's.
    now : datetime, optional
        This moment, unless given.

    Raises
    ------
    NotFound, Conflict
        If there is none, or more than one.
    """
    name = name.strip()
    if not name:
        raise InvalidRequest("Name a snapshot", hint=_LIST)
    if name.lower() == "latest":
        found = newest(snapshots, [tag]) or max(_line(snapshots, tag), key=age, default=None)
        if found is None:
            raise NotFound("There are no snapshots of this workspace yet", hint=_LIST)
        return found
    if re.fullmatch("[0-9a-fA-F]+", name):
        return _by_id(snapshots, name.lower())
    moment = read_moment(name, now or datetime.now().astimezone())
    if moment is None:
        raise NotFound(
            f"There is no snapshot '{name}'", hint=f"{_LIST} A time is written {EXAMPLES}."
        )
    return _by_time(_line(snapshots, tag), moment)


def _line(snapshots: Sequence[Snapshot], tag: str) -> list[Snapshot]:
    ours = [each for each in snapshots if tag in each.tags]
    return [each for each in ours if fork_of(each.tags) is None] or ours


def _by_id(snapshots: Sequence[Snapshot], beginning: str) -> Snapshot:
    found = [each for each in snapshots if each.id.startswith(beginning)]
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} snapshots begin with '{beginning}'", hint="Give more of the ID."
        )
    if not found:
        raise NotFound(f"There is no snapshot '{beginning}'", hint=_LIST)
    return found[0]


def _by_time(snapshots: Sequence[Snapshot], moment: datetime) -> Snapshot:
    found = [each for each in snapshots if to_datetime(each.time) <= moment]
    if found:
        return max(found, key=age)
    oldest = min(snapshots, key=lambda each: each.time, default=None)
    if oldest is None:
        raise NotFound("There are no snapshots of this workspace yet", hint=_LIST)
    raise NotFound(
        f"There is no snapshot from before {moment:%Y-%m-%d %H:%M:%S}",
        hint=f"The oldest is from {to_datetime(oldest.time).astimezone():%Y-%m-%d %H:%M:%S}.",
    )
