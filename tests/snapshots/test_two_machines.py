"""Two machines in one workspace: processes of their own, on a directory and on S3."""

import json
import signal
import subprocess
import sys
import time

import pytest
from oracle import Restic

from jupyter_storage.errors import StorageError
from jupyter_storage.snapshots.workspace import Workspace

# A machine of its own for each process: its name tells it apart, as two hosts' names would.
SERVER = """
import json, sys
from pathlib import Path
from jupyter_storage.records import to_wire
from jupyter_storage.snapshots import keeper, lease
from jupyter_storage.snapshots.workspace import Workspace
name, root, uri = sys.argv[1:4]
lease.INTERVAL = keeper.INTERVAL = 0.3
lease.EXPIRY = 3.0
lease.socket.gethostname = lambda: name
def tell(status):
    print(json.dumps(to_wire(status)), flush=True)
workspace = Workspace(project=Path(root) / "project", workspace="w1", uri=uri, options={},
    fallback_uri=None, state=Path(root) / "state", interval=0.2, listener=tell)
workspace.start()
for line in sys.stdin:
    if line.strip() == "takeover":
        workspace.takeover()
    if line.strip() == "stop":
        workspace.stop()
        break
"""


class Machine:
    def __init__(self, name, root, uri):
        self.name, self.root, self.uri = name, root / name, uri
        self.project = self.root / "project"
        self.project.mkdir(parents=True)
        self.process = None

    def start(self):
        self.log = (self.root / "log").open("a+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, self.name, str(self.root), self.uri],
            stdin=subprocess.PIPE,
            stdout=self.log,
            cwd=self.root,
            text=True,
        )

    def status(self):
        lines = [line for line in (self.root / "log").read_text().splitlines() if line[-1:] == "}"]
        return json.loads(lines[-1]) if lines else {"state": "none", "last": None, "fork": None}

    def when(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition(status := self.status()):
            assert time.monotonic() < end, status
            time.sleep(0.1)
        return status

    def saved(self, name, text):
        """Write a file, and wait until a snapshot that was begun afterwards is there."""
        before = self.status()["last"]
        (self.project / name).write_text(text)
        return self.when(lambda s: s["state"] == "ok" and s["last"] and s["last"] != before)["last"]

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.say("stop")
        self.process.wait(60)
        self.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.close()

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.log.close()
            self.process = None


@pytest.fixture(params=["directory", "s3"])
def uri(request, tmp_path):
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3_bucket')}/org/cloud/workspaces/w1"
    return f"file://{tmp_path}/bucket/w1"


@pytest.fixture
def machine(tmp_path, uri):
    made = []

    def machine(name):
        made.append(Machine(name, tmp_path, uri))
        return made[-1]

    yield machine
    for each in made:
        each.close()


@pytest.fixture
def person(tmp_path, uri):
    """Somebody who looks at the workspace from elsewhere; restic has the last word."""
    workspace = Workspace(
        project=tmp_path / "elsewhere",
        workspace="w1",
        uri=uri,
        options={},
        fallback_uri=None,
        state=tmp_path / "elsewhere-state",
        enabled=False,
    )
    yield workspace
    variables = workspace.environment()
    Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables).check()


def tags(record, prefix):
    return [tag for tag in record["tags"] if tag.startswith(prefix)]


@pytest.mark.slow
def test_the_second_machine_writes_a_fork_until_a_person_decides(machine, person, tmp_path):
    one, two = machine("one"), machine("two")
    one.start()
    first = one.saved("shared.txt", "from one")
    assert (tags(first, "epoch:"), tags(first, "fork:")) == (["epoch:1"], [])
    two.start()
    two.when(lambda s: (two.project / "shared.txt").exists() and s["state"] == "ok")
    mine = two.saved("two.txt", "from two")
    status = two.status()
    assert status["fork"]
    assert tags(mine, "fork:") == [f"fork:{status['fork']}"]
    assert status["holder"].endswith("@one")
    theirs = one.saved("one.txt", "from one")
    assert one.status()["fork"] is None
    # Both sides have what they had, and what is newest is the main line's.
    records = {record.id: record for record in person.list()}
    assert person.find("latest").id == theirs["id"]
    assert records[mine["id"]].fork == status["fork"]
    forks = [record for record in records.values() if record.fork]
    assert all(records[f.parent].hostname == f.hostname for f in forks if f.parent)
    # The holder goes. The fork has parted from the main line, so it stays one.
    one.stop()
    time.sleep(2)
    assert two.saved("two.txt", "again")["fork"] == status["fork"]
    two.say("takeover")
    two.when(lambda s: s["fork"] is None and s["state"] == "ok")
    newest = person.find("latest")
    assert newest.parent in {record.id for record in person.list() if record.fork}
    person.restore("latest", tmp_path / "back")
    assert (tmp_path / "back/two.txt").read_text() == "again"
    assert not (tmp_path / "back/one.txt").exists()
    person.restore(theirs["id"], tmp_path / "theirs")
    assert (tmp_path / "theirs/one.txt").read_text() == "from one"
    # The first machine comes back, and is the fork now.
    one.start()
    late = one.saved("late.txt", "late")
    assert tags(late, "fork:")
    two.stop()


