"""Moments as people write them, and the snapshots that they mean."""

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_storage.errors import Conflict, InvalidRequest, NotFound
from jupyter_storage.snapshots.moments import read_moment
from jupyter_storage.snapshots.names import find_snapshot
from jupyter_storage.snapshots.repository import Snapshot

# A Saturday.
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=5)))
TAG = "workspace:w"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 minutes ago", "2026-11-21 11:50:00"),
        ("a minute ago", "2026-11-21 11:59:00"),
        ("90s ago", "2026-11-21 11:58:30"),
        ("1.5 hours ago", "2026-11-21 10:30:00"),
        ("  2   Days  AGO ", "2026-11-19 12:00:00"),
        ("an hour ago", "2026-11-21 11:00:00"),
        ("3 weeks ago", "2026-10-31 12:00:00"),
        ("9:30", "2026-11-21 09:30:00"),
        ("14:00", "2026-11-20 14:00:00"),
        ("today 09:30:15", "2026-11-21 09:30:15"),
        ("yesterday 14:00", "2026-11-20 14:00:00"),
        ("yesterday", "2026-11-20 23:59:59"),
        ("friday 8:00", "2026-11-20 08:00:00"),
        ("saturday", "2026-11-14 23:59:59"),
        ("2026-11-21 10:00", "2026-11-21 10:00:00"),
        ("2026-11-21T10:00:30", "2026-11-21 10:00:30"),
        ("2026-11-20", "2026-11-20 23:59:59"),
        ("2026-11-21T06:00:00Z", "2026-11-21 11:00:00"),
        ("2026-11-21 07:00:00.5+01:00", "2026-11-21 11:00:00.500000"),
    ],
)
def test_a_moment_is_read(text, expected):
    moment = read_moment(text, NOW)
    assert moment == datetime.fromisoformat(expected).replace(tzinfo=NOW.tzinfo)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "10 parsecs ago", "someday", "25:00", "yesterday noon", "2026-13-01", "ago", "5"],
)
def test_what_is_no_moment_is_none(text):
    assert read_moment(text, NOW) is None


def test_a_time_of_the_machine_s_own_zone_counts_its_summer(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        now = datetime(2026, 11, 21, 12, 0).astimezone()
        moment = read_moment("2026-07-01 12:00", now)
        assert moment == datetime(2026, 7, 1, 10, 0, tzinfo=timezone.utc)
    finally:
        monkeypatch.undo()
        time.tzset()


def taken(name, minutes, *tags):
    """A snapshot so many minutes before NOW."""
    time = int((NOW - timedelta(minutes=minutes)).timestamp()) * 10**9
    return Snapshot(id=name * 8, time=time, tree="0" * 64, paths=("/p",), tags=(TAG, *tags))


def find(snapshots, name):
    return find_snapshot(snapshots, name, TAG, NOW).id[:2]


def test_a_time_means_the_newest_that_is_at_least_as_old():
    snapshots = [taken("aa", 60), taken("bb", 30), taken("cc", 10)]
    assert find(snapshots, "20 minutes ago") == "bb"
    assert find(snapshots, "30 minutes ago") == "bb"
    assert find(snapshots, "11:00") == "aa"
    assert find(snapshots, "today") == "cc"
    with pytest.raises(NotFound, match="no snapshot from before") as caught:
        find(snapshots, "2 hours ago")
    assert "The oldest is from" in caught.value.hint


def test_latest_and_times_mean_the_main_line_and_ids_mean_any():
    snapshots = [
        taken("aa", 60, "epoch:1"),
        taken("bb", 30, "epoch:2"),
        # Its clock is ahead, or its machine had not noticed: the epoch decides.
        taken("cc", 20, "epoch:1"),
        taken("dd", 10, "epoch:1", "fork:x"),
        Snapshot(id="ee" * 8, time=0, tree="0" * 64, paths=("/other",)),
    ]
    assert find(snapshots, "latest") == "bb"
    assert find(snapshots, "5 minutes ago") == "bb"
    assert find(snapshots, "dddd") == "dd"
    assert find(snapshots, "EEEE") == "ee"
    assert find(snapshots[3:], "latest") == "dd"


def test_a_name_that_means_nothing_says_what_would():
    snapshots = [taken("aa", 60), taken("ab", 30)]
    with pytest.raises(NotFound, match="no snapshot 'soon'") as caught:
        find(snapshots, "soon")
    assert "10 minutes ago" in caught.value.hint
    with pytest.raises(NotFound, match="no snapshot 'cc'"):
        find(snapshots, "cc")
    with pytest.raises(Conflict, match="2 snapshots begin"):
        find(snapshots, "a")
    with pytest.raises(InvalidRequest, match="Name a snapshot"):
        find(snapshots, " ")
    for name in ("latest", "today"):
        with pytest.raises(NotFound, match="no snapshots of this workspace"):
            find([], name)
