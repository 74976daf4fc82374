"""kill -9 in the middle of a restore: at start, and into the project directory."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from oracle import Restic, tree_of

from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.faults]

START = """
import sys
from pathlib import Path
from jupyter_storage.snapshots.workspace import Workspace
workspace = Workspace(project=Path(sys.argv[1]), workspace="w1", uri=sys.argv[3], options={},
    fallback_uri=None, state=Path(sys.argv[2]), interval=0.2,
    listener=lambda status: print(status.state, flush=True))
print("begins", flush=True)
workspace.start()
sys.stdin.read()
"""

REWIND = """
import sys
from pathlib import Path
from jupyter_storage.records import ConflictPolicy
from jupyter_storage.snapshots.workspace import Workspace
workspace = Workspace(project=Path(sys.argv[1]), workspace="w1", uri=sys.argv[3], options={},
    fallback_uri=None, state=Path(sys.argv[2]))
workspace.restore(sys.argv[4], workspace.project, policy=ConflictPolicy.OVERWRITE, exact=True,
    saved=lambda record: print("saved", record.id, flush=True))
"""


@pytest.fixture(params=["directory", "s3"])
def uri(request, tmp_path):
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3_bucket')}/org/cloud/workspaces/w1"
    return f"file://{tmp_path}/bucket/w1"


@pytest.fixture
def make(uri, tmp_path):
    def make(project, state):
        return Workspace(
            project=project, workspace="w1", uri=uri, options={}, fallback_uri=None, state=state
        )

    yield make
    variables = make(tmp_path / "x", tmp_path / "y").environment()
    Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables).check()


def killed(script, *words, cwd, after, wait):
    """Run a script, and kill it so many seconds after it said a word; what it said before."""
    child = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=cwd,
        text=True,
        env={**os.environ},
    )
    said = ""
    for line in child.stdout:
        said += line
        if line.startswith(after):
            break
    time.sleep(wait)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    return said


def fill(project):
    for number in range(200):
        directory = project / f"directory{number % 7}"
        directory.mkdir(exist_ok=True)
        (directory / f"file{number}").write_bytes(os.urandom(20_000))
    (project / "notebook.ipynb").write_text("{}")


def test_a_start_that_is_killed_and_killed_again_ends_with_everything(make, project, uri, tmp_path):
    fill(project)
    first = make(project, tmp_path / "state").now()
    there, state = tmp_path / "there", tmp_path / "state2"
    there.mkdir()
    for _ in range(6):
        killed(
            START, there, state, uri, cwd=tmp_path, after="restoring", wait=random.uniform(0, 0.6)
        )
        # Half of it is never a version.
        assert {record.files for record in make(project, tmp_path / "state").list()} == {201}
        if not list(there.glob(".~jupyter_storage-restoring")):
            break
    workspace = make(there, state)
    workspace.start()
    end = time.monotonic() + 60
    while workspace.status().state != "ok":
        assert time.monotonic() < end, workspace.status()
        time.sleep(0.1)
    workspace.stop()
    assert {k: v[3] for k, v in tree_of(there).items()} == {
        k: v[3] for k, v in tree_of(project).items()
    }
    assert first.id in {record.id for record in workspace.list()}


def test_a_restore_in_place_that_is_killed_can_be_undone_and_done_again(
    make, project, uri, tmp_path
):
    workspace = make(project, tmp_path / "state")
    fill(project)
    first = workspace.now()
    old = tree_of(project)
    for number in range(100):
        (project / f"directory{number % 7}" / f"file{number}").write_bytes(os.urandom(20_000))
        (project / f"new{number}").write_text("new")
    new = tree_of(project)
    for _ in range(4):
        said = killed(
            REWIND,
            *(project, tmp_path / "state", uri, first.id),
            cwd=tmp_path,
            after="saved",
            wait=random.uniform(0, 0.5),
        )
        saved = said.split()[1]
        for path in project.rglob("file*"):
            # Each file is the old one or the new one.
            key = os.fsencode(path.relative_to(project))
            assert path.read_bytes() in {old[key][3], new[key][3]}
        undone = workspace.restore(saved, project, policy=ConflictPolicy.OVERWRITE, exact=True)
        assert undone.failures == ()
        # Nothing that was under way is left behind either.
        assert tree_of(project) == new
    done = workspace.restore(first.id, project, policy=ConflictPolicy.OVERWRITE, exact=True)
    assert done.failures == ()
    assert tree_of(project) == old
