"""What restores that died left under way goes; what lives is left alone."""

import subprocess
import sys

from jupyter_storage.snapshots.leftovers import noted, sweep

# Begins a file in a directory, says so, and waits: to be killed, or to be told to end.
RESTORE = """
import sys
from pathlib import Path
from jupyter_storage.snapshots.fill import RUN, UNDER_WAY
from jupyter_storage.snapshots.leftovers import noted
with noted(Path(sys.argv[1]), Path(sys.argv[2])):
    Path(sys.argv[2], "inner", f"{UNDER_WAY}{RUN}-1").touch()
    print("begun", flush=True)
    sys.stdin.read()
"""


def begin(notes, target):
    process = subprocess.Popen(
        [sys.executable, "-c", RESTORE, str(notes), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    return process


def end(process):
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_only_what_a_dead_process_left_is_removed(tmp_path):
    notes, target = tmp_path / "notes", tmp_path / "target"
    (target / "inner").mkdir(parents=True)
    (target / "inner/.~jupyter_storage-restored-of-somebody-else").touch()
    (target / "inner/mine").touch()
    dead, alive = begin(notes, target), begin(notes, target)
    assert len(list((target / "inner").iterdir())) == 4
    dead.kill()
    end(dead)
    sweep(notes)
    assert len(list((target / "inner").iterdir())) == 3
    assert len(list(notes.iterdir())) == 1
    end(alive)
    assert list(notes.iterdir()) == []


def test_a_target_that_is_gone_is_no_matter(tmp_path):
    sweep(tmp_path / "no-notes-yet")
    notes = tmp_path / "notes"
    with noted(notes, tmp_path / "gone"):
        sweep(notes)
        assert len(list(notes.iterdir())) == 1
    process = begin(notes, make(tmp_path / "target"))
    process.kill()
    end(process)
    (tmp_path / "target").rename(tmp_path / "elsewhere")
    sweep(notes)
    assert list(notes.iterdir()) == []


def make(target):
    (target / "inner").mkdir(parents=True)
    return target
