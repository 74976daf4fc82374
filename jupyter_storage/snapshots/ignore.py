"""What snapshots leave out, in git's syntax.

``.gitignore`` (unless turned off), ``.storageignore`` and ``.anyscaleignore`` are read in every
directory. As in git, a deeper file decides before one above it, a later line before an earlier
one, and nothing inside an ignored directory can be brought back. In one directory, the files
count as one, in the order above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pathspec import GitIgnoreSpec

from jupyter_storage.paths import is_temporary

__all__ = ["FILES", "GITIGNORE", "Rules", "read_lines"]

GITIGNORE = ".gitignore"
FILES = (GITIGNORE, ".storageignore", ".anyscaleignore")
"""Names of the files that hold rules, weakest first."""


class Rules:
    """The rules that hold in one directory: its own, and those of the directories above.

    Parameters
    ----------
    base : str
        The directory's path below the project directory, with a trailing slash; empty for the
        project directory.
    lines : iterable of str
        Its own rules.
    above : Rules, optional
        Those of the directory above.
    """

    def __init__(self, base: str = "", lines: Iterable[str] = (), above: Rules | None = None):
        self._base = base
        self._above = above
        self._spec = GitIgnoreSpec.from_lines(map(_unambiguous, lines))
        patterns = [
            pattern.regex.pattern
            for pattern in self._spec.patterns
            if pattern.include is not None and pattern.regex is not None
        ]
        # One look at all patterns at once settles it for the many files that match none.
        joined = "|".join(f"(?:{re.sub(r'[?]P<[a-z_]+>', '?:', text)})" for text in patterns)
        self._any = re.compile(joined) if patterns else None

    def within(self, base: str, lines: Iterable[str]) -> Rules:
        """Rules of a directory inside; ``base`` and ``lines`` as above."""
        lines = list(lines)
        return Rules(base, lines, self) if lines else self

    def excludes(self, path: str, *, directory: bool) -> bool:
        """Whether a snapshot leaves something out.

        Parameters
        ----------
        path : str
            Below the project directory, without a trailing slash. The directories above it are
            not left out.
        directory : bool
            Whether it is one.
        """
        if is_temporary(path.rpartition("/")[2]):
            return True
        written = path + "/" if directory else path
        rules: Rules | None = self
        while rules is not None:
            if rules._any is not None and rules._any.match(here := written[len(rules._base) :]):
                include = rules._spec.check_file(here).include
                if include is not None:
                    return include
            rules = rules._above
        return False


def _unambiguous(line: str) -> str:
    # In git 'a/**' is what lies in 'a', not 'a' itself: '!a/keep' below it must still work.
    text = line.rstrip("\r\n")
    return text + "/*" if text.endswith("/**") else text


def read_lines(directory: str, name: str) -> list[str]:
    """Read a file of rules; one that is missing or cannot be read leaves nothing out."""
    try:
        return Path(directory, name).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
