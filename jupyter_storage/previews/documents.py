"""JSON and notebooks, read whole where they are small."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_storage.previews.texts import safe
from jupyter_storage.records import PreviewCell

__all__ = ["CELLS", "indented", "notebook_cells"]

CELLS = 40
_LONGEST = 4000  # characters of a cell


def indented(text: str) -> str | None:
    """Write JSON with a line for each member; None for what is no JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def notebook_cells(text: str) -> tuple[PreviewCell, ...] | None:
    """Read all cells of a notebook, without outputs; None for what is no notebook."""
    try:
        notebook = json.loads(text)
        cells = notebook["cells"] if "cells" in notebook else _of_version_3(notebook)
        return tuple(_cell(item) for item in cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _of_version_3(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for sheet in notebook["worksheets"] for item in sheet["cells"]]


def _cell(item: Mapping[str, Any]) -> PreviewCell:
    source = item.get("source", item.get("input", ""))
    text = source if isinstance(source, str) else "".join(source)
    cut = "…" if len(text) > _LONGEST else ""
    return PreviewCell(safe(str(item["cell_type"])), safe(text[:_LONGEST]) + cut)
