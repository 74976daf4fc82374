from __future__ import annotations

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def project(directory):
    (directory / "a.txt").write_text("one")
    (directory / "sub").mkdir()
    (directory / "sub/b.txt").write_text("two")
    return directory


def test_a_snapshot_is_taken_listed_and_restored(call, project, tmp_path):
    taken = call("snapshot", "now", "--json").json
    assert taken["files"] == 2
    assert [each["id"] for each in call("snapshot", "list", "--json").json] == [taken["id"]]
    assert taken["short_id"] in call("snapshot", "list").out
    assert taken["short_id"] in call("snapshot", "status").out
    done = call("snapshot", "restore", taken["short_id"], "--target", tmp_path / "back")
    assert done.out.startswith("Restored 2 files, 6 B")
    assert (tmp_path / "back/sub/b.txt").read_text() == "two"


def test_a_restore_replaces_nothing_unless_told(call, project, tmp_path):
    call("snapshot", "now")
    (project / "a.txt").write_text("mine")
    done = call("snapshot", "restore", "latest", "--target", ".")
    assert done.status == 1
    assert "--overwrite" in done.err
    assert (project / "a.txt").read_text() == "mine"
    assert call("snapshot", "restore", "latest", "--target", ".", "--overwrite").status == 0
    assert (project / "a.txt").read_text() == "one"


def test_a_file_comes_back_as_it_was_and_the_way_to_undo_it_is_said(call, project, monkeypatch):
    taken = call("snapshot", "now", "--json").json
    (project / "sub/b.txt").write_text("edited")
    monkeypatch.chdir(project / "sub")
    monkeypatch.setenv("JUPYTER_STORAGE_PROJECT", str(project))
    done = call("snapshot", "restore", taken["short_id"], "b.txt", "--in-place", "--overwrite")
    assert done.status == 0
    assert (project / "sub/b.txt").read_text() == "two"
    words = done.err.partition("To undo it: jupyter storage ")[2].split()
    assert call(*words).status == 0
    assert (project / "sub/b.txt").read_text() == "edited"


def test_an_exact_restore_asks_first_and_says_what_will_be_lost(call, project, monkeypatch):
    taken = call("snapshot", "now", "--json").json
    (project / "new.txt").write_text("new")
    words = ("snapshot", "restore", taken["id"], "--in-place", "--exact")
    done = call(*words)
    assert done.status == 2
    assert "1 file, 3 B, would be removed: new.txt" in done.err
    assert "--yes" in done.err
    assert (project / "new.txt").exists()
    done = call(*words, "--yes", "--json")
    assert done.status == 0
    assert not (project / "new.txt").exists()
    assert done.json["undo"] == call("snapshot", "list", "--json").json[0]["id"]
    undone = call("snapshot", "restore", done.json["undo"][:8], "new.txt", "--in-place")
    assert undone.status == 0
    assert (project / "new.txt").read_text() == "new"


