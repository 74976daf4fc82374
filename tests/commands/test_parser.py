from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta, timezone

import pytest

from jupyter_storage.commands.command import age, expiry, size
from jupyter_storage.commands.parser import NAMES, HelpShown, command, parse, parser_of
from jupyter_storage.commands.session import split_options


@pytest.mark.parametrize("name", NAMES)
def test_help_teaches_by_examples(name, capsys):
    for program in ("jupyter storage", "%storage"):
        with pytest.raises(HelpShown):
            parse([*name.split(), "--help"], program=program)
        text = capsys.readouterr().out
        assert f"usage: {program} {name}" in text
        assert "examples:" in text
        assert "--json" in text


@pytest.mark.parametrize("name", NAMES)
def test_examples_can_be_typed_as_they_are(name):
    for words, _ in command(name).examples:
        evaluated = re.search(r"\$\(jupyter storage ([^)]*)\)", words)
        typed = shlex.split(evaluated[1] if evaluated else re.split(r" [<>] ", words)[0])
        assert parse(typed, program="%storage").command.name == name


def test_every_command_is_in_the_help(capsys):
    with pytest.raises(HelpShown):
        parse([], program="jupyter storage")
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in NAMES)
    assert all(command(name).summary in text for name in NAMES)


def test_general_options_may_stand_first():
    arguments = parse(["-q", "ls", "x"], program="").arguments
    assert arguments.quiet
    assert not arguments.debug


def test_options_of_the_configuration_may_stand_anywhere_but_after_two_dashes():
    words, options = split_options(["ls", "--JupyterStorage.root=/x", "--", "--JupyterStorage.a=1"])
    assert words == ["ls", "--", "--JupyterStorage.a=1"]
    assert [*options.JupyterStorage] == ["root"]


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("10", 10),
        ("1kB", 1000),
        ("1.5G", 1_500_000_000),
        ("64MiB", 64 * 2**20),
        ("2 TB", 2 * 10**12),
    ],
)
def test_sizes_are_decimal_unless_they_say_binary(text, bytes_):
    assert size(text) == bytes_


def test_ages_and_dates_are_moments():
    now = datetime.now(timezone.utc)
    assert abs(age("2h") - (now - timedelta(hours=2))) < timedelta(seconds=5)
    assert age("2026-11-01T00:00:00Z") == datetime(2026, 11, 1, tzinfo=timezone.utc)
    assert expiry("7d") == 7 * 86400


def test_no_two_options_of_a_command_clash():
    for name in NAMES:
        parser_of(command(name), "")
