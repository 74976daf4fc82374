"""Values as text for a shell and as HTML for a notebook. Nothing here does I/O."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from jupyter_storage.records import TransferRecord

__all__ = [
    "Column",
    "clean",
    "fields_html",
    "fields_text",
    "fraction",
    "human_size",
    "human_time",
    "plural",
    "progress_text",
    "summary",
    "table_html",
    "table_text",
    "text_html",
]

SHOWN = 1000  # rows in a notebook; a browser gets slow with more


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table as people see it.

    Attributes
    ----------
    field : str
        Name of the field in the record.
    title : str
    kind : {'text', 'size', 'number', 'time'}
        How its values are written; sizes are in bytes.
    """

    field: str
    title: str
    kind: Literal["text", "size", "number", "time"] = "text"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_DID = {
    "apply": "Applied: moved",
    "copy": "Copied",
    "move": "Moved",
    "delete": "Deleted",
    "restore": "Restored",
    "zip": "Zipped",
    "upload": "Uploaded",
    "sync": "Synced",
}


def human_size(size: float | None) -> str:
    """Write bytes with a decimal unit: 1.5 MB is 1,500,000 bytes."""
    if size is None:
        return ""
    for unit in _UNITS:
        if abs(size) < 999.95 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def human_time(time: datetime | None) -> str:
    """Write a time in the machine's own time zone."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clean(text: str) -> str:
    """Make control characters visible: a name must not move the cursor or turn the line round."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def cell(value: Any, kind: str = "text") -> str:
    """Write one value."""
    if value is None:
        return ""
    if kind == "size" and isinstance(value, (int, float)):
        return human_size(value)
    if isinstance(value, datetime):
        return human_time(value)
    if kind == "number" and isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, Mapping):
        named = value.get("path") or value.get("short_id")
        parts = (
            f"{name}={item:.6g}" if isinstance(item, float) else f"{name}={cell(item)}"
            for name, item in value.items()
        )
        return clean(str(named)) if named else ", ".join(clean(part) for part in parts)
    return clean(str(value))


def widths(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> list[int]:
    """Width of each column, in characters."""
    return [
        max([len(column.title), *(len(cell(row[column.field], column.kind)) for row in rows)])
        for column in columns
    ]


def row_text(row: Mapping[str, Any], columns: Sequence[Column], sizes: Sequence[int]) -> str:
    """One line of a table; figures stand at the right."""
    cells = [
        _align(cell(row[column.field], column.kind), column, width)
        for column, width in zip(columns, sizes, strict=True)
    ]
    return "  ".join(cells).rstrip()


def header_text(columns: Sequence[Column], sizes: Sequence[int]) -> str:
    """The line above a table."""
    return "  ".join(
        _align(column.title.upper(), column, width)
        for column, width in zip(columns, sizes, strict=True)
    ).rstrip()


def table_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    """Write a table with a header, its columns aligned."""
    sizes = widths(rows, columns)
    return "\n".join(
        [header_text(columns, sizes), *(row_text(row, columns, sizes) for row in rows)]
    )


def table_html(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    """Write a table for a notebook; everything from outside is escaped."""
    head = "".join(f"<th{_side(column)}>{html.escape(column.title)}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_side(column)}>{html.escape(cell(row[column.field], column.kind))}</td>"
            for column in columns
        )
        + "</tr>"
        for row in rows[:SHOWN]
    )
    more = len(rows) - SHOWN
    note = f"<p>… and {more:,} more</p>" if more > 0 else ""
    empty = "<p>Nothing here.</p>" if not rows else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}{empty}"


def fields_text(record: Mapping[str, Any]) -> str:
    """Write a record, a field a line; fields that nobody knows are left out."""
    lines = {
        name: cell(record[name], "size" if name in {"size", "bytes"} else "text") for name in record
    }
    width = max((len(name) for name in lines), default=0)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines.items() if text)


def fields_html(record: Mapping[str, Any]) -> str:
    """Write a record for a notebook."""
    rows = []
    for name in record:
        text = cell(record[name], "size" if name in {"size", "bytes"} else "text")
        if text:
            rows.append(
                f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
                f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def text_html(text: str) -> str:
    """Write plain text for a notebook."""
    return f"<pre>{html.escape(text)}</pre>"


def summary(record: TransferRecord) -> str:
    """Say in one sentence what a transfer did."""
    did = _DID.get(record.operation, record.operation.capitalize())
    text = f"{did} {plural(record.files_done, 'file')}"
    if record.operation == "check":
        text = f"Found {plural(record.files_done, 'file')} the same"
    if record.bytes_done:
        text += f", {human_size(record.bytes_done)}"
    if record.started and record.finished:
        text += f", in {(record.finished - record.started).total_seconds():.1f} s"
    if record.files_skipped:
        text += f"; {record.files_skipped:,} "
        text += "unchanged" if record.operation == "sync" else "skipped"
    if record.files_deleted:
        text += f"; {record.files_deleted:,} deleted"
    if record.failure_count:
        text += f"; {record.failure_count:,} "
        text += "not" if record.operation == "check" else "failed"
    return f"Cancelled. {text}" if record.state == "cancelled" else text


def fraction(record: TransferRecord) -> float | None:
    """How much of a transfer is done, from 0 to 1; None while nobody knows how much there is."""
    done, total = record.bytes_done, record.bytes_total
    if not total:
        done, total = record.files_done, record.files_total
    return min(1.0, done / total) if total else None


def progress_text(record: TransferRecord) -> str:
    """Write how far a transfer is, and how fast it has been."""
    parts = []
    if record.bytes_done or record.bytes_total:
        text = human_size(record.bytes_done)
        if record.bytes_total is not None:
            text += f" of {human_size(record.bytes_total)}"
        parts.append(text)
        if record.started is not None:
            seconds = (datetime.now(timezone.utc) - record.started).total_seconds()
            parts.append(f"{human_size(record.bytes_done / max(seconds, 0.1))}/s")
    if record.files_total is not None:
        parts.append(f"{record.files_done:,} of {plural(record.files_total, 'file')}")
    elif record.files_done:
        parts.append(plural(record.files_done, "file"))
    return ", ".join(parts)


def plural(number: int, word: str) -> str:
    """Count something."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _align(text: str, column: Column, width: int) -> str:
    return text.rjust(width) if column.kind in {"size", "number"} else text.ljust(width)


def _side(column: Column) -> str:
    side = "right" if column.kind in {"size", "number"} else "left"
    return f" style='text-align:{side}'"
