from __future__ import annotations

import os

import pytest

from jupyter_storage.cli import Shell


@pytest.fixture
def data(directory):
    """A directory, and one in a tier that has more."""
    (directory / "data/sub").mkdir(parents=True)
    for name in ("a.csv", "sub/b.csv", "c.tmp"):
        (directory / "data" / name).write_text("1")
        os.utime(directory / "data" / name, (1_600_000_000, 1_600_000_000))
    return directory / "data"


def test_sync_copies_what_differs_and_says_so(call, data):
    assert call("sync", "data", "shared:d").out.startswith("Synced 3 files, 3 B")
    (data / "a.csv").write_text("22")
    done = call("sync", "data", "shared:d", "--json")
    assert (done.json["operation"], done.json["files_done"]) == ("sync", 1)
    assert call("cat", "shared:d/a.csv").out == "22"


def test_a_dry_run_lists_what_would_happen_and_does_nothing(call, data):
    call("sync", "data", "shared:d")
    (data / "a.csv").write_text("22")
    (data / "c.tmp").unlink()
    done = call("sync", "-n", "--delete", "data", "shared:d")
    assert done.out.splitlines() == ["*       2 B  shared:d/a.csv", "-       1 B  shared:d/c.tmp"]
    assert "Would copy 1 file, 2 B, 1 of them in place of another; would delete 1 file" in done.err
    done = call("sync", "-n", "--delete", "data", "shared:d", "--json")
    assert [change["action"] for change in done.json] == ["replace", "delete"]
    assert call("cat", "shared:d/a.csv").out == "1"


def test_deletions_are_asked_for(call, data, monkeypatch):
    call("sync", "data", "shared:d")
    (data / "c.tmp").unlink()
    (data / "sub/b.csv").unlink()
    refused = call("sync", "--delete", "data", "shared:d")
    assert refused.status == 2
    assert "2 files, 2 B would be deleted" in refused.err
    questions = []

    def answer(yes):
        def ask(self, question):
            questions.append(question)
            return yes

        return ask

    monkeypatch.setattr(Shell, "ask", answer(False))
    assert call("sync", "--delete", "data", "shared:d").status == 1
    assert len(call("find", "--type", "f", "shared:d").out.split()) == 3
    monkeypatch.setattr(Shell, "ask", answer(True))
    done = call("sync", "--delete", "data", "shared:d")
    assert "2 deleted" in done.out
    assert "shared:d/c.tmp" in questions[0]
    assert call("find", "--type", "f", "shared:d").out.split() == ["shared:d/a.csv"]


def test_what_was_not_agreed_to_is_not_deleted(call, data, directory, monkeypatch):
    call("sync", "data", "shared:d")
    (data / "c.tmp").unlink()

    def ask(self, question):
        (data / "a.csv").unlink()  # somebody is quick
        return True

    monkeypatch.setattr(Shell, "ask", ask)
    done = call("sync", "--delete", "data", "shared:d")
    assert done.status == 1
    assert "it would be 2 of 3 files, and 1 are allowed" in done.err
    assert len(call("find", "--type", "f", "shared:d").out.split()) == 3


def test_nobody_is_asked_with_yes_and_the_guard_holds(call, data):
    call("sync", "data", "shared:d")
    for name in ("a.csv", "c.tmp"):
        (data / name).unlink()
    done = call("sync", "--delete", "-y", "--max-delete", "50%", "data", "shared:d")
    assert done.status == 1
    assert "it would be 2 of 3 files, and 1 are allowed" in done.err
    assert call("sync", "--delete", "-y", "--max-delete", "2", "data", "shared:d").status == 0
    assert call("sync", "--max-delete", "x", "data", "shared:d").status == 2
    assert call("sync", "--max-delete", "3", "data", "shared:d").status == 2


def test_patterns_choose(call, data):
    assert call("sync", "--exclude", "*.tmp", "data", "shared:d").out.startswith("Synced 2")
    assert call("sync", "--include", "*.tmp", "data", "shared:e").out.startswith("Synced 1")
    assert "no meaning" in call("sync", "--exclude", "!x", "data", "shared:e").err


def test_snapshots_survive_a_sync_to_the_whole_tier(call, data, isolated_environment):
    call("sync", "data", "artifacts:d")
    root = next(isolated_environment.rglob("artifact_storage"))
    system = root / ".jupyter_storage/precious"
    system.parent.mkdir()
    system.write_text("a snapshot")
    done = call("sync", "--delete", "-y", "data", "artifacts:")
    assert (done.status, system.read_text()) == (0, "a snapshot")
    assert call("ls", "artifacts:d").status == 1


def test_a_mirror_in_both_directions_is_refused(call, data):
    refused = call("mirror", "data", "shared:d")
    assert refused.status == 2
    assert "sync SRC DST" in refused.err


def test_a_bandwidth_slows_down_a_sync_and_a_copy(call, data):
    for words in (["sync"], ["cp", "-r"]):
        (data / "large").write_bytes(bytes(300_000))
        done = call(*words, "--bwlimit", "500kB", "data", f"local:{words[0]}", "--json").json
        assert (done["state"], done["files_done"]) == ("done", 4)
        assert call(*words, "--bwlimit", "fast", "data", "local:x").status == 2


def test_what_was_copied_is_verified_on_request(call, data):
    assert call("sync", "--verify", "data", "shared:d").out.startswith("Synced 3 files")
    assert call("cp", "-r", "--verify", "data", "artifacts:d").status == 0
    refused = call("cp", "--verify", "-", "shared:pipe")
    assert refused.status == 2
    assert "A pipe cannot be read once more" in refused.err


def test_moves_are_shown_and_not_counted_as_deletions(call, data):
    call("sync", "data", "shared:d")
    (data / "c.tmp").rename(data / "sub/c.tmp")
    done = call("sync", "-n", "--delete", "--track-moves", "data", "shared:d")
    assert done.out == ">       1 B  shared:d/sub/c.tmp (from shared:d/c.tmp)\n"
    assert "would move 1 file inside of the destination" in done.err
    done = call("sync", "--delete", "--track-moves", "data", "shared:d")
    assert done.out.startswith("Synced 1 file")
    assert call("sync", "--track-moves", "data", "shared:d").status == 2
