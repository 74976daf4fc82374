"""What lands where, and what is refused, against an oracle."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_storage.errors import AlreadyExists, IsADirectory, NotADirectory
from jupyter_storage.paths import basename
from jupyter_storage.records import ConflictPolicy, Entry, Failure
from jupyter_storage.transfers.plan import SKIPPED, Landing, Step, landings, plan

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def file(path: str, modified: datetime | None = NOON) -> Entry:
    return Entry(path, basename(path), "file", 1, modified)


def directory(path: str) -> Entry:
    return Entry(path, basename(path), "directory")


def link(path: str) -> Entry:
    return Entry(path, basename(path), "symlink", link="x")


def planned(entries, there=(), policy=ConflictPolicy.FAIL, **options):
    existing = {entry.path: entry for entry in there}
    return list(
        plan(
            entries,
            **{"source_base": "s", "target_base": "t", **options},
            existing=existing.get,
            policy=policy,
        )
    )


@pytest.mark.parametrize(
    ("sources", "target", "existing", "options", "expected"),
    [
        ([("f", file("a/f"))], "d/g", None, {}, ["d/g"]),
        ([("f", file("a/f"))], "d", None, {"directory": True}, ["d/f"]),
        ([("f", file("a/f"))], "d", directory("d"), {}, ["d/f"]),
        ([("f", file("a/f"))], "", directory(""), {}, ["f"]),
        ([("f", file("a/f"))], "d", file("d"), {}, ["d"]),
        ([("a", directory("a"))], "d", None, {"recursive": True}, ["d"]),
        ([("a", directory("a"))], "d", directory("d"), {"recursive": True}, ["d"]),
        ([("a", directory("a"))], "d", None, {"recursive": True, "into": True}, ["d/a"]),
        ([("f", file("f"))], "d", None, {"into": True}, ["d/f"]),
        (
            [("a", directory("a")), ("f", file("f"))],
            "d",
            None,
            {"recursive": True},
            ["d/a", "d/f"],
        ),
    ],
)
def test_sources_land_where_the_table_says(sources, target, existing, options, expected):
    landed = landings(sources, target, existing, **options)
    assert [landing.target_key for landing in landed] == expected


def test_a_directory_needs_recursive():
    (error,) = landings([("a", directory("a"))], "d", None)
    assert isinstance(error, IsADirectory)


@pytest.mark.parametrize("source", [directory("a"), file("a")])
def test_nothing_lands_inside_a_file(source):
    (error,) = landings([("a", source)], "d", file("d"), recursive=True, into=True)
    assert isinstance(error, NotADirectory)


def test_two_sources_with_one_name_collide():
    first, second = landings([("f", file("a/f")), ("f", file("b/f"))], "d", None)
    assert first == Landing(0, "d/f")
    assert isinstance(second, AlreadyExists)
    assert "'f'" in str(second)


def test_the_base_itself_becomes_the_target():
    (step,) = planned([file("s")])
    assert (step.source_key, step.target_key) == ("s", "t")


def test_bases_may_be_roots():
    (step,) = planned([file("a/b")], source_base="", target_base="")
    assert step.target_key == "a/b"


@pytest.mark.parametrize("bad", ["s//a", "s/../a", "s/.~jupyter_storage-1"])
def test_names_that_would_escape_are_refused(bad):
    (failure,) = planned([Entry(bad, "a", "file", 1)])
    assert isinstance(failure, Failure)
    assert failure.kind == "InvalidPath"


def test_an_object_that_is_also_a_prefix_is_refused_by_directories():
    entries = [file("s/a"), file("s/a-b"), file("s/a/b"), file("s/ab"), file("s/b/c")]
    kinds = [type(step).__name__ for step in planned(entries)]
    assert kinds == ["Step", "Step", "Failure", "Step", "Step"]
    assert all(isinstance(step, Step) for step in planned(entries, keeps_directories=False))


def test_links_are_listed_where_they_cannot_be_kept():
    (failure,) = planned([link("s/l")], keeps_links=False)
    assert failure.kind == SKIPPED
    (step,) = planned([link("s/l")])
    assert step.action == "link"


def test_nothing_lands_in_what_is_being_listed():
    steps = planned([file("s/s/f"), file("s/f")], target_base="", walked="s")
    assert [type(step).__name__ for step in steps] == ["Failure", "Step"]


@pytest.mark.parametrize(("source", "there"), [(directory, file), (file, directory)])
def test_a_file_and_a_directory_do_not_replace_each_other(source, there):
    (failure,) = planned([source("s/x")], [there("t/x")], ConflictPolicy.SKIP)
    assert failure.kind == {file: "IsADirectory", directory: "NotADirectory"}[source]
    assert failure.path == "t/x"


def test_newer_wins_by_more_than_rounding():
    entries = [
        file("s/old", NOON - timedelta(hours=1)),
        file("s/same", NOON + timedelta(microseconds=500)),
        file("s/new", NOON + timedelta(seconds=1)),
        file("s/unknown", None),
    ]
    there = [file("t/old"), file("t/same"), file("t/new"), file("t/unknown")]
    actions = [step.action for step in planned(entries, there, ConflictPolicy.NEWER)]
    assert actions == ["skip", "skip", "copy", "copy"]


def test_the_plan_does_not_run_ahead_of_its_reader():
    taken = []

    def entries():
        for number in range(10**9):
            taken.append(number)
            yield file(f"s/{number:09}")

    steps = plan(
        entries(),
        source_base="s",
        target_base="t",
        existing=lambda _: None,
        policy=ConflictPolicy.FAIL,
    )
    next(steps)
    assert len(taken) == 1


names = st.sampled_from(["a", "b", "a.b", "data", "data2", "data.bak"])
keys = st.lists(names, min_size=1, max_size=3).map("/".join)
times = st.integers(0, 2).map(lambda hours: NOON + timedelta(hours=hours))


@given(
    sources=st.dictionaries(keys, times, max_size=8),
    targets=st.dictionaries(keys, times, max_size=8),
    policy=st.sampled_from(ConflictPolicy),
)
def test_carrying_out_a_plan_gives_what_the_oracle_gives(sources, targets, policy):
    """For object stores, where names never collide with directories."""
    oracle, failed = dict(targets), set()
    for key, modified in sources.items():
        if key not in targets or policy is ConflictPolicy.OVERWRITE:
            oracle[key] = modified
        elif policy is ConflictPolicy.FAIL:
            failed.add(f"t/{key}")
        elif policy is ConflictPolicy.NEWER and modified > targets[key]:
            oracle[key] = modified
    state = {f"t/{key}": modified for key, modified in targets.items()}
    there = [file(key, modified) for key, modified in state.items()]
    entries = [file(f"s/{key}", modified) for key, modified in sorted(sources.items())]
    failures = set()
    for step in planned(entries, there, policy, keeps_directories=False):
        if isinstance(step, Failure):
            failures.add(step.path)
        elif step.action == "copy":
            state[step.target_key] = step.entry.modified
    assert state == {f"t/{key}": modified for key, modified in oracle.items()}
    assert failures == failed


@given(st.sets(keys, max_size=10))
def test_a_plan_for_a_directory_can_always_be_carried_out(objects):
    """However objects are named, no step needs a file to be a directory, and none is lost."""
    steps = planned([file(f"s/{key}") for key in sorted(objects)])
    made = {step.target_key for step in steps if isinstance(step, Step)}
    refused = {step.path for step in steps if isinstance(step, Failure)}
    assert not {(a, b) for a in made for b in made if b.startswith(a + "/")}
    assert len(made) + len(refused) == len(objects)
    for path in refused:
        key = path.removeprefix("s/")
        assert any(key.startswith(other + "/") for other in objects)