def test_a_snapshot_is_chosen_by_time(call, project, tmp_path):
    taken = call("snapshot", "now", "--json").json
    (project / "a.txt").write_text("later")
    call("snapshot", "now")
    restore = ("snapshot", "restore", "a.txt", "--target", tmp_path / "t", "--overwrite", "--at")
    done = call(*restore, "2020-01-01")
    assert done.status == 1
    assert "The oldest is from" in done.err
    for when, content in ((taken["time"], "one"), ("today", "later")):
        assert call(*restore, when).status == 0
        assert (tmp_path / "t/a.txt").read_text() == content
    assert not (tmp_path / "t/sub").exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["latest"], "--in-place"),
        (["--in-place"], "snapshot list"),
        (["latest", "--in-place", "--target", "x"], "--help"),
        (["latest", "--in-place", "--skip", "--exact"], "--help"),
        (["latest", "--target", "x", "--exact"], "empty directory"),
        (["latest", "/etc/passwd", "--in-place"], "relative"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(call, project, words, hint):
    call("snapshot", "now")
    done = call("snapshot", "restore", *words)
    assert done.status in {1, 2}
    assert hint in done.err
    assert sorted(path.name for path in project.iterdir()) == ["a.txt", "sub"]


@pytest.mark.skipif(not shutil.which("restic"), reason="stock restic is not installed")
@pytest.mark.parametrize("bucket", ["directory", "s3"])
def test_a_clone_is_a_workspace_of_its_own(call, project, tmp_path, monkeypatch, request, bucket):
    if bucket == "s3":
        monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"s3://{request.getfixturevalue('s3_bucket')}")
    (project / "large").write_bytes(os.urandom(3_000_000))
    (project / "empty").touch()
    call("snapshot", "now")
    (project / "a.txt").write_text("later, and not in the clone")
    taken = call("snapshot", "list", "--json").json[0]
    done = call("snapshot", "clone", taken["short_id"], "second", "--target", tmp_path / "two")
    assert done.status == 0, done.err
    assert "JUPYTER_STORAGE_WORKSPACE_ID=second" in done.out
    assert (tmp_path / "two/a.txt").read_text() == "one"
    again = call("snapshot", "clone", "latest", "second")
    assert again.status == 1
    assert "has snapshots already" in again.err
    assert call("snapshot", "clone", "latest", "no/id").status == 2
    call("snapshot", "now")
    monkeypatch.setenv("JUPYTER_STORAGE_WORKSPACE_ID", "second")
    monkeypatch.chdir(tmp_path)
    (listed,) = call("snapshot", "list", "--json").json
    assert listed["tags"] == ["workspace:second"]
    assert call("snapshot", "restore", "latest", "--target", "back").status == 0
    for name in ("a.txt", "sub/b.txt", "large", "empty"):
        content = b"one" if name == "a.txt" else (project / name).read_bytes()
        assert (tmp_path / "back" / name).read_bytes() == content
    variables = call("snapshot", "env", "--json").json
    done = subprocess.run(
        ["restic", "--no-cache", "check", "--read-data"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert "no errors were found" in done.stdout, done.stderr


def test_the_project_can_be_named(call, project, tmp_path, monkeypatch):
    taken = call("snapshot", "now", "--json").json
    monkeypatch.chdir(tmp_path)
    assert call("snapshot", "list", "--json").json == []
    listed = call("snapshot", "list", "--json", "--project", project).json
    assert [each["id"] for each in listed] == [taken["id"]]


def test_in_a_terminal_of_the_server_the_project_is_the_server_s(call, project, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_PROJECT", str(project))
    monkeypatch.chdir(project / "sub")
    assert call("snapshot", "now", "--json").json["paths"] == [str(project)]


def test_an_unknown_snapshot_is_told(call, project, tmp_path):
    call("snapshot", "now")
    done = call("snapshot", "restore", "ffffffff", "--target", tmp_path / "back")
    assert done.status == 1
    assert "snapshot list" in done.err
    assert not (tmp_path / "back").exists()


@pytest.mark.skipif(not shutil.which("restic"), reason="stock restic is not installed")
def test_stock_restic_works_with_what_env_prints(call, project, tmp_path):
    taken = call("snapshot", "now", "--json").json
    lines = call("snapshot", "env").out
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{lines}\nrestic --no-cache snapshots && restic --no-cache check --read-data",
        ],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert taken["short_id"] in done.stdout
    values = call("snapshot", "env", "--json").json
    assert set(values) >= {"RESTIC_REPOSITORY", "RESTIC_PASSWORD_FILE"}


def test_the_doctor_finds_the_snapshots_and_shows_no_secret(call, project, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "also-secret")
    monkeypatch.setenv("JUPYTER_STORAGE_TIERS", '{"data": "s3://nosuch-bucket/x"}')
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("JUPYTER_STORAGE_CHECK_TIMEOUT", "1")
    call("snapshot", "now")
    done = call("doctor")
    assert "secret" not in done.out + done.err
    assert "found AWS_ACCESS_KEY_ID" in done.out
    checks = {check["name"]: check for check in call("doctor", "--json").json}
    assert checks["snapshots"]["state"] == "ok"
    assert checks["tier data"]["state"] == "problem"
    assert checks["tier data"]["hint"]
    assert done.status == 1
