"""Files that only have another name now: the target has their content already."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from jupyter_storage.errors import StorageError
from jupyter_storage.paths import basename
from jupyter_storage.records import Failure
from jupyter_storage.transfers.comparison import Comparison, Surplus
from jupyter_storage.transfers.contents import have_one_content
from jupyter_storage.transfers.plan import Step, have_one_time

__all__ = ["MOST", "with_moves"]

MOST = 100_000
"""Files of each side that are remembered; of more, the others are copied and deleted."""

_LIKELY = 4  # files of one size that are looked at for one that is new


def with_moves(
    comparison: Comparison, cancel: threading.Event
) -> Iterator[Step | Surplus | Failure]:
    """Give what a comparison gives, with steps ``move`` in place of a copy and a surplus.

    A move has the same size and the same content, by what the target knows of it; or, in a
    directory, which keeps times, the same time and either the same name or the same content.

    Parameters
    ----------
    comparison : Comparison
        Gone through once; what may be a move comes at the end.
    cancel : threading.Event
    """
    new: list[Step] = []
    gone: dict[int, list[Surplus]] = defaultdict(list)
    kept = 0
    for found in comparison:
        if isinstance(found, Step) and _is_new_file(found) and len(new) < MOST:
            new.append(found)
        elif isinstance(found, Surplus) and _is_worth_it(found) and kept < MOST:
            kept += 1
            gone[found.entry.size or 0].append(found)
        else:
            yield found
    for step in new:
        # Nothing goes away where nobody knows all that the source has.
        origin = _origin(comparison, step, gone, cancel) if comparison.complete else None
        if origin is None:
            yield step
        else:
            gone[step.entry.size or 0].remove(origin)
            yield replace(step, action="move", origin=origin.entry.path)
    for surplus in gone.values():
        yield from surplus


def _is_new_file(step: Step) -> bool:
    return step.action == "copy" and step.replaces is None and bool(step.entry.size)


def _is_worth_it(surplus: Surplus) -> bool:
    # Files of no bytes are all alike.
    return surplus.entry.type == "file" and bool(surplus.entry.size)


def _origin(
    comparison: Comparison, step: Step, gone: dict[int, list[Surplus]], cancel: threading.Event
) -> Surplus | None:
    """Find what the target has under another name."""
    candidates = gone.get(step.entry.size or 0, [])
    name = basename(step.source_key)
    likely = [each for each in candidates if basename(each.entry.path) == name]
    likely += [each for each in candidates[:_LIKELY] if each not in likely]
    for each in likely[:_LIKELY]:
        if _is_same(comparison, step, each, cancel):
            return each
    return None


def _is_same(comparison: Comparison, step: Step, surplus: Surplus, cancel: threading.Event) -> bool:
    target = comparison.target.at(surplus.entry.path)
    if comparison.keeps_times:
        if not have_one_time(step.entry, surplus.entry):
            return False
        if basename(step.source_key) == surplus.entry.name:
            return True
    try:
        if not comparison.keeps_times and not target.store.checksums(target.key):
            return False  # to fetch it is no less work than to send it
        return have_one_content(comparison.source.at(step.source_key), target, cancel)
    except StorageError:
        return False  # the copy says what is wrong
