"""The facade: places, passwords, restoring on start, staying close behind."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest
from oracle import Restic, tree_of

from jupyter_storage.errors import AccessDenied, NotConfigured, NotFound, StorageError
from jupyter_storage.snapshots import place as places
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.workspace import Workspace
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.opening import open_store

SECRET = "JUPYTER_STORAGE_SNAPSHOT_PASSWORD"


@pytest.fixture
def make(tmp_path, project):
    made = []

    def make(machine="one", **options):
        base = f"file://{tmp_path}/bucket"
        values = {
            "project": project,
            "workspace": "w1",
            "uri": f"{base}/org/cloud/workspaces/w1",
            "options": {},
            "fallback_uri": f"{base}/artifact_storage/.private/w1",
            "state": tmp_path / machine,
            "interval": 0.2,
        }
        made.append(Workspace(**values | options))
        return made[-1]

    yield make
    for workspace in made:
        workspace.stop(0.1)


def stock(workspace, tmp_path):
    variables = workspace.environment()
    repository = variables.pop("RESTIC_REPOSITORY")
    return Restic(repository, tmp_path, **variables)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_snapshot_by_hand_is_listed_and_restored(make, project, tmp_path):
    (project / "notebook.ipynb").write_text("{}")
    workspace = make()
    assert workspace.list() == []
    with pytest.raises(NotFound, match="no snapshots"):
        workspace.restore("latest", tmp_path / "out")
    record = workspace.now()
    assert workspace.list() == [record]
    assert workspace.now().id == record.id
    assert workspace.now(force=True).id != record.id
    assert workspace.restore(record.short_id, tmp_path / "out").files == 1
    assert tree_of(tmp_path / "out") == tree_of(project)
    stock(workspace, tmp_path).check()


def test_the_password_is_for_this_user_only_and_lies_beside_the_repository(make, project, tmp_path):
    workspace = make()
    workspace.now()
    variables = workspace.environment()
    cached = tmp_path / "one" / Path(variables["RESTIC_PASSWORD_FILE"]).name
    shared = tmp_path / "bucket/org/cloud/workspaces/w1/snapshots.password"
    assert stat.S_IMODE(cached.stat().st_mode) == stat.S_IMODE(shared.stat().st_mode) == 0o600
    assert cached.read_text() == shared.read_text()
    assert cached.read_text().strip() not in repr(workspace.status())
    shared.unlink()
    assert len(make().list()) == 1
    assert shared.read_text() == cached.read_text()
    assert len(make("two").list()) == 1
    shared.unlink()
    with pytest.raises(NotConfigured, match="is missing beside it"):
        make("three").list()


def test_a_password_of_ones_own_is_not_written_beside_the_repository(
    make, project, tmp_path, monkeypatch
):
    (tmp_path / "mine").write_text("my own\n")
    workspace = make(password_file=str(tmp_path / "mine"))
    workspace.now()
    assert not (tmp_path / "bucket/org/cloud/workspaces/w1/snapshots.password").exists()
    assert workspace.environment()["RESTIC_PASSWORD_FILE"] == str(tmp_path / "mine")
    monkeypatch.setenv(SECRET, "my own")
    assert len(make("two").list()) == 1
    monkeypatch.setenv(SECRET, "another")
    with pytest.raises(AccessDenied, match="password does not open"):
        make("three").list()


def test_a_missing_password_file_is_said(make, tmp_path):
    with pytest.raises(
        StorageError, match="password file of the snapshots cannot be read"
    ) as caught:
        make(password_file=str(tmp_path / "missing")).now()
    assert "snapshot_password_file" in caught.value.hint


class Denying(ForwardingStore):
    def _deny(self, *args, **options):
        raise AccessDenied("Access denied")

    stat = list = open = create = write = _deny


def test_where_the_system_area_is_denied_the_fallback_is_used(make, project, tmp_path, monkeypatch):
    (project / "file").write_text("x")

    def denying(uri, options):
        store = open_store(uri, options)
        return Denying(store) if "/org/" in uri else store

    monkeypatch.setattr(places, "open_store", denying)
    workspace = make()
    workspace.now()
    assert "/artifact_storage/" in workspace.status().repository
    monkeypatch.undo()
    # It exists, so it wins over the preferred place for machines with more rights, too.
    assert len(make("two").list()) == 1
    assert not (tmp_path / "bucket/org").exists()


def test_changes_are_captured_while_the_server_runs(make, project, tmp_path):
    seen = []
    workspace = make(listener=seen.append)
    workspace.start()
    wait_for(lambda: workspace.status().state == "ok")
    (project / "a.txt").write_text("a")
    wait_for(lambda: workspace.status().last.files == 1 and workspace.status().state == "ok")
    (project / "b.txt").write_text("b")
    workspace.stop()
    assert workspace.list()[0].files == 2
    assert {"waiting", "capturing", "ok"} <= {status.state for status in seen}
    assert workspace.status().error is None
    stock(workspace, tmp_path).check()


def test_a_new_machine_starts_from_the_newest_snapshot(make, project, tmp_path):
    (project / "work").mkdir()
    (project / "work/notebook.ipynb").write_text("{}")
    make().now()
    other = tmp_path / "other machine"
    (other / ".ipynb_checkpoints").mkdir(parents=True)
    workspace = make("two", project=other)
    workspace.start()
    wait_for(lambda: workspace.status().state == "ok")
    assert (other / "work/notebook.ipynb").read_text() == "{}"
    assert not [name for name in os.listdir(other) if name.startswith(".~")]
    workspace.stop()
    assert all(record.files == 1 for record in workspace.list())


def test_a_restore_that_fails_is_never_followed_by_a_snapshot(make, project, tmp_path):
    (project / "file").write_bytes(os.urandom(5000))
    workspace = make()
    workspace.now()
    root = tmp_path / "bucket/org/cloud/workspaces/w1/snapshots"
    packs = {path: path.read_bytes() for path in (root / "data").rglob("*") if path.is_file()}
    for path, content in packs.items():
        path.write_bytes(content[:60] + b"broken" + content[66:])
    other = tmp_path / "other"
    second = make("two", project=other)
    second.start()
    wait_for(lambda: second.status().state == "error")
    assert "no snapshot is taken" in second.status().hint
    (other / "half").write_text("x")
    time.sleep(1)
    assert len(workspace.list()) == 1
    for path, content in packs.items():
        path.write_bytes(content)
    wait_for(lambda: second.status().state == "ok")
    assert (other / "file").read_bytes() == (project / "file").read_bytes()


def test_the_repository_in_the_project_directory_is_left_out(make, project, tmp_path):
    (project / "file").write_text("x")
    inside = f"file://{project}/store"
    workspace = make(uri=f"{inside}/w1", fallback_uri=None, state=project / "state")
    assert workspace.now().files == 1
    assert workspace.now().files == 1
    workspace.start()
    wait_for(lambda: workspace.status().state == "ok")
    time.sleep(1)
    workspace.stop()
    assert len(workspace.list()) == 1


def test_errors_are_shown_and_tried_again(make, project, tmp_path):
    (tmp_path / "bucket").write_text("a file where the bucket should be")
    (project / "file").write_text("x")
    workspace = make(fallback_uri=None)
    workspace.start()
    wait_for(lambda: workspace.status().state == "error")
    assert workspace.status().hint
    assert "Traceback" not in workspace.status().error
    (tmp_path / "bucket").unlink()
    wait_for(lambda: workspace.status().state == "ok")
    assert workspace.list()[0].files == 1


def test_a_workspace_that_is_turned_off_does_nothing(make, project, tmp_path):
    workspace = make(enabled=False)
    workspace.start()
    assert workspace.status().state == "off"
    assert not (tmp_path / "bucket").exists()


@pytest.mark.slow
def test_on_s3_stock_restic_works_with_the_variables(make, project, s3_bucket, tmp_path):
    for number in range(30):
        (project / f"file{number}").write_bytes(os.urandom(1000))
    (project / "large").write_bytes(os.urandom(20_000_000))
    workspace = make(uri=f"s3://{s3_bucket}/org/cloud/workspaces/w1", fallback_uri=None)
    first = workspace.now()
    restic = stock(workspace, tmp_path)
    restic.check()
    (project / "more").write_text("by restic")
    restic("backup", project)
    restic("forget", "--keep-last", "1", "--group-by", "", "--prune")
    workspace.now()
    assert first.id not in {record.id for record in workspace.list()}
    workspace.restore("latest", tmp_path / "out")
    assert tree_of(tmp_path / "out") == tree_of(project)
    restic("restore", "latest", "--target", tmp_path / "theirs")
    assert tree_of(tmp_path / "theirs" / project.relative_to("/")) == tree_of(project)
    restic.check()


def test_variables_are_spelled_as_restic_does(tmp_path, monkeypatch):
    def of(uri, **options):
        place = places.Place(uri, options, tmp_path / "password")
        return places.restic_environment(place)

    assert of("s3://b/a/snapshots", region="eu-west-1", profile="team") == {
        "RESTIC_PASSWORD_FILE": str(tmp_path / "password"),
        "RESTIC_REPOSITORY": "s3:https://s3.eu-west-1.amazonaws.com/b/a/snapshots",
        "AWS_PROFILE": "team",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert of("gs://b/a")["RESTIC_REPOSITORY"] == "gs:b:/a"
    assert of("file:///with%20space/a")["RESTIC_REPOSITORY"] == "/with space/a"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")
    assert of("s3://b/a")["RESTIC_REPOSITORY"] == "s3:http://127.0.0.1:9000/b/a"
    with pytest.raises(StorageError, match="cannot open 'sftp://'"):
        of("sftp://host/a")


def test_modules_in_the_project_directory_are_not_imported(make, project):
    (project / "json.py").write_text("raise SystemExit(3)")
    (project / "zstandard.py").write_text("raise SystemExit(3)")
    workspace = make()
    workspace.start()
    wait_for(lambda: workspace.status().state == "ok")
    assert workspace.status().last.files == 2


def test_a_dead_child_is_survived(make, project, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'password=hunter2 gone' >&2\nexit 9\n")
    fake.chmod(0o755)
    real = sys.executable
    monkeypatch.setattr(sys, "executable", str(fake))
    workspace = make()
    workspace.start()
    wait_for(lambda: workspace.status().state == "error")
    status = workspace.status()
    assert "status 9" in status.error
    assert "hunter2" not in status.error
    monkeypatch.setattr(sys, "executable", real)
    wait_for(lambda: workspace.status().state == "ok")
    assert Repository.exists(open_store(status.repository))


def test_other_processes_are_told_whether_changes_are_noticed_at_once(make, project, monkeypatch):
    server, command = make(), make()
    assert command.status().watching is None
    server.start()
    wait_for(lambda: server.status().state == "ok")
    assert (command.status().watching, command.status().unwatched) == (True, None)
    server.stop()
    assert command.status().watching is None
    monkeypatch.setattr("jupyter_storage.snapshots.watch._MOST_DIRECTORIES", 0)
    server = make()
    server.start()
    wait_for(lambda: command.status().watching is False)
    assert "more directories" in command.status().unwatched
