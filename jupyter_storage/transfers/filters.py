"""Which files a transfer is about, in git's syntax."""

from __future__ import annotations

from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.records import Entry

__all__ = ["Filter"]


class Filter:
    """Chooses files by their paths below the directory that is transferred.

    Parameters
    ----------
    includes : sequence of str
        Patterns; where there are some, a file must match one of them.
    excludes : sequence of str
        Patterns; what matches one, or lies in a directory that does, is left alone.

    Raises
    ------
    InvalidRequest
        For a pattern that is none.
    """

    def __init__(self, includes: Sequence[str] = (), excludes: Sequence[str] = ()) -> None:
        for pattern in (*includes, *excludes):
            if pattern.startswith("!"):
                raise InvalidRequest(
                    f"The pattern '{pattern}' begins with '!', which has no meaning here",
                    hint="Use --include and --exclude.",
                )
        try:
            self._includes = GitIgnoreSpec.from_lines(includes) if includes else None
            self._excludes = GitIgnoreSpec.from_lines(excludes) if excludes else None
        except ValueError as error:
            raise InvalidRequest(
                f"A pattern cannot be understood: {error}",
                hint="Write '*.csv', '/data/**' or 'cache/', as in .gitignore.",
            ) from error

    def wants(self, name: str, entry: Entry) -> bool:
        """Whether a file or directory is chosen.

        Parameters
        ----------
        name : str
            Its path below the directory that is transferred.
        entry : Entry
        """
        if entry.type == "directory":
            # With patterns of files to include, directories come into being with these.
            if self._includes is not None:
                return False
            name += "/"
        if self._excludes is not None and self._excludes.match_file(name):
            return False
        return self._includes is None or self._includes.match_file(name)
