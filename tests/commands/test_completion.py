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
        (["snapshot", "re"], ["restore ", "repair "]),
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
        (["--JupyterStorage.root=/x", "-q", "sta"], ["stat "]),
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
def environ(directory, tmp_path):
    """An environment in which a shell finds the command."""
    tools = tmp_path / "bin"
    tools.mkdir()
    tool = tools / "jupyter-storage"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m jupyter_storage.cli "$@"\n')
    tool.chmod(0o755)
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.fixture
def bash(environ):
    """A bash with the script evaluated."""

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
            env=environ,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_both_spellings(bash, session):
    assert bash("jupyter-storage ti") == ["tiers "]
    assert bash("jupyter storage ti") == ["tiers "]
    # Bash has broken the word at the colon, and gets what comes after it.
    assert bash("jupyter storage ls shared:r") == ["runs/", "run\\ log.txt "]
    assert bash("jupyter lab ") == [""]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_completes_both_spellings(session, call, tmp_path, environ):
    script = tmp_path / "jupyter-storage.fish"
    script.write_text(call("completion", "fish").out)

    def complete(line):
        code = "source $argv[1]; complete -C $argv[2]"
        done = subprocess.run(
            ["fish", "--no-config", "-c", code, str(script), line],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    assert complete("jupyter-storage ti") == ["tiers"]
    assert complete("jupyter storage ti") == ["tiers"]
    assert sorted(complete("jupyter storage ls shared:r")) == ["shared:run log.txt", "shared:runs/"]


ZSH = """
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source $SCRIPT; print READY'
zpty -r shell seen '*READY*READY*'
zpty -w -n shell "$1"$'\t'
zpty -r shell seen "*$2*" && print FOUND
zpty -d shell
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("jupyter-storage tie", "jupyter-storage tiers"),
        ("jupyter storage tie", "jupyter storage tiers"),
        ("jupyter storage ls shared:runs", "jupyter storage ls shared:runs/"),
    ],
)
def test_zsh_completes_both_spellings(session, call, tmp_path, environ, line, completed):
    script = tmp_path / "completion.zsh"
    script.write_text(call("completion", "zsh").out)
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", line, completed],
        env={**environ, "SCRIPT": str(script)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "FOUND" in done.stdout, done.stdout + done.stderr


def test_only_known_shells_have_a_script(call):
    assert call("completion", "tcsh").status == 2