@pytest.mark.slow
@pytest.mark.faults
def test_where_a_machine_dies_the_next_one_goes_on_with_the_main_line(machine, person, tmp_path):
    one, two = machine("one"), machine("two")
    one.start()
    last = one.saved("notebook.ipynb", "{}")
    one.kill()
    two.start()
    two.when(lambda s: (two.project / "notebook.ipynb").exists() and s["state"] == "ok")
    # Nothing was heard of the first for long enough.
    two.when(lambda s: s["fork"] is None and tags(s["last"], "epoch:") == ["epoch:2"])
    mine = two.saved("more.txt", "more")
    assert tags(mine, "fork:") == []
    two.kill()
    two.start()
    again = two.saved("again.txt", "again")
    # A process that died on this very machine is followed without waiting.
    assert (tags(again, "epoch:"), tags(again, "fork:")) == (["epoch:3"], [])
    two.stop()
    assert person.find("latest").id == again["id"]
    assert last["id"] in {record.id for record in person.list()}


@pytest.mark.slow
@pytest.mark.faults
def test_a_machine_that_slept_through_its_successor_becomes_a_fork(machine, person):
    one, two = machine("one"), machine("two")
    one.start()
    one.saved("a.txt", "1")
    one.process.send_signal(signal.SIGSTOP)
    two.start()
    two.when(lambda s: s["fork"] is None and s["last"] and tags(s["last"], "epoch:") == ["epoch:2"])
    theirs = two.saved("b.txt", "2")
    (one.project / "a.txt").write_text("edited before it woke up")
    one.process.send_signal(signal.SIGCONT)
    one.when(lambda s: s["fork"] and s["state"] == "ok" and s["last"]["fork"] == s["fork"])
    assert person.find("latest").id == theirs["id"]
    one.stop()
    two.stop()


def test_a_snapshot_by_hand_beside_a_server_is_on_its_line(project, tmp_path, monkeypatch):
    options = {
        "project": project,
        "workspace": "w1",
        "uri": f"file://{tmp_path}/bucket/w1",
        "options": {},
        "fallback_uri": None,
        "state": tmp_path / "state",
    }
    (project / "file").write_text("1")
    server = Workspace(**options, interval=0.2)
    server.start()
    end = time.monotonic() + 60
    while server.status().state != "ok":
        assert time.monotonic() < end
        time.sleep(0.05)
    (project / "file").write_text("2")
    by_hand = Workspace(**options, enabled=False)
    assert by_hand.now(force=True).tags == ("workspace:w1", "epoch:1")
    assert by_hand.status().fork is None
    server.stop()
    # Alone, by hand takes the lease and gives it back each time.
    assert by_hand.now(force=True).tags == ("workspace:w1", "epoch:2")
    assert Workspace(**options).now(force=True).tags == ("workspace:w1", "epoch:3")
    elsewhere = Workspace(**{**options, "project": tmp_path / "b", "state": tmp_path / "s2"})
    (tmp_path / "b").mkdir()
    assert elsewhere.now(force=True).fork is None


def test_a_lease_that_cannot_be_reached_is_an_error_of_the_snapshot(project, tmp_path):
    workspace = Workspace(
        project=project,
        workspace="w1",
        uri=f"file://{tmp_path}/bucket/w1",
        options={},
        fallback_uri=None,
        state=tmp_path / "state",
    )
    workspace.now()
    lease = tmp_path / "bucket/w1/snapshots.lease"
    for path in lease.iterdir():
        path.unlink()
    lease.rmdir()
    lease.write_text("a file where the lease should be")
    with pytest.raises(StorageError):
        workspace.now()
    lease.unlink()
    assert workspace.now(force=True).tags[0] == "workspace:w1"
