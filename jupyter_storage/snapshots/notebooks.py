"""Notebooks cell by cell: what differs, and one cell brought back.

A notebook is taken apart only as far as its cells. One that is brought back is put into the text
where its place is, and every other byte stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.records import CellDifference
from jupyter_storage.snapshots.alignment import align

__all__ = ["Cell", "Notebook", "compare_cells", "restore_cell"]

_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Cell:
    """A cell, and where it stands in the notebook's text."""

    value: dict[str, Any]
    start: int
    end: int

    @property
    def id(self) -> str | None:
        """Its ID; notebooks before format 4.5 have none."""
        identifier = self.value.get("id")
        return identifier if isinstance(identifier, str) else None

    @property
    def type(self) -> str:
        """``code``, ``markdown`` or ``raw``."""
        return str(self.value.get("cell_type", ""))

    @property
    def source(self) -> str:
        """What a person wrote."""
        source = self.value.get("source", "")
        return "".join(map(str, source)) if isinstance(source, list) else str(source)


@dataclass(frozen=True)
class Notebook:
    """A notebook's text and its cells; ``rest`` is all but the cells."""

    text: str
    cells: tuple[Cell, ...]
    rest: dict[str, Any]
    opening: int

    @classmethod
    def read(cls, text: str) -> Notebook:
        """Take a notebook apart.

        Raises
        ------
        InvalidRequest
            If it is none of format 4.
        """
        try:
            notebook = _Scanner(text).notebook()
        except (ValueError, IndexError, RecursionError) as error:
            raise InvalidRequest(
                "It is not a notebook of format 4",
                hint="Restore the whole file, or open it with a text editor.",
            ) from error
        return notebook

    @property
    def has_ids(self) -> bool:
        """Whether its format has IDs of cells."""
        return (self.rest["nbformat"], self.rest.get("nbformat_minor", 0)) >= (4, 5)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._decode = json.JSONDecoder().raw_decode

    def notebook(self) -> Notebook:
        cells: list[Cell] = []
        rest: dict[str, Any] = {}
        opening = -1
        for key in self._members("{", "}"):
            if key == "cells":
                opening = self._at + 1
                cells = [self._cell() for _ in self._members("[", "]")]
            else:
                rest[key] = self._value()
        self._skip()
        if self._at != len(self._text) or opening < 0 or rest.get("nbformat") != 4:
            raise ValueError
        return Notebook(self._text, tuple(cells), rest, opening)

    def _members(self, start: str, end: str) -> Iterator[str]:
        """Stop at each member of an object or list, which the caller then reads."""
        self._take(start)
        self._skip()
        if self._text[self._at] == end:
            self._at += 1
            return
        while True:
            key = ""
            if start == "{":
                key = self._value()
                self._take(":")
            self._skip()
            yield key
            self._skip()
            if self._text[self._at] == end:
                self._at += 1
                return
            self._take(",")
            self._skip()

    def _cell(self) -> Cell:
        start = self._at
        value = self._value()
        if not isinstance(value, dict):
            raise ValueError
        return Cell(value, start, self._at)

    def _value(self) -> Any:
        value, self._at = self._decode(self._text, self._at)
        return value

    def _take(self, character: str) -> None:
        self._skip()
        if self._text[self._at] != character:
            raise ValueError
        self._at += 1

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None  # noqa: S101  it matches nothing too
        self._at = match.end()


def compare_cells(
    before: Notebook, after: Notebook, unified: Callable[[str, str], str]
) -> Iterator[CellDifference]:
    """Say of each cell what became of it; ``unified`` writes the diff of two sources."""
    for pair in align(before.cells, after.cells):
        i, j = pair.before, pair.after
        old = None if i is None else before.cells[i]
        new = None if j is None else after.cells[j]
        there = new or old
        assert there is not None  # noqa: S101  a pair has at least one
        numbers = None if i is None else i + 1, None if j is None else j + 1
        named = (*numbers, there.id, there.type)
        if old is None or new is None:
            yield CellDifference("removed" if new is None else "added", *named, there.source)
        elif pair.changed:
            source = bool(pair.changed & {"cell_type", "source"})
            # A cell's last line has no end, and needs none.
            diff = unified(f"{old.source}\n", f"{new.source}\n")
            yield CellDifference(
                "changed",
                *named,
                diff if source else _first_line(new.source),
                source_changed=source,
                outputs_changed="outputs" in pair.changed,
                metadata_changed=bool(pair.changed & {"metadata", "attachments"}),
            )
        else:
            yield CellDifference("same", *named, _first_line(new.source))


def _first_line(source: str) -> str:
    return source.lstrip().partition("\n")[0][:200]


def restore_cell(before: str, now: str, cell: str) -> tuple[str, int, bool]:
    """Put one cell of an old version into the present notebook.

    Parameters
    ----------
    before, now : str
        The two notebooks.
    cell : str
        ID of the cell in the old one, or its number from 1.

    Returns
    -------
    tuple
        The text of the notebook, the number of the cell in it, and whether it took the place of
        one that was there. A cell that is there no more comes after the one that it came after.

    Raises
    ------
    InvalidRequest
        If one of the two is no notebook, or they have too many cells to be compared.
    NotFound
        If the old one has no such cell.
    """
    old, new = Notebook.read(before), Notebook.read(now)
    index = _find(old, cell)
    chosen = old.cells[index]
    target = next(
        (j for j, each in enumerate(new.cells) if chosen.id and each.id == chosen.id), None
    )
    pairs = [] if target is not None else align(old.cells, new.cells)
    if target is None:
        target = next(pair.after for pair in pairs if pair.before == index)
    keep_id = new.cells[target].id if target is not None else None
    text = _spelled(old, chosen, new, keep_id)
    if target is not None:
        there = new.cells[target]
        return now[: there.start] + text + now[there.end :], target + 1, True
    above = max(
        (
            pair.after
            for pair in pairs
            if pair.before is not None and pair.before < index and pair.after is not None
        ),
        default=-1,
    )
    if not new.cells:
        rest = now[new.opening :].lstrip()
        return f"{now[: new.opening]}\n  {text}\n {rest}", 1, False
    if above < 0:
        at = new.cells[0].start
        return f"{now[:at]}{text},\n  {now[at:]}", 1, False
    at = new.cells[above].end
    return f"{now[:at]},\n  {text}{now[at:]}", above + 2, False


def _find(notebook: Notebook, cell: str) -> int:
    for index, each in enumerate(notebook.cells):
        if each.id == cell:
            return index
    if cell.isascii() and cell.isdecimal() and 1 <= int(cell) <= len(notebook.cells):
        return int(cell) - 1
    raise NotFound(
        f"The version has no cell '{cell}'",
        hint=f"It has {len(notebook.cells)} cells; name one by its ID or its number, from 1.",
    )


def _spelled(old: Notebook, cell: Cell, new: Notebook, keep_id: str | None) -> str:
    """The cell's text as it stands in the old notebook, unless its ID has to change."""
    wanted = (keep_id or cell.id or uuid4().hex[:8]) if new.has_ids else None
    if wanted == cell.id:
        return old.text[cell.start : cell.end]
    value = {key: item for key, item in cell.value.items() if key != "id"}
    if wanted is not None:
        value["id"] = wanted
    # As nbformat writes cells: keys sorted, each level one space further in.
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        # Half a character, which only an escape can spell.
        text = json.dumps(value, indent=1, sort_keys=True)
    return text.replace("\n", "\n  ")
