"""Stock restic, and what counts about a directory."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from functools import lru_cache
from pathlib import Path

PASSWORD = "correct horse"

# What tests/install-peers.sh brings. The home of a test is another one.
_PEERS = Path.home() / ".cache/jupyter-storage-peers"


@lru_cache
def programs() -> dict[str, str]:
    """All versions of restic at hand, with their paths; RESTIC=/path:/path names others."""
    named = os.environ.get("RESTIC")
    paths = named.split(":") if named else ["restic", *map(str, sorted(_PEERS.glob("restic-*")))]
    found: dict[str, str] = {}
    for path in filter(shutil.which, paths):
        done = subprocess.run([path, "version"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.setdefault(done.stdout.split()[1], path)
        elif named:
            raise AssertionError(f"{path}: {done.stderr}")
    return found


class Restic:
    """Stock restic on one repository: the first version at hand, and all of them to check."""

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

    def __call__(self, *words: object, version: str = "") -> str:
        output, error = self._output(self._begin(version, words))
        assert not error, output
        return output

    def check(self) -> None:
        # One looks for locks as well.
        words = ["check", "--read-data", "--no-cache"]
        versions = list(programs())
        running = [self._begin(versions[0], words)]
        running += [self._begin(each, [*words, "--no-lock"]) for each in versions[1:]]
        self.end_check(running)

    def begin_check(self) -> list[subprocess.Popen]:
        """As ``check``, but without a look at locks, which takes a fifth of a second."""
        words = ["check", "--read-data", "--no-cache", "--no-lock"]
        return [self._begin(version, words) for version in programs()]

    def end_check(self, running: list[subprocess.Popen]) -> None:
        outputs = [self._output(each) for each in running]
        for (output, error), version in zip(outputs, programs(), strict=True):
            assert not error, f"restic {version}: {output}"
            assert "no errors were found" in output, f"restic {version}: {output}"

    def _begin(self, version: str, words) -> subprocess.Popen:
        found = programs()
        return subprocess.Popen(
            [found[version or next(iter(found))], *map(str, words)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )

    def _output(self, process: subprocess.Popen) -> tuple[str, bool]:
        """What a program said; all of it where it failed."""
        try:
            output, complaint = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return (output + complaint, True) if process.returncode else (output, False)


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
