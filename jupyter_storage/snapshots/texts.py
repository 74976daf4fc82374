"""Two versions of a file's content as something to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import SequenceMatcher

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.records import FileComparison
from jupyter_storage.snapshots.notebooks import Notebook, compare_cells

__all__ = ["LARGEST", "compare_contents", "text_of", "unified"]

LARGEST = 4 * 2**20
"""Bytes of a file that is shown as text or as a notebook."""

_CONTEXT = 3
# Lines times lines that are matched; beyond that the finding takes longer than anybody waits.
_MOST_WORK = 20_000_000


def text_of(data: bytes) -> str | None:
    """Decode text; None for what is none."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def unified(before: str, after: str) -> str:
    """Write a unified diff without its first two lines; empty where nothing differs."""
    return "\n".join(_hunks(before.splitlines(keepends=True), after.splitlines(keepends=True)))


def compare_contents(
    path: str, before: bytes, after: bytes | None, names: tuple[str, str | None]
) -> FileComparison:
    """Compare two versions of a file.

    Parameters
    ----------
    path : str
        Tells a notebook from other text.
    before, after : bytes
        No more than :data:`LARGEST` of each; ``after`` is None where the file is gone.
    names : tuple of str
        IDs of the snapshots, None for the file as it is now.
    """
    old = text_of(before)
    size = None if after is None else len(after)
    plain = FileComparison(path, names[0], names[1], "same", len(before), size)
    if after is None:
        return _with(plain, kind="missing", diff=old or "")
    if before == after:
        return plain
    new = text_of(after)
    if old is None or new is None:
        return _with(plain, kind="binary")
    if path.endswith(".ipynb"):
        # What is no notebook, or has too many cells, is text.
        with suppress(InvalidRequest):
            notebooks = Notebook.read(old), Notebook.read(new)
            return _with(
                plain,
                kind="notebook",
                cells=tuple(compare_cells(*notebooks, unified)),
                metadata_changed=notebooks[0].rest != notebooks[1].rest,
            )
    return _with(plain, kind="text", diff=unified(old, new))


def _with(comparison: FileComparison, **changes: object) -> FileComparison:
    return replace(comparison, **changes)  # type: ignore[arg-type]


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    # What is the same at both ends is most of it, and needs no matching.
    shortest = min(len(old), len(new))
    start = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    rest = shortest - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    first = max(0, start - _CONTEXT)
    tail = max(0, end - _CONTEXT)
    a, b = old[first : len(old) - tail], new[first : len(new) - tail]
    for group in _groups(a, b, start - first, end - tail):
        (_, a1, _, b1, _), (_, _, a2, _, b2) = group[0], group[-1]
        yield f"@@ -{_span(a1 + first, a2 - a1)} +{_span(b1 + first, b2 - b1)} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _lines(" ", a[i1:i2])
            else:
                yield from _lines("-", a[i1:i2])
                yield from _lines("+", b[j1:j2])


_Group = Sequence[tuple[str, int, int, int, int]]


def _groups(a: Sequence[str], b: Sequence[str], head: int, tail: int) -> Iterator[_Group]:
    if len(a) * len(b) <= _MOST_WORK:
        for group in SequenceMatcher(None, a, b).get_grouped_opcodes(_CONTEXT):
            yield list(group)
    else:
        ends = len(a) - tail, len(b) - tail
        yield [
            ("equal", 0, head, 0, head),
            ("replace", head, ends[0], head, ends[1]),
            ("equal", ends[0], len(a), ends[1], len(b)),
        ]


def _lines(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield sign + line.rstrip("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _span(start: int, length: int) -> str:
    # As diff does: an empty span names the line before it.
    first = start + 1 if length else start
    return str(first) if length == 1 else f"{first},{length}"
