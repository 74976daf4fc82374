"""What commands give back: values that print in a shell, show in a notebook and work in code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jupyter_storage.commands import rendering
from jupyter_storage.errors import Unsupported
from jupyter_storage.records import Failure, to_wire

__all__ = ["Outcome", "Record", "Stream", "Table", "Text"]


class Record(Mapping[str, Any]):
    """One record, whose fields are attributes and items alike.

    Parameters
    ----------
    source : dataclass instance or mapping
    text : str, optional
        How it prints; a list of its fields unless told.
    """

    __slots__ = ("_source", "_text")

    def __init__(self, source: Any, *, text: str | None = None) -> None:
        self._source = source
        self._text = text

    def __getitem__(self, name: str) -> Any:
        source = self._source
        fields = getattr(source, "__dataclass_fields__", None)
        if fields is None:
            return _wrap(source[name])
        if name not in fields:
            raise KeyError(name)
        value = getattr(source, name)
        return value if value is None or type(value) is str else _wrap(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"There is no field '{name}', only {', '.join(self)}") from None

    def __contains__(self, name: object) -> bool:
        if isinstance(self._source, Mapping):
            return name in self._source
        return name in self._source.__dataclass_fields__

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._source, Mapping):
            return iter(self._source)
        return iter(self._source.__dataclass_fields__)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __str__(self) -> str:
        return rendering.fields_text(self) if self._text is None else self._text

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}={self[name]!r}' for name in self)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        if self._text is not None:
            return rendering.text_html(self._text)
        return rendering.fields_html(self)

    @property
    def is_sentence(self) -> bool:
        """Whether it prints as a sentence about what was done, which --quiet leaves out."""
        return self._text is not None

    def wire(self) -> Any:
        """Give what ``--json`` prints."""
        return to_wire(self._source)


class Table(list[Record]):
    """A list of records that shows as a table.

    Parameters
    ----------
    records : iterable of Record
    columns : sequence of rendering.Column
        What people see; the records may hold more.
    layout : callable, optional
        How it prints where that is not as a table.
    """

    def __init__(
        self,
        records: Iterable[Record],
        columns: tuple[rendering.Column, ...],
        *,
        layout: Callable[[Table], str] | None = None,
    ) -> None:
        super().__init__(records)
        self.columns = columns
        self._layout = layout

    def __str__(self) -> str:
        if self._layout is not None:
            return self._layout(self)
        return rendering.table_text(self, self.columns)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return rendering.table_html(self, self.columns)

    def wire(self) -> Any:
        """Give what ``--json`` prints."""
        return [record.wire() for record in self]

    def to_dataframe(self) -> Any:
        """Give a pandas DataFrame, a row for each record.

        Raises
        ------
        Unsupported
            Where pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise Unsupported(
                "pandas is not installed", hint="Install it: pip install pandas."
            ) from None
        return pandas.DataFrame([dict(record) for record in self])


@dataclass(frozen=True)
class Stream:
    """Records that come one after the other, however many they are.

    Attributes
    ----------
    rows : iterator
        Of dataclass instances or mappings.
    columns : tuple of rendering.Column
    line : callable, optional
        Writes one of the rows for a shell; as a row of a table unless given.
    """

    rows: Iterator[Any]
    columns: tuple[rendering.Column, ...]
    line: Callable[[Any], str] | None = None

    def records(self) -> Iterator[Record]:
        """Yield the records as they come."""
        return (Record(row) for row in self.rows)

    def table(self) -> Table:
        """Wait for all of them."""
        return Table(self.records(), self.columns)


class Text(str):
    """Text that shows as it is.

    Parameters
    ----------
    text : str
    wire : Any
        What ``--json`` prints.
    """

    _wire: Any

    def __new__(cls, text: str, wire: Any) -> Text:
        self = super().__new__(cls, text)
        self._wire = wire
        return self

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def wire(self) -> Any:
        """Give what ``--json`` prints."""
        return to_wire(self._wire)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    value : Table, Stream, Record, Text or None
        None where a command wrote its output itself.
    status : int
        Exit status.
    failures : tuple of Failure
        What was not done; ``failure_count`` is the true number where only some are listed.
    notes : tuple of Failure
        What was passed over without being a failure.
    """

    value: Table | Stream | Record | Text | None
    status: int = 0
    failures: tuple[Failure, ...] = ()
    failure_count: int = 0
    notes: tuple[Failure, ...] = ()


def to_json(value: Any) -> str:
    """Write one JSON document; plain ASCII, so that no name can break the output's encoding."""
    return json.dumps(value, indent=2)


def _wrap(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_wrap(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return Record(value)
    return value
