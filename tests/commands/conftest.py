from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest


@dataclass
class Run:
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The current directory, empty."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def storage(directory):
    """Run the command as a person does, in a process of its own."""

    def run(*words, stdin=b"", environ=None):
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_storage.cli", *map(str, words)],
            input=stdin,
            capture_output=True,
            env={**os.environ, **(environ or {})},
            check=False,
            timeout=120,
        )
        result = Run(
            done.returncode,
            done.stdout.decode(errors="surrogateescape"),
            done.stderr.decode(errors="surrogateescape"),
        )
        assert "Traceback" not in result.err, result.err
        return result

    return run


@pytest.fixture
def call(directory, capsys, unchanged_process):
    """Run the command in this process: faster, and the same words."""
    from jupyter_storage.cli import main
    from jupyter_storage.commands.session import session

    def run(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err, captured.err
        return Run(status, captured.out, captured.err)

    yield run
    session.close()
