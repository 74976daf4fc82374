"""What is uploaded to a storage: local files, without what an ignore file names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from jupyter_storage.errors import StorageError
from jupyter_storage.paths import join
from jupyter_storage.records import Entry
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.places import Place

__all__ = ["IGNORE_FILES", "sources_of"]

IGNORE_FILES = (".skyignore", ".storageignore")
"""Read at the root of a source, in git's syntax."""


class _Source(LocalStore):
    """A directory without what its ignore files name."""

    def __init__(self, root: Path, base: str) -> None:
        super().__init__(root)
        self._base = base
        lines = [line for name in IGNORE_FILES for line in _lines(self.root / base / name)]
        self._rules = GitIgnoreSpec.from_lines(lines) if lines else None

    def walk(
        self, key: str = "", *, on_error: Callable[[StorageError], None] | None = None
    ) -> Iterator[Entry]:
        for entry in super().walk(key, on_error=on_error):
            if not self._is_ignored(entry):
                yield entry

    def _is_ignored(self, entry: Entry) -> bool:
        if self._rules is None:
            return False
        relative = entry.path[len(self._base) :].lstrip("/")
        return self._rules.match_file(relative + "/" if entry.is_directory else relative)


def sources_of(paths: Sequence[str], *, listed: bool) -> list[Place]:
    """Say where the sources of a storage are.

    Parameters
    ----------
    paths : sequence of str
        As they were written.
    listed : bool
        Whether they are a list: then each lands under its own name, else the one directory's
        content lands at the root.
    """
    places = []
    for path in paths:
        local = Path(path).expanduser().absolute()
        if listed:
            # A link that is named is followed, as in a copy.
            base = local.name
            store = _Source(local.parent, base)
            places.append(Place(store, base, join(str(local.parent).rstrip("/"), "") + "/"))
        else:
            places.append(Place(_Source(local, ""), "", f"{local}/"))
    return places


def _lines(path: Path) -> list[str]:
    """Read a file of rules; one that cannot be read leaves nothing out."""
    try:
        return path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
