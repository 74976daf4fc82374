from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "s3fs",
    "gcsfs",
    "botocore",
    "aiohttp",
    "jupyter_server",
    "IPython",
    "rich",
    "cryptography",
    "obstore",
    "pathspec",
    "tornado",
)
SLOW = (
    "difflib",
    "importlib.metadata",
    "jupyter_storage.records.history",
    "jupyter_storage.records.snapshots",
    "jupyter_storage.transfers.engine",
)
"""Each costs a good part of the time that a command on a directory takes."""


@pytest.mark.parametrize("words", [["--help"], ["ls", "."], ["cp", "a", "b"], ["env"]])
def test_a_local_command_waits_for_no_cloud_library(directory, words):
    (directory / "a").write_text("1")
    code = (
        "import sys; from jupyter_storage.cli import main; "
        f"status = main({words!r}); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[] 0\n"


def test_a_listing_waits_for_nothing_that_it_does_not_need(directory):
    code = (
        "import sys; from jupyter_storage.cli import main; main(['ls', '.']); "
        f"print([name for name in {SLOW!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_module_of_commands_costs_only_itself():
    code = (
        "import sys; import jupyter_storage.commands.parser as p; p.command('ls'); "
        "print([m for m in sys.modules if m.startswith('jupyter_storage.commands.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "diagnosis" not in done.stdout
