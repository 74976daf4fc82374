"""Which snapshots stay, and why: pure, nothing here does I/O.

A policy is a list of rules: ``all for 1h, every 10m for 1d, every 1h for 7d, every 1d for 30d``.
``every 1h for 7d`` keeps, of the snapshots of the last seven days, the last one of each hour. A
snapshot stays if any rule keeps it. Hours and days are those of UTC, so that the answer does not
change with the moment of the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.snapshots.repository import Snapshot
from jupyter_storage.snapshots.views import FORK, NAME, PINNED, age

__all__ = ["DEFAULT", "Judgement", "Policy", "parse_policy"]

DEFAULT = "all for 1h, every 10m for 1d, every 1h for 7d, every 1d for 30d"

_WORKSPACE = "workspace:"
_RULE = re.compile(r"(?:all|every\s+(?P<every>\S+))\s+(?:(?:for\s+(?P<within>\S+))|forever)")
_DURATION = re.compile(r"(\d+)(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_HINT = f"Write it like the default: '{DEFAULT}', or 'all forever' to keep everything."


@dataclass(frozen=True)
class Rule:
    """One part of a policy.

    Attributes
    ----------
    text : str
        As it was written.
    every : int
        Nanoseconds of which the last snapshot stays; 0 for all of them.
    within : int or None
        Age up to which the rule holds, in nanoseconds; None for any.
    """

    text: str
    every: int
    within: int | None


@dataclass(frozen=True)
class Judgement:
    """What is to become of a snapshot.

    Attributes
    ----------
    snapshot : Snapshot
    reasons : tuple of str
        Why it stays; none if it is to be forgotten.
    """

    snapshot: Snapshot
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Which snapshots stay.

    Attributes
    ----------
    rules : tuple of Rule
    """

    rules: tuple[Rule, ...]

    def judge(self, snapshots: Iterable[Snapshot], now: int) -> list[Judgement]:
        """Say what stays, and why.

        Each workspace, and each fork of one, is judged by itself. Its newest snapshot stays, and so
        do those that are pinned or have a name, and those that are no workspace's: somebody
        took them by other means.

        Parameters
        ----------
        snapshots : iterable of Snapshot
            All that there are.
        now : int
            Nanoseconds since 1970. Snapshots that are newer stay.

        Returns
        -------
        list of Judgement
            Newest first.
        """
        groups: dict[tuple[str, ...], list[Snapshot]] = {}
        for snapshot in sorted(snapshots, key=lambda each: (each.time, each.id), reverse=True):
            groups.setdefault(_group(snapshot), []).append(snapshot)
        found = [judged for key, group in groups.items() for judged in self._judge(key, group, now)]
        return sorted(found, key=lambda each: (each.snapshot.time, each.snapshot.id), reverse=True)

    def _judge(
        self, group: tuple[str, ...], newest_first: Sequence[Snapshot], now: int
    ) -> Iterable[Judgement]:
        filled: set[tuple[Rule, int]] = set()
        newest = max(newest_first, key=age)
        for snapshot in newest_first:
            reasons = []
            if snapshot is newest:
                fork = any(tag.startswith(FORK) for tag in group)
                reasons.append(f"newest of its {'fork' if fork else 'workspace'}")
            if not any(tag.startswith(_WORKSPACE) for tag in group):
                reasons = ["of no workspace"]
            if PINNED in snapshot.tags:
                reasons.append("pinned")
            reasons += [f"named {tag[len(NAME) :]}" for tag in snapshot.tags if _is_name(tag)]
            for rule in self.rules:
                if rule.within is not None and now - snapshot.time > rule.within:
                    continue
                if not rule.every:
                    reasons.append(rule.text)
                elif (slot := (rule, snapshot.time // rule.every)) not in filled:
                    filled.add(slot)
                    reasons.append(rule.text)
            yield Judgement(snapshot, tuple(reasons))


def parse_policy(text: str) -> Policy:
    """Read a policy.

    Raises
    ------
    InvalidRequest
        If it cannot be understood.
    """
    return Policy(tuple(_rule(" ".join(part.split())) for part in text.split(",")))


def _rule(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"The option snapshot_retention has a rule that cannot be understood: '{text}'",
            hint=_HINT,
        )
    every = _duration(match["every"], text) if match["every"] else 0
    within = _duration(match["within"], text) if match["within"] else None
    if within is not None and every > within:
        raise InvalidRequest(
            f"The option snapshot_retention has a rule that keeps nothing: '{text}'",
            hint="'every' is the shorter of the two: 'every 1h for 7d'.",
        )
    return Rule(text, every, within)


def _duration(text: str, rule: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None or not int(match[1]):
        raise InvalidRequest(
            f"The option snapshot_retention has a wrong duration, '{text}' in '{rule}'",
            hint="A duration is a whole number with s, m, h, d or w: '10m', '1d'.",
        )
    return int(match[1]) * _SECONDS[match[2]] * 10**9


def _group(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(sorted({tag for tag in snapshot.tags if tag.startswith((_WORKSPACE, FORK))}))


def _is_name(tag: str) -> bool:
    return tag.startswith(NAME)
