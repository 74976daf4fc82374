"""Tables that have a format of their own: Parquet, and the tensors of safetensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from jupyter_storage.errors import StorageError
from jupyter_storage.previews.source import Source, TooMuch
from jupyter_storage.previews.tables import COLUMNS, ROWS, Table, cell
from jupyter_storage.previews.texts import safe
from jupyter_storage.records import Column
from jupyter_storage.stores.store import Store

__all__ = ["HeadOfTable", "Unreadable", "parquet", "tensors"]

_PARQUET_ROWS = 50
_MOST = 32 * 2**20  # bytes that are read of a Parquet file
_BATCH = 64 * 2**10
_LONGEST_HEADER = 16 * 2**20  # bytes of a safetensors header

HeadOfTable = tuple[Table, int | None, str]
"""A table's head, the number of its rows, and a hint."""


class Unreadable(StorageError):
    """It is not what its name says, or what would read it is missing."""


def parquet(store: Store, key: str, size: int) -> HeadOfTable:
    """Read the schema and the first rows of a Parquet file, by ranges.

    Raises
    ------
    Unreadable
        If it is none, or pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise Unreadable(
            "The server cannot read Parquet",
            path=key,
            hint="Install pyarrow where the Jupyter server runs: pip install pyarrow",
        ) from error
    try:
        file = ParquetFile(Source(store, key, size, _MOST), buffer_size=_BATCH, pre_buffer=False)
        return _head(file)
    except (ArrowException, OSError, ValueError) as error:
        raise Unreadable(
            "It is not a whole Parquet file",
            path=key,
            hint="It may still be written, or be cut off: compare its size with the original's.",
        ) from error


def tensors(store: Store, key: str, size: int) -> HeadOfTable:
    """List the tensors of a safetensors file from its header.

    Raises
    ------
    Unreadable
        If it is none.
    """
    try:
        length = int.from_bytes(store.read(key, length=8), "little")
        if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            raise ValueError(length)
        header: dict[str, Any] = json.loads(store.read(key, offset=8, length=length))
        found = {name: item for name, item in header.items() if name != "__metadata__"}
        rows = tuple(
            (cell(name), cell(item["dtype"]), " × ".join(str(n) for n in item["shape"]))
            for name, item in islice(found.items(), ROWS)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("It is not a safetensors file", path=key, hint="") from error
    columns = (Column("tensor"), Column("type"), Column("shape"))
    return Table(columns, rows, more=True), len(found), "The tensors that its header names."


def _head(file: Any) -> HeadOfTable:
    fields = list(islice(file.schema_arrow, COLUMNS))
    columns = tuple(Column(safe(field.name), safe(str(field.type))) for field in fields)
    total = int(file.metadata.num_rows)
    try:
        rows = _rows(file, [field.name for field in fields])
    except TooMuch:
        # One row may hold a film.
        return Table(columns, (), more=True), total, "Its rows are too large to be shown here."
    hint = f"{len(file.schema_arrow):,} columns" if len(file.schema_arrow) > COLUMNS else ""
    return Table(columns, rows, more=total > len(rows) or bool(hint)), total, hint


def _rows(file: Any, names: Sequence[str]) -> tuple[tuple[str | None, ...], ...]:
    # Two columns of one name would be one in a dictionary.
    for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=list(names)):
        values = [column.slice(0, _PARQUET_ROWS).to_pylist() for column in batch.columns]
        return tuple(tuple(map(cell, row)) for row in zip(*values, strict=True))
    return ()
