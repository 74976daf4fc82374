"""Upkeep and keys from the shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def project(directory):
    (directory / "a.txt").write_text("one")
    return directory


@pytest.fixture
def aged(call, project):
    """Two snapshots, the first from long ago."""
    from jupyter_storage.config import resolve
    from jupyter_storage.service import Service

    call("snapshot", "now")
    service = Service(resolve(project=project))
    repository = service.snapshots.repository()
    (first,) = repository.snapshots()
    wire = repository.load_unpacked("snapshots", first.id)
    wire["time"] = "2026-01-02T03:04:05Z"
    old = repository.save_unpacked("snapshots", wire)
    repository.delete_file("snapshots", first.id)
    service.close()
    (project / "a.txt").write_text("two")
    call("snapshot", "now")
    return old


def test_old_snapshots_are_forgotten_after_a_question(call, aged):
    plan = call("snapshot", "forget", "--dry-run")
    assert f"{aged[:8]}  " in plan.out
    assert "goes" in plan.out
    assert "stays: newest of its workspace, all for 1h" in plan.out
    assert "1 snapshot would go, 1 would stay" in plan.out
    refused = call("snapshot", "forget")
    assert refused.status == 2
    assert "1 snapshot would be lost" in refused.err
    assert "--yes" in refused.err
    assert len(call("snapshot", "list", "--json").json) == 2
    done = call("snapshot", "forget", "--yes", "--json")
    assert (done.json["forgotten"], done.json["kept"]) == (1, 1)
    assert call("snapshot", "forget").out == "Forgot 0 snapshots, kept 1\n"
    assert "can go in a day" in call("snapshot", "prune").out
    assert call("snapshot", "prune", "--json").json["packs_deleted"] == 0


def test_the_status_says_what_the_daily_run_came_to(call, aged):
    from jupyter_storage.config import resolve
    from jupyter_storage.service import Service
    from jupyter_storage.snapshots.maintenance import maintain

    assert "upkeep" not in call("snapshot", "status").out
    workspace = Service(resolve()).snapshots
    for retention, said in (
        ("all for 1h", "forgot 1 snapshot, kept 1; removed 0 B"),
        ("hourly", "failed: The option snapshot_retention"),
    ):
        maintain(
            workspace.repository(),
            uri=workspace.place().uri,
            options={},
            state=workspace.state,
            retention=retention,
        )
        (line,) = [each for each in call("snapshot", "status").out.split("\n") if "upkeep" in each]
        assert said in line


def test_retention_is_configured_by_a_sentence(call, aged, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_RETENTION", "all forever")
    assert call("snapshot", "forget", "-n", "--json").json["forgotten"] == 0
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_RETENTION", "hourly")
    wrong = call("snapshot", "forget", "-n")
    assert wrong.status == 2
    assert "snapshot_retention has a rule that cannot be understood: 'hourly'" in wrong.err
    assert "every 10m for 1d" in wrong.err
    assert call("snapshot", "list").status == 0


def test_pinned_and_named_snapshots_stay(call, aged):
    pinned = call("snapshot", "pin", aged[:10], "--json").json
    assert "pinned" in pinned["tags"]
    assert call("snapshot", "forget").out == "Forgot 0 snapshots, kept 2\n"
    named = call("snapshot", "name", pinned["id"], "before the talk")
    assert "called 'before the talk'" in named.out
    oldest = call("snapshot", "list", "--json").json[-1]
    assert "name:before the talk" in oldest["tags"]
    assert call("snapshot", "unpin", oldest["id"]).status == 0
    oldest = call("snapshot", "list", "--json").json[-1]
    assert call("snapshot", "name", oldest["id"], "").status == 0
    assert call("snapshot", "forget", "--yes").out == "Forgot 1 snapshot, kept 1\n"


def test_a_check_finds_damage_and_a_repair_mends_the_index(call, aged):
    done = call("snapshot", "check", "--read-data")
    assert done.status == 0
    assert "no errors were found" in done.out
    assert call("snapshot", "check", "--read-data=50%", "--json").json["packs_read"] > 0
    assert call("snapshot", "check", "--json").json["packs_read"] == 0
    root = call("snapshot", "env", "--json").json["RESTIC_REPOSITORY"]
    for name in os.listdir(f"{root}/index"):
        Path(root, "index", name).write_bytes(b"broken")
    broken = call("snapshot", "check")
    assert broken.status == 1
    assert "The index file cannot be read" in broken.err
    assert "snapshot repair" in broken.err
    assert "damaged index file" in call("snapshot", "repair").out
    assert call("snapshot", "check", "--read-data").status == 0
    assert call("snapshot", "repair").out == "Index: nothing was wrong\n"


@pytest.mark.parametrize("share", ["0", "101", "some"])
def test_a_share_that_makes_no_sense_is_said(call, project, share):
    wrong = call("snapshot", "check", f"--read-data={share}")
    assert wrong.status == 2
    assert "is no share" in wrong.err


def test_keys_are_listed_added_and_removed(call, storage, aged, tmp_path):
    (only,) = call("snapshot", "key", "list", "--json").json
    assert only["current"]
    (tmp_path / "mine").write_text("my own\nsecond line\n")
    added = call("snapshot", "key", "add", "--password-file", tmp_path / "mine", "--json").json
    opened = storage("snapshot", "list", environ={"JUPYTER_STORAGE_SNAPSHOT_PASSWORD": "my own"})
    assert opened.status == 0
    piped = storage("snapshot", "key", "add", "--password-file", "-", stdin=b"third\n")
    assert piped.status == 0
    assert len(call("snapshot", "key", "list", "--json").json) == 3
    asked = call("snapshot", "key", "remove", added["short_id"])
    assert asked.status == 2
    assert "could not read the snapshots any more" in asked.err
    assert call("snapshot", "key", "remove", added["short_id"], "--yes").status == 0
    locked = call("snapshot", "key", "remove", only["id"], "--yes")
    assert locked.status == 1
    assert "opens the repository here" in locked.err
    assert "my own" not in locked.err + asked.err


def test_the_password_is_changed(call, aged):
    before = call("snapshot", "key", "list", "--json").json
    assert call("snapshot", "key", "change").status == 0
    after = call("snapshot", "key", "list", "--json").json
    assert len(after) == 1
    assert after[0]["current"]
    assert after[0]["id"] != before[0]["id"]
    assert len(call("snapshot", "list", "--json").json) == 2


def test_an_empty_password_is_chosen_by_an_option_alone(call, project, monkeypatch):
    assert "--no-password" in call("snapshot", "key", "add").err
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOT_NO_PASSWORD", "yes")
    assert call("snapshot", "now").status == 0
    assert "RESTIC_PASSWORD_FILE" not in call("snapshot", "env", "--json").json
    (only,) = call("snapshot", "key", "list", "--json").json
    assert only["current"]
    monkeypatch.delenv("JUPYTER_STORAGE_SNAPSHOT_NO_PASSWORD")
    denied = call("snapshot", "list")
    assert denied.status == 1
    assert "password" in denied.err


def test_words_that_make_no_sense_together_are_refused(call, project, tmp_path):
    (tmp_path / "empty").write_text("\n")
    for words in (
        ("list", "1a2b"),
        ("change", "--no-password"),
        ("add", "--no-password", "--password-file", tmp_path / "empty"),
        ("add", "--password-file", tmp_path / "empty"),
    ):
        assert call("snapshot", "key", *words).status == 2
    assert call("snapshot", "key", "add", "--password-file", tmp_path / "missing").status == 1
