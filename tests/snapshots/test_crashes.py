"""Processes that are killed, and stores that fail now and then. See also ``test_faults``."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from oracle import PASSWORD

from jupyter_storage.errors import Unreachable
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.forwarding import ForwardingStore

pytestmark = pytest.mark.faults


class FlakyStore(ForwardingStore):
    """Fails every other write, before or after it was done."""

    def __init__(self, store):
        super().__init__(store)
        self.count = 0

    def write(self, key, data, **options):
        self.count += 1
        if self.count % 4 == 1:
            raise Unreachable("The connection was cut", path=key)
        entry = self.inner.write(key, data, **options)
        if self.count % 4 == 3:
            raise Unreachable("The answer was lost", path=key)
        return entry


def test_passing_errors_are_tried_again(project, store, open_repository, restic, monkeypatch):
    monkeypatch.setattr("jupyter_storage.snapshots.repository.files._PAUSE", 0.001)
    for number in range(5):
        (project / f"file{number}").write_bytes(os.urandom(10_000))
    open_repository()
    flaky = FlakyStore(store)
    record = capture(Repository.open(flaky, PASSWORD), project)
    assert record.files == 5
    assert flaky.count > 4


@pytest.mark.slow
def test_killed_workers_leave_a_clean_repository(
    project, store, make_restic, tmp_path, crash_cases
):
    restic = make_restic(store.root)
    for number in range(300):
        (project / f"file{number}").write_bytes(os.urandom(20_000))
    (tmp_path / "password").write_text(PASSWORD)
    request = {
        "uri": store.uri,
        "options": {},
        "password_file": str(tmp_path / "password"),
        "state": str(tmp_path / "state"),
        "project": str(project),
        "tags": ["workspace:x"],
        "lineage": ["workspace:x"],
        "excluded": [],
        "gitignore": True,
        "force": True,
        "bandwidth": 0,
        "retention": "all forever",
    }
    (tmp_path / "state").mkdir()

    def work(patience):
        for number in range(0, 300, 7):
            (project / f"file{number}").write_bytes(os.urandom(20_000))
        child = subprocess.Popen(
            [sys.executable, "-m", "jupyter_storage.snapshots.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tmp_path / "state",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        child.stdin.write(json.dumps({"id": 1, "capture": request}) + "\n")
        child.stdin.flush()
        if patience is None:
            output = next(line for line in child.stdout if '"beat"' not in line)
        else:
            time.sleep(patience)
            child.send_signal(signal.SIGKILL)
            output = ""
        child.stdin.close()
        child.stdout.close()
        child.wait()
        return output

    start = time.monotonic()
    assert "record" in work(None)
    length = time.monotonic() - start
    chance = random.Random(7)
    for round_ in range(12):
        work(chance.uniform(0.3, 1.0) * length)
        if round_ % 6 == 5:
            assert "record" in json.loads(work(None))
            restic.check()
    crash_cases(12)
    assert os.listdir(store.root / "locks") == []
