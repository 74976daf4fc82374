"""Heads of tables that are text: CSV, TSV, lines of JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from jupyter_storage.previews.texts import safe
from jupyter_storage.records import Column

__all__ = ["COLUMNS", "ROWS", "Table", "cell", "delimited", "json_lines"]

ROWS = 200
COLUMNS = 100
_LONGEST = 300  # characters of a cell

Row = tuple[str | None, ...]


class Table(NamedTuple):
    """The beginning of a table; ``more`` where there are further rows or columns."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: bool


def delimited(text: str, separator: str | None, *, whole: bool) -> Table | None:
    """Read text whose values are separated; None for what is no table.

    Parameters
    ----------
    text : str
    separator : str or None
        None to find it out.
    whole : bool
        Whether it is all of the file: else its last row may be cut.
    """
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=separator or _found(text))
        read = list(islice((row for row in reader if row), ROWS + 2))
    except csv.Error:
        return None
    if not whole and len(read) < ROWS + 2:
        read = read[:-1]
    if not read:
        return None
    columns = tuple(Column(cell(name) or "") for name in read[0][:COLUMNS])
    rows = tuple(tuple(map(cell, row[:COLUMNS])) for row in read[1 : ROWS + 1])
    wide = len(read[0]) > COLUMNS
    return Table(columns, _even(rows, len(columns)), wide or not whole or len(read) > ROWS + 1)


def json_lines(text: str, *, whole: bool) -> Table | None:
    """Read objects of JSON, one in a line; None for anything else."""
    lines = text.split("\n") if whole else text.split("\n")[:-1]
    filled = [line for line in lines if line.strip()]
    try:
        objects = [json.loads(line) for line in filled[:ROWS]]
    except (ValueError, RecursionError):
        return None
    if not objects or not all(isinstance(item, dict) for item in objects):
        return None
    names = list(dict.fromkeys(name for item in objects for name in item))
    rows = tuple(tuple(cell(item.get(name)) for name in names[:COLUMNS]) for item in objects)
    more = not whole or len(filled) > ROWS or len(names) > COLUMNS
    return Table(tuple(Column(safe(name)) for name in names[:COLUMNS]), rows, more)


def cell(value: Any) -> str | None:
    """Write a value for a cell of a table; None where there is none."""
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        text = bytes(value[: _LONGEST // 2]).hex()
    elif isinstance(value, (dict, list)):
        text = json.dumps(value, default=str, ensure_ascii=False)
    else:
        text = str(value)
    return safe(text[:_LONGEST]) + ("…" if len(text) > _LONGEST else "")


def _found(text: str) -> str:
    try:
        return csv.Sniffer().sniff(text[:8192], delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _even(rows: Sequence[Row], width: int) -> tuple[Row, ...]:
    """Cut or fill rows, so that each has a cell in each column."""
    empty: Iterable[None] = (None,) * width
    return tuple(
        tuple(value for value, _ in zip_longest(row[:width], empty, fillvalue=None)) for row in rows
    )
