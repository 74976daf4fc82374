"""Stock restic, and what counts about a directory."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

PASSWORD = "correct horse"

# Another version of it: RESTIC=/path/to/restic.
PROGRAM = os.environ.get("RESTIC", "restic")


class Restic:
    """Stock restic on one repository."""

    def __init__(self, repository: str, directory: Path, password: str = PASSWORD, **environment):
        self._environment = {
            **os.environ,
            "RESTIC_REPOSITORY": repository,
            "RESTIC_PASSWORD": password,
            "RESTIC_CACHE_DIR": str(directory / "restic-cache"),
            "TMPDIR": str(directory),
            **environment,
        }
        for name in environment:
            if name == "RESTIC_PASSWORD_FILE":
                del self._environment["RESTIC_PASSWORD"]
        (directory / "restic-cache").mkdir(exist_ok=True)

    def __call__(self, *words: object) -> str:
        done = subprocess.run(
            [PROGRAM, *map(str, words)],
            env=self._environment,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def check(self) -> None:
        assert "no errors were found" in self("check", "--read-data")


def tree_of(root: Path) -> dict[str, tuple]:
    """Everything that counts about a directory, to be compared."""
    found = {}
    for directory, names, files in os.walk(os.fsencode(root)):
        for name in [*names, *files]:
            path = directory + b"/" + name
            status = os.lstat(path)
            content = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            found[os.path.relpath(path, os.fsencode(root))] = (
                status.st_mode,
                status.st_mtime_ns,
                status.st_nlink if content is not None else None,
                content,
            )
    return found
