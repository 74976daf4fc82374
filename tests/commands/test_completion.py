from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from jupyter_storage.commands import completion
from jupyter_storage.commands.completion import candidates, escape, last_word, split
from jupyter_storage.commands.session import Session


@pytest.fixture
def session(directory):
    session = Session()
    shared = session.service().local_path("shared:")
    (shared / "runs").mkdir(parents=True)
    (shared / "run log.txt").touch()
    (directory / "local.txt").touch()
    yield session
    session.close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ti"], ["tiers "]),
        (["snapshot", "re"], ["restore "]),
        (["ls", "sha"], ["shared:"]),
        (["ls", "shared:"], ["shared:runs/", "shared:run log.txt "]),
        (["ls", "lo"], ["local:", "local.txt "]),
        (["cp", "shared:ru", "local:"], []),
        (["cp", "--ski"], ["--skip "]),
        (["ls", "--sort", "s"], ["size "]),
        (["tiers", "art"], ["artifacts "]),
        (["completion", "z"], ["zsh "]),
        (["nosuch", "x"], []),
        (["ls", "nosuch:x"], []),
        (["ls", "shared:../"], []),
        (["--JupyterStorage.root=/x", "-q", "st"], ["stat "]),
    ],
)
def test_what_may_stand_at_the_cursor(session, words, expected):
    assert candidates(words, session) == expected


def test_a_store_that_hangs_gives_nothing_in_time(session, monkeypatch):
    monkeypatch.setattr(completion, "LIMIT", 0.2)
    monkeypatch.setattr(session, "service", lambda *_: time.sleep(1))
    begun = time.monotonic()
    assert candidates(["ls", "shared:"], session) == []
    assert time.monotonic() - begun < 0.9


@pytest.mark.parametrize("word", ["a b", "it's", 'say "x"', "a\\b", "$HOME", "a;b", "ü (1).txt"])
def test_what_is_escaped_is_read_back(word):
    assert split(f"ls {escape(word)}") == ["ls", word]
    assert last_word(f"ls {escape(word)}") == escape(word)


@pytest.fixture
def script(directory, tmp_path):
    """A bash with the command on its path and the script evaluated."""
    tools = tmp_path / "bin"
    tools.mkdir()
    tool = tools / "jupyter-storage"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m jupyter_storage.cli "$@"\n')
    tool.chmod(0o755)

    def complete(line):
        code = (
            'eval "$(jupyter-storage completion bash)"; COMP_LINE=$1; COMP_POINT=${#1}; '
            '_jupyter_storage; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            [shutil.which("bash"), "-c", code, "bash", line],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_both_spellings(script, session):
    assert script("jupyter-storage ti") == ["tiers "]
    assert script("jupyter storage ti") == ["tiers "]
    # Bash has broken the word at the colon, and gets what comes after it.
    assert script("jupyter storage ls shared:r") == ["runs/", "run\\ log.txt "]
    assert script("jupyter lab ") == [""]


def test_every_shell_has_a_script(call):
    for shell in ("bash", "zsh", "fish"):
        assert "jupyter-storage __complete" in call("completion", shell).out
    assert call("completion", "tcsh").status == 2
