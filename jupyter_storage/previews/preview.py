"""Chooses how a file is shown, by its name and its first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from jupyter_storage.previews.binaries import HeadOfTable, Unreadable, parquet, tensors
from jupyter_storage.previews.documents import CELLS, indented, notebook_cells
from jupyter_storage.previews.tables import Table, delimited, json_lines
from jupyter_storage.previews.texts import decode, dump, safe
from jupyter_storage.records import Entry, Preview
from jupyter_storage.stores.store import Store

__all__ = ["preview"]

HEAD = 64 * 2**10  # bytes of text
WHOLE = 4 * 2**20  # bytes of JSON and notebooks, which mean nothing by halves
LARGEST_IMAGE = 32 * 2**20  # bytes that the browser fetches
DUMPED = 512  # bytes

IMAGES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "ico": "image/x-icon",
    "svg": "image/svg+xml",
}
_TABLES: dict[str, Callable[[Store, str, int], HeadOfTable]] = {
    "parquet": parquet,
    "parq": parquet,
    "pq": parquet,
    "safetensors": tensors,
}
_WHOLE = frozenset({"json", "geojson", "ipynb"})


class _Head(NamedTuple):
    data: bytes
    whole: bool


def preview(store: Store, key: str) -> Preview:
    """Show what is in a file, having read as little of it as that takes.

    Parameters
    ----------
    store : Store
    key : str

    Returns
    -------
    Preview
        Of a directory, and of a link that leads nowhere, the details alone.
    """
    entry = store.stat(key)
    # Nothing but its listing tells of a directory in a bucket.
    told = store.local_path(key) is not None or not entry.is_directory
    plain = Preview(entry, "none", details=dict(store.details(key)) if told else {})
    if entry.is_directory or entry.size is None:
        return plain
    if entry.size == 0:
        return replace(plain, kind="empty")
    name = entry.name.lower()
    suffix = name.rpartition(".")[2]
    if suffix in IMAGES:
        return _image(plain, entry, IMAGES[suffix])
    if suffix in _TABLES:
        return _table_of_its_own(plain, store, entry.size, _TABLES[suffix])
    if suffix == "gz":
        suffix = name.removesuffix(".gz").rpartition(".")[2]
    head = _head(store, entry, WHOLE if suffix in _WHOLE else HEAD)
    return _text(plain, head, suffix) or _binary(plain, store)


def _head(store: Store, entry: Entry, most: int) -> _Head:
    """Read the beginning of a file; of a compressed one, that of what is in it."""
    assert entry.size is not None  # noqa: S101  it is a file
    # What must be whole and is not, is shown as any other text.
    length = HEAD if entry.size > most else most
    data = store.read(entry.path, length=length)
    whole = len(data) >= entry.size
    if not data.startswith(b"\x1f\x8b"):
        return _Head(data, whole)
    inflating = zlib.decompressobj(wbits=31)
    try:
        inflated = inflating.decompress(data, most)
    except zlib.error:
        return _Head(data, whole)
    return _Head(inflated, inflating.eof and not inflating.unconsumed_tail)


def _image(plain: Preview, entry: Entry, media_type: str) -> Preview:
    if (entry.size or 0) > LARGEST_IMAGE:
        hint = "The image is too large to be shown here. Open or download it."
        return replace(plain, kind="binary", hint=hint, complete=False)
    return replace(plain, kind="image", media_type=media_type)


def _table_of_its_own(
    plain: Preview, store: Store, size: int, read: Callable[[Store, str, int], HeadOfTable]
) -> Preview:
    try:
        table, total, hint = read(store, plain.entry.path, size)
    except Unreadable as error:
        said = f"{error.message}. {error.hint}".strip()
        return replace(_binary(plain, store), hint=said)
    return replace(_as_table(plain, table), row_count=total, hint=hint)


def _text(plain: Preview, head: _Head, suffix: str) -> Preview | None:
    decoded = decode(head.data, whole=head.whole)
    if decoded is None:
        return None
    text, whole = decoded.text, head.whole
    shown = replace(plain, kind="text", encoding=decoded.encoding, complete=whole)
    if suffix in {"csv", "tsv", "tab"}:
        table = delimited(text, None if suffix == "csv" else "\t", whole=whole)
        if table is not None:
            return _as_table(shown, table)
    elif suffix in {"jsonl", "ndjson"}:
        table = json_lines(text, whole=whole)
        if table is not None:
            return _as_table(shown, table)
    elif suffix in _WHOLE and whole:
        cells = notebook_cells(text) if suffix == "ipynb" else None
        if cells is not None:
            few = len(cells) <= CELLS
            return replace(shown, kind="notebook", cells=cells[:CELLS], complete=few)
        lines = indented(text)
        if lines is not None:
            shown, text = replace(shown, kind="json"), lines
    # As many characters as there are bytes of other text: JSON and notebooks may be longer.
    return replace(shown, text=safe(text[:HEAD]), complete=whole and len(text) <= HEAD)


def _as_table(plain: Preview, table: Table) -> Preview:
    return replace(
        plain,
        kind="table",
        columns=table.columns,
        rows=table.rows,
        row_count=None if table.more else len(table.rows),
        complete=not table.more,
    )


def _binary(plain: Preview, store: Store) -> Preview:
    data = store.read(plain.entry.path, length=DUMPED)
    whole = len(data) == plain.entry.size
    return replace(plain, kind="binary", text=dump(data), complete=whole)
