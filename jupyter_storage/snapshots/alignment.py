"""Which cells of two notebooks are the same ones, and what of them differs, as nbdime says.

What counts as the same cell is ours: its ID where the two versions share some, else its text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from operator import eq
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import InvalidRequest

if TYPE_CHECKING:
    from jupyter_storage.snapshots.notebooks import Cell

__all__ = ["Pair", "align"]

_MOST = 2_000_000  # cells times cells: nbdime looks at each pair, a million a second
_MOST_READ = 5_000  # pairs of cells that are read to see whether they are alike
_SIMILAR = 0.5  # a share of equal characters from which two cells are the same one, changed
_SEEN = 1000  # characters of a cell in which that is looked for
_FIELDS = ("metadata", "attachments", "outputs")
_ORDER = ("removerange", "addrange", "patch")

_Same = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Pair:
    """One cell: its indices in the older and the newer version, None where it is not there.

    Attributes
    ----------
    changed : frozenset of str
        Which of ``cell_type``, ``source``, ``outputs``, ``metadata``, ``attachments`` differ.
    """

    before: int | None
    after: int | None
    changed: frozenset[str] = frozenset()


def align(before: Sequence[Cell], after: Sequence[Cell]) -> list[Pair]:
    """Pair the cells of two versions, in their order.

    Raises
    ------
    InvalidRequest
        If there are so many cells that nobody would wait for it.
    """
    # It takes a second to import, and only notebooks need it.
    from nbdime.diffing.config import DiffConfig
    from nbdime.diffing.generic import diff

    if len(before) * len(after) > _MOST:
        raise InvalidRequest(
            "The notebook has too many cells to be compared",
            hint="Restore the whole version under another name.",
        )
    config = DiffConfig(
        predicates=defaultdict[str, list[_Same]](lambda: [eq], {"/cells": _rules(before, after)}),
        atomic_paths={f"/cells/*/{field}": True for field in (*_FIELDS, "cell_type", "source")},
    )
    old, new = ({"cells": [_plain(cell) for cell in side]} for side in (before, after))
    changes = diff(old, new, config=config)
    return list(_pairs(changes[0].diff if changes else (), len(before)))


def _plain(cell: Cell) -> dict[str, Any]:
    """What of a cell is compared; a notebook may hold anything."""
    fields = {field: cell.value.get(field) for field in _FIELDS}
    return {"id": cell.id, "cell_type": cell.type, "source": cell.source, **fields}


def _pairs(steps: Sequence[Any], cells: int) -> Iterator[Pair]:
    i = j = 0
    # What went comes before what took its place.
    for step in sorted(steps, key=lambda step: (step.key, _ORDER.index(step.op))):
        # What nbdime leaves out is the same in both.
        yield from (Pair(i + n, j + n) for n in range(step.key - i))
        i, j = max(i, step.key), j + max(0, step.key - i)
        if step.op == "removerange":
            yield from (Pair(i + n, None) for n in range(step.length))
            i += step.length
        elif step.op == "addrange":
            yield from (Pair(None, j + n) for n in range(len(step.valuelist)))
            j += len(step.valuelist)
        else:
            yield Pair(i, j, frozenset(each.key for each in step.diff) - {"id"})
            i, j = i + 1, j + 1
    yield from (Pair(i + n, j + n) for n in range(cells - i))


def _rules(before: Sequence[Cell], after: Sequence[Cell]) -> list[_Same]:
    """When two cells are the same one: nbdime tries the last rule first."""
    olds, news = [cell.id for cell in before], [cell.id for cell in after]
    if None not in olds and None not in news and set(olds) & set(news):
        return [_has_same_id]
    return [_Likeness(), _has_same_text]


def _has_same_id(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["id"] == other["id"])


def _has_same_text(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[field] == other[field] for field in ("cell_type", "source"))


class _Likeness:
    """Whether two cells are alike; asked again, it says the same, as nbdime wants it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}

    def __call__(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        if one["cell_type"] != other["cell_type"]:
            return False
        pair: tuple[str, str] = one["source"][:_SEEN], other["source"][:_SEEN]
        if pair not in self._known:
            if len(self._known) >= _MOST_READ:
                return pair[0] == pair[1]
            self._known[pair] = _are_alike(*pair)
        return self._known[pair]


def _are_alike(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one, other)
    # The quick ones are upper bounds.
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(ratio() >= _SIMILAR for ratio in ratios)
