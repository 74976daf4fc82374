"""What snapshots hold: snapshot show, diff, versions, cat."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import Column, human_size
from jupyter_storage.commands.results import Outcome, Record, Stream, Table, Text
from jupyter_storage.errors import InvalidPath, InvalidRequest
from jupyter_storage.records import CellDifference, Comparison, Entry, FileComparison

if TYPE_CHECKING:
    from jupyter_storage.service import Service

__all__ = ["COMMANDS", "project_key"]

SHOWN = 4 * 2**20  # bytes of a file that a notebook shows
LISTED = 5000

NOW = "now"
"""In place of a snapshot: the file as it is now."""

ENTRY_COLUMNS = (
    Column("type", "type"),
    Column("size", "size", "size"),
    Column("modified", "modified", "time"),
    Column("path", "path"),
)
VERSION_COLUMNS = (
    Column("short", "id"),
    Column("modified", "modified", "time"),
    Column("size", "size", "size"),
    Column("first", "first in", "time"),
    Column("last", "last in", "time"),
    Column("count", "snapshots", "number"),
    Column("now", ""),
)
_SIGNS = {"added": "+", "removed": "-", "changed": "M", "type": "T", "attributes": "U"}


def project_key(path: str, service: Service) -> str:
    """Read a path as a person types it, and give it relative to the project directory.

    In the project directory and below, it is relative to the current directory; elsewhere to the
    project directory.

    Raises
    ------
    InvalidPath
        If it lies outside of the project directory.
    """
    project = service.settings.project.resolve()
    here = Path.cwd().resolve()
    typed = Path(path).expanduser()
    inside = here == project or project in here.parents
    # Not resolved: the last part may be a link, or there no more.
    whole = _normal((here if inside else project) / typed)
    if whole == project:
        return ""
    if project not in whole.parents:
        raise InvalidPath(
            "It lies outside of the project directory",
            path=path,
            hint=f"The project directory is {project}; name another with --project.",
        )
    return str(whole.relative_to(project))


def _normal(path: Path) -> Path:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        else:
            parts.append(part)
    return Path(*parts)


def _project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="project directory; default: the Jupyter server's root directory, or in a shell of "
        "your own the current directory",
    )


def _configure_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", metavar="ID", help="ID, its beginning, 'latest', or a time")
    parser.add_argument("path", nargs="?", default="", metavar="PATH", help="file or directory")
    _project(parser)


def _show(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    history = service.history
    found = service.snapshots.find(arguments.snapshot).id
    key = project_key(arguments.path, service) if arguments.path else ""
    entry = history.stat(found, key)
    if not entry.is_directory:
        return Outcome(Record(entry))

    def entries() -> Iterator[Entry]:
        cursor = None
        while True:
            page = history.list(found, key, cursor=cursor)
            yield from page.entries
            if (cursor := page.cursor) is None:
                return

    return Outcome(Stream(entries(), ENTRY_COLUMNS))


def _configure_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "before", nargs="?", default="latest", metavar="A", help="a snapshot; default: latest"
    )
    parser.add_argument(
        "after",
        nargs="?",
        metavar="B",
        help="a later one, or 'now' for one file; without it, what A changed",
    )
    parser.add_argument("path", nargs="?", default="", metavar="PATH", help="only this")
    _project(parser)


def _diff(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    history = service.history
    key = project_key(arguments.path, service) if arguments.path else ""
    before, after = arguments.before, arguments.after
    if after is None:
        comparison = history.compare(before, path=key, limit=LISTED)
        return Outcome(Record(comparison, text=_changes(comparison)))
    if key and not history.stat(before, key).is_directory:
        found = history.compare_file(before, key, None if after == NOW else after)
        return Outcome(Record(found, text=_differences(found)))
    if after == NOW:
        raise refuse(
            "Only one file can be compared with what is there now",
            "Take a snapshot, and compare with 'latest'.",
        )
    comparison = history.compare(after, before, key, limit=LISTED)
    return Outcome(Record(comparison, text=_changes(comparison)))


def _changes(comparison: Comparison) -> str:
    lines = [
        f"{_SIGNS[each.change]}  {each.path}{'/' if each.type == 'directory' else ''}"
        for each in comparison.entries
    ]
    if not comparison.complete:
        lines.append("…")
    counts = [
        f"{number:,} {word}"
        for number, word in (
            (comparison.added, "added"),
            (comparison.removed, "removed"),
            (comparison.changed, "changed"),
        )
        if number
    ]
    sizes = f"+{human_size(comparison.bytes_added)}, -{human_size(comparison.bytes_removed)}"
    lines.append(f"{', '.join(counts)}; {sizes}" if counts else "No file differs.")
    return "\n".join(lines)


def _differences(found: FileComparison) -> str:
    if found.kind == "text":
        return found.diff
    if found.kind == "notebook":
        cells = [_cell(each) for each in found.cells if each.change != "same"]
        if found.metadata_changed:
            cells.append("The notebook's metadata differ.")
        return "\n".join(cells) or "No cell differs."
    return {
        "same": "The two are the same.",
        "binary": "They differ, and are no text.",
        "large": "They are too large to be compared.",
        "missing": "The file is not there any more.",
    }[found.kind]


def _cell(cell: CellDifference) -> str:
    name = f"cell {cell.before or '-'} → {cell.after or '-'}  {cell.cell_type}  {cell.change}"
    if cell.id:
        name += f"  (id {cell.id})"
    parts = [f"## {name}"]
    if cell.change in {"added", "removed"}:
        sign = _SIGNS[cell.change]
        parts += [f"{sign}{line}" for line in cell.source.splitlines()]
    elif cell.source_changed:
        parts.append(cell.source)
    if cell.outputs_changed:
        parts.append("outputs differ")
    if cell.metadata_changed:
        parts.append("metadata differ")
    return "\n".join(parts)


def _configure_versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a file of the project directory")
    _project(parser)


def _versions(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    versions = service.history.versions(project_key(arguments.path, service))
    rows = [
        {
            **{name: getattr(each, name) for name in each.__dataclass_fields__},
            "short": each.snapshot[:8],
            "count": len(each.snapshots),
            "now": "as it is now" if each.current else "",
        }
        for each in versions
    ]
    return Outcome(Table([Record(row) for row in rows], VERSION_COLUMNS))


def _configure_cat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", metavar="ID", help="ID, its beginning, 'latest', or a time")
    parser.add_argument("path", metavar="PATH", help="a file in it")
    _project(parser)


def _cat(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    key = project_key(arguments.path, service)
    pieces = service.history.open(arguments.snapshot, key)
    output = None if arguments.json else context.face.output()
    if output is None:
        data = b""
        for piece in pieces:
            data += piece
            if len(data) > SHOWN:
                raise InvalidRequest(
                    f"There are more than {human_size(SHOWN)} to show",
                    path=arguments.path,
                    hint="Restore the file, or write it to one in a shell: "
                    "jupyter storage snapshot cat ID PATH > FILE.",
                )
        text = data.decode("utf-8", "replace")
        return Outcome(Text(text, {"path": key, "content": text}))
    for piece in pieces:
        output.write(piece)
    output.flush()
    return Outcome(None)


COMMANDS = (
    Command(
        "snapshot show",
        "List what a snapshot holds",
        (
            ("snapshot show latest", "the project directory as it was"),
            ("snapshot show 1a2b3c4d data", "a directory in it"),
        ),
        _configure_show,
        _show,
        "",
        "In the project directory and below, PATH is relative to where you are.",
    ),
    Command(
        "snapshot diff",
        "Say what changed from one snapshot to another",
        (
            ("snapshot diff", "what the newest one changed"),
            ("snapshot diff 1a2b3c4d latest", "everything since that one"),
            ("snapshot diff 1a2b3c4d latest notebook.ipynb", "one file, notebooks by cells"),
            ("snapshot diff 1a2b3c4d now train.py", "against the file as it is now"),
        ),
        _configure_diff,
        _diff,
        "",
        "+ added, - removed, M changed, T became something else, U permissions or owner only.",
    ),
    Command(
        "snapshot versions",
        "List the versions of a file, newest first",
        (("snapshot versions notebook.ipynb", "when it changed, and where each version is"),),
        _configure_versions,
        _versions,
        "file",
    ),
    Command(
        "snapshot cat",
        "Print a file as it was",
        (
            ("snapshot cat latest notes.md", "to standard output"),
            ("snapshot cat 1a2b3c4d train.py > old.py", "into another file"),
        ),
        _configure_cat,
        _cat,
    ),
)
