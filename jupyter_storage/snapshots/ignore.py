"""What snapshots leave out, in git's syntax.

``.gitignore`` (unless turned off), ``.storageignore`` and ``.anyscaleignore`` are read in every
directory. As in git, a deeper file decides before one above it, a later line before an earlier
one, and nothing inside an ignored directory can be brought back. In one directory, the files
count as one, in the order above.

``.gitignore`` says what git leaves out, so it counts where git is used: in a directory with a
``.git``, and below. An unpacked source archive has the file too, and with it everything that the
file names; nothing else would bring that back.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Container, Iterable
from pathlib import Path

from jupyter_storage.paths import is_temporary

__all__ = ["GIT", "NAMES", "Rules"]

GIT = ".git"
NAMES = (".gitignore", ".storageignore", ".anyscaleignore")
"""Names of the files that hold rules, weakest first."""


class Rules:
    """The rules that hold in one directory: its own, and those of the directories above.

    Begin with :meth:`of_project`, and go down with :meth:`enter`.

    Attributes
    ----------
    digest : bytes
        Of all that they say.
    """

    def __init__(
        self,
        base: str,
        lines: Iterable[str],
        above: Rules | None,
        *,
        gitignore: bool,
        worktree: bool,
    ):
        self._base = base
        self._above = above
        self._gitignore, self._worktree = gitignore, worktree
        lines = list(lines)
        told = (above.digest if above else b"", base, lines, gitignore, worktree)
        self.digest: bytes = hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).digest()
        self._patterns = _patterns(lines) if lines else []
        texts = [regex.pattern for regex, _ in self._patterns]
        # One look at all patterns at once settles it for the many files that match none.
        joined = "|".join(f"(?:{re.sub(r'[?]P<[a-z_]+>', '?:', text)})" for text in texts)
        self._any = re.compile(joined) if texts else None

    @classmethod
    def of_project(cls, project: Path, *, gitignore: bool, apart: Collection[str] = ()) -> Rules:
        """Rules above the project directory: none, but it may lie in a work tree of git.

        Parameters
        ----------
        project : Path
            Resolved.
        gitignore : bool
            Whether ``.gitignore`` files count in work trees.
        apart : collection of str
            What else is left out, by whoever asks: for the digest alone.
        """
        worktree = any(os.path.lexists(above / GIT) for above in project.parents)
        rules = cls("", (), None, gitignore=gitignore, worktree=worktree)
        told = repr((rules.digest, sorted(apart)))
        rules.digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()
        return rules

    def enter(self, base: str, directory: str, names: Container[str] | None = None) -> Rules:
        """Rules of a directory in this one, or of the project directory itself.

        Parameters
        ----------
        base : str
            Its path below the project directory, with a trailing slash; empty for the project.
        directory : str
            Where it is.
        names : container of str, optional
            What is in it, if that is known.
        """

        def holds(name: str) -> bool:
            return os.path.lexists(f"{directory}/{name}") if names is None else name in names

        worktree = self._worktree or holds(GIT)
        read = NAMES if worktree and self._gitignore else NAMES[1:]
        lines = [line for name in read if holds(name) for line in _lines(directory, name)]
        if not lines and worktree == self._worktree:
            return self
        return Rules(base, lines, self, gitignore=self._gitignore, worktree=worktree)

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
                for regex, include in reversed(rules._patterns):
                    if _is_whole(regex.match(here)):
                        return bool(include)
            rules = rules._above
        return False


def _patterns(lines: Iterable[str]) -> list[tuple[re.Pattern[str], bool]]:
    # Where nothing is left out, its import would be a tenth of the worker's start.
    from pathspec import GitIgnoreSpec

    return [
        (pattern.regex, pattern.include)
        for pattern in GitIgnoreSpec.from_lines(map(_unambiguous, lines)).patterns
        if pattern.include is not None and pattern.regex is not None
    ]


def _is_whole(match: re.Match[str] | None) -> bool:
    """Whether a pattern means this path, not only a directory above it.

    The patterns also match whatever lies below a directory that they match. The walk has decided on
    the directories already, and in git what was said of one says nothing of what is in it.
    """
    if match is None:
        return False
    directory = match.end("ps_d") if "ps_d" in match.re.groupindex else -1
    end: int = match.end() if directory < 0 else directory
    return end == len(match.string)


def _unambiguous(line: str) -> str:
    """Write a rule such that its pattern ends where the path does."""
    text = line.rstrip("\r\n")
    # In git 'a/**' is what lies in 'a', not 'a' itself: '!a/keep' below it must still work.
    if text.endswith("/**"):
        text += "/*"
    # Patterns for these alone are cut short; a name has at least one character anyway.
    return {"*": "?*", "!*": "!?*", "*/": "?*/", "!*/": "!?*/"}.get(text.rstrip(" "), text)


def _lines(directory: str, name: str) -> list[str]:
    """Read a file of rules; one that cannot be read leaves nothing out."""
    try:
        return Path(directory, name).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
