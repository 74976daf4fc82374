"""Which snapshots stay: a pure decision."""

import random

import pytest

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.retention import DEFAULT, parse_policy

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
NOW = 20_000 * DAY + 7 * HOUR + 23 * MINUTE + 11 * SECOND


def at(age, *tags, workspace="w"):
    return Snapshot(
        f"{age:030}", NOW - age, "tree", ("/p",), tags=(f"workspace:{workspace}", *tags)
    )


def kept(policy, snapshots, now=NOW):
    return [each.snapshot for each in parse_policy(policy).judge(snapshots, now) if each.reasons]


def test_the_default_thins_with_age():
    snapshots = [at(age) for age in range(0, 40 * DAY, MINUTE)]
    ages = sorted(NOW - snapshot.time for snapshot in kept(DEFAULT, snapshots))
    assert sum(age <= HOUR for age in ages) == 61
    assert sum(HOUR < age <= DAY for age in ages) in range(137, 140)
    assert sum(DAY < age <= 7 * DAY for age in ages) in range(143, 146)
    assert sum(7 * DAY < age <= 30 * DAY for age in ages) in range(22, 25)
    assert max(ages) <= 30 * DAY


def test_the_last_of_each_slot_stays_however_often_it_is_asked():
    generator = random.Random(3)
    snapshots = [at(generator.randrange(0, 35 * DAY)) for _ in range(3000)]
    once = kept(DEFAULT, snapshots)
    assert kept(DEFAULT, once) == once
    for snapshot in once:
        age = NOW - snapshot.time
        slot = next(
            (s for s, most in ((1, HOUR), (10 * MINUTE, DAY), (HOUR, 7 * DAY)) if age <= most), DAY
        )
        same = [each.time for each in snapshots if each.time // slot == snapshot.time // slot]
        assert age <= HOUR or snapshot.time == max(same) or snapshot is once[0]
    # Thinning day by day keeps what thinning once would have kept, and no more.
    step, time = snapshots, NOW
    for _ in range(5):
        step, time = kept(DEFAULT, step, time), time + DAY
    assert {s.id for s in kept(DEFAULT, step, time)} == {
        s.id for s in kept(DEFAULT, snapshots, time)
    }


def test_pinned_and_named_ones_stay_for_ever():
    old = [at(400 * DAY), at(401 * DAY, "pinned"), at(402 * DAY, "name:before the talk")]
    judged = parse_policy(DEFAULT).judge([at(0), *old], NOW)
    assert [each.reasons for each in judged[1:]] == [(), ("pinned",), ("named before the talk",)]


def test_the_newest_of_every_workspace_and_fork_stays():
    snapshots = [
        at(100 * DAY),
        at(101 * DAY),
        at(200 * DAY, "fork:b", "epoch:3"),
        at(201 * DAY, "fork:b", "epoch:2"),
        at(300 * DAY, workspace="other"),
    ]
    judged = {
        NOW - each.snapshot.time: each.reasons
        for each in parse_policy(DEFAULT).judge(snapshots, NOW)
    }
    assert judged == {
        100 * DAY: ("newest of its workspace",),
        101 * DAY: (),
        200 * DAY: ("newest of its fork",),
        201 * DAY: (),
        300 * DAY: ("newest of its workspace",),
    }


def test_what_somebody_took_with_restic_is_not_ours_to_forget():
    theirs = [Snapshot(str(age), NOW - age, "tree", ("/p",)) for age in (400 * DAY, 500 * DAY)]
    assert kept(DEFAULT, [*theirs, at(0)])[1:] == theirs


def test_snapshots_from_the_future_stay():
    assert len(kept(DEFAULT, [at(-400 * DAY), at(-401 * DAY), at(0)])) == 3


@pytest.mark.parametrize(
    "policy", ["all forever", "every 1d forever, all for 2w", " all  forever "]
)
def test_forever_is_forever(policy):
    assert at(4000 * DAY) in kept(policy, [at(0), at(4000 * DAY)])


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("", "cannot be understood: ''"),
        ("all", "cannot be understood: 'all'"),
        ("all for 1h,", "cannot be understood: ''"),
        ("hourly for 7d", "cannot be understood: 'hourly for 7d'"),
        ("every 10 m for 1d", "cannot be understood"),
        ("every 10min for 1d", "wrong duration, '10min' in 'every 10min for 1d'"),
        ("all for 0h", "wrong duration, '0h'"),
        ("every 7d for 1h", "keeps nothing: 'every 7d for 1h'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_said(policy, message):
    with pytest.raises(InvalidRequest) as caught:
        parse_policy(policy)
    assert message in str(caught.value)
    assert caught.value.hint


def test_what_counts_as_newest_is_told_by_the_epoch_before_the_clock():
    # A machine whose clock is late took over: its snapshot is what a new machine starts from.
    snapshots = [at(50 * DAY, "epoch:1"), at(60 * DAY, "epoch:2")]
    assert kept(DEFAULT, snapshots) == [snapshots[1]]
