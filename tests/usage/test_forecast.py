from __future__ import annotations

import pytest

from jupyter_storage.usage.forecast import days_until_full
from jupyter_storage.usage.points import Points

DAY = 86_400.0
GB = 10**9


def growing(rate, *, days=2.0, steps=9, start=100 * GB):
    return [
        (number * days * DAY / (steps - 1), round(start + rate * number * days / (steps - 1)))
        for number in range(steps)
    ]


def test_a_steady_growth_is_carried_on():
    assert days_until_full(growing(10 * GB), 30 * GB) == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize(
    "points",
    [
        [],
        growing(10 * GB, steps=3),
        growing(10 * GB, days=0.2),
        growing(0),
        growing(-10 * GB),
    ],
)
def test_nothing_is_said_without_reason(points):
    assert days_until_full(points, 30 * GB) is None


def test_what_is_far_off_is_not_told():
    assert days_until_full(growing(GB), 31 * GB) is None
    # Half a day was watched: what comes in six days is a guess.
    assert days_until_full(growing(10 * GB, days=0.5), 60 * GB) is None
    assert days_until_full(growing(10 * GB, days=0.5), 40 * GB) is not None


def test_what_was_long_ago_does_not_count():
    old = [(number * DAY - 20 * DAY, 500 * GB) for number in range(10)]
    points = [*old, *growing(10 * GB)]
    assert days_until_full(points, 30 * GB) == pytest.approx(3, rel=0.01)


def test_points_are_kept_apart_and_outlive_the_process(tmp_path):
    points = Points(tmp_path / "d" / "usage.json")
    for second in (0, 100, 1000, 1100, 2000):
        points.note("s3://b", second, now=float(second))
    assert points.of("s3://b") == [(0.0, 0), (1000.0, 1000), (2000.0, 2000)]
    assert Points(tmp_path / "d" / "usage.json").of("s3://b") == points.of("s3://b")
    assert points.of("s3://other") == []


def test_a_damaged_file_costs_nothing_but_itself(tmp_path):
    path = tmp_path / "usage.json"
    path.write_text('{"s3://b": [["x"]]')
    points = Points(path)
    points.note("s3://b", 1, now=1.0)
    assert Points(path).of("s3://b") == [(1.0, 1)]
