"""Repositories, and stock restic to judge them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.local import LocalStore

PASSWORD = "correct horse"


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
            ["restic", *map(str, words)],
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


@pytest.fixture
def make_restic(tmp_path):
    if not shutil.which("restic"):
        pytest.skip("stock restic is not installed")
    return lambda repository, **more: Restic(str(repository), tmp_path, **more)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "repository")


@pytest.fixture
def restic(make_restic, store):
    """Stock restic; whatever a test wrote is checked when it ends."""
    restic = make_restic(store.root)
    yield restic
    if (store.root / "config").exists():
        restic.check()


@pytest.fixture
def open_repository(store):
    """Open a repository, as a new process would; it is made the first time."""
    opened = []

    def open_repository(password=PASSWORD, store=store, cache=None):
        make = Repository.open if Repository.exists(store) else Repository.create
        opened.append(make(store, password, cache=cache))
        return opened[-1]

    yield open_repository
    for repository in opened:
        repository.close()


@pytest.fixture
def project(tmp_path):
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


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
