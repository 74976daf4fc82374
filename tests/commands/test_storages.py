from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def task(directory):
    """A file that declares one copy of a storage."""
    (directory / "data").mkdir()
    (directory / "data/a.txt").write_text("abc")
    file = directory / "task.yaml"
    file.write_text("file_mounts:\n  /d: {name: my-data, source: ./data, mode: COPY}\n")
    return file


def test_apply_says_first_what_it_will_do(call, task, directory):
    done = call("apply", "--under", "out", "-n", task)
    assert "create  my-data" in done.out
    assert "Together 2 files" in done.out
    assert not (directory / "out").exists()
    plan = call("apply", "--under", "out", "-n", "--json", task).json
    assert [step["action"] for step in plan["steps"]] == ["create", "upload", "copy"]


def test_apply_does_it_and_storages_lists_it(call, task, directory):
    done = call("apply", "--under", "out", task)
    assert done.status == 0
    assert "create  my-data" in done.err
    assert (directory / "out/d/a.txt").read_text() == "abc"
    header, row = call("storages").out.splitlines()
    assert header.split() == ["NAME", "CREATED", "STORE", "COMMAND", "STATUS"]
    assert row.startswith("my-data")
    assert f"jupyter storage apply {task}" in row
    assert row.endswith("READY")


def test_storages_of_a_name_lists_its_objects(call, task):
    call("apply", "--under", "out", task)
    listed = call("storages", "my-data", "--json").json
    assert [(each["name"], each["size"]) for each in listed] == [("a.txt", 3)]
    missing = call("storages", "no-such")
    assert missing.status == 1
    assert "no storage 'no-such'" in missing.err


def test_delete_names_what_will_be_lost_and_wants_a_yes(call, task):
    call("apply", "--under", "out", task)
    refused = call("storages", "delete", "my-data")
    assert refused.status == 2
    assert "'my-data'" in refused.err
    assert "1 file, 3 B" in refused.err
    assert call("storages", "delete", "-n", "my-data", "--json").json["files"] == 1
    assert call("storages", "delete", "--yes", "my-data").status == 0
    assert call("storages", "--json").json == []


def test_the_end_of_a_workload_deletes_what_is_not_to_stay(call, task):
    task.write_text(
        "file_mounts:\n"
        "  /d: {name: my-data, source: ./data, mode: COPY, persistent: false}\n"
        "  /e: {name: my-results, mode: COPY}\n"
    )
    call("apply", "--under", "out", task)
    refused = call("apply", "--under", "out", "--down", task)
    assert refused.status == 2
    assert "'my-data'" in refused.err
    assert call("apply", "--under", "out", "--down", "--yes", task).status == 0
    assert [each["name"] for each in call("storages", "--json").json] == ["my-results"]


@pytest.fixture
def job(directory):
    """A file with a storage that is mounted for a program, and one that outlives it."""
    file = directory / "job.yaml"
    file.write_text(
        "file_mounts:\n"
        "  /scratch: {name: my-scratch, mode: MOUNT_CACHED, persistent: false}\n"
        "  /results: {name: my-results, mode: COPY}\n"
    )
    return file


def _names(storage) -> list[str]:
    return [each["name"] for each in storage("storages", "--json").json]


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="there is no /dev/fuse")
@pytest.mark.parametrize("status", [0, 3])
def test_a_program_has_its_storages_until_it_ends_however_it_does(storage, job, status):
    words = f"echo 42 > out/scratch/a && cat out/scratch/a && exit {status}"
    done = storage("apply", "--under", "out", job, "--", "sh", "-c", words)
    assert done.status == status, done.err
    assert done.out == "42\n"
    assert "delete  my-scratch  (at the end, with all that is in it)" in done.err
    assert "Deleted my-scratch: it is not persistent" in done.err
    assert _names(storage) == ["my-results"]
    assert storage("mounts", "--json").json == []


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="there is no /dev/fuse")
def test_who_asks_for_the_end_asks_the_program_and_nothing_is_left_behind(storage, job):
    words = [sys.executable, "-m", "jupyter_storage.cli", "apply", "--under", "out", str(job)]
    program = "trap 'echo ended; exit 7' TERM; echo begun; while :; do sleep 0.1; done"
    with subprocess.Popen([*words, "--", "sh", "-c", program], stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"begun\n"
        assert Path("out/scratch").is_mount()
        run.send_signal(signal.SIGTERM)
        assert run.stdout.read() == b"ended\n"
        assert run.wait(60) == 7
    assert _names(storage) == ["my-results"]


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="there is no /dev/fuse")
def test_with_a_file_open_the_storage_stays_and_that_is_said(storage, job):
    program = "sleep 30 < out/scratch > /dev/null 2>&1 & echo $!"
    done = storage("apply", "--under", "out", job, "--", "sh", "-c", program)
    os.kill(int(done.out), signal.SIGKILL)
    assert done.status == 1
    assert "Files in it are open" in done.err
    assert _names(storage) == ["my-scratch", "my-results"]
    assert storage("apply", "--under", "out", "--down", "-y", job).status == 0
    assert _names(storage) == ["my-results"]


def test_a_program_gets_its_words_as_they_are(storage, task):
    words = ("-n", "--", "--debug", "a b")
    done = storage("apply", "--under", "out", task, "--", "printf", "%s\\n", *words)
    assert (done.status, done.out.splitlines()) == (0, list(words)), done.err


def test_nothing_is_made_for_a_program_that_is_not_there(call, task):
    done = call("apply", "--under", "out", task, "--", "no-such-program")
    assert done.status == 2
    assert "no program 'no-such-program'" in done.err
    assert call("storages", "--json").json == []


def test_a_program_is_not_begun_where_not_all_is_in_place(storage, job, directory):
    (directory / "out/scratch").mkdir(parents=True)
    (directory / "out/scratch/mine.txt").touch()
    done = storage("apply", "--under", "out", job, "--", "echo", "begun")
    assert (done.status, done.out) == (1, "")
    assert "not empty" in done.err
    assert _names(storage) == ["my-results"]


def test_a_mistake_in_the_file_names_its_line(call, task):
    task.write_text("file_mounts:\n  /d:\n    name: my-data\n    modus: COPY\n")
    wrong = call("apply", task)
    assert wrong.status == 2
    assert f"{task}:4: file_mounts./d.modus: there is no such field" in wrong.err


def test_a_directory_is_mounted_listed_and_unmounted(call, directory):
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no /dev/fuse")
    (directory / "store").mkdir()
    (directory / "store/a.txt").write_text("abc")
    mounted = call("mount", "./store", "target")
    assert mounted.status == 0, mounted.err
    assert "(built-in: " in mounted.out
    assert (directory / "target/a.txt").read_text() == "abc"
    (row,) = call("mounts", "--json").json
    assert (row["target"], row["state"]) == (str(directory / "target"), "ok")
    assert call("unmount", "target").status == 0
    assert call("mounts").out == "Nothing here.\n"
    assert list((directory / "target").iterdir()) == []


def test_a_copy_stands_in_for_a_mount_where_nothing_can_be_mounted(call, directory, monkeypatch):
    monkeypatch.setattr("jupyter_storage.mounts.mounters.DEVICE", directory / "no-fuse")
    (directory / "store").mkdir()
    (directory / "store/a.txt").write_text("a")
    (directory / "task.yaml").write_text(f"file_mounts:\n  /d: {{source: {directory.as_uri()}}}\n")
    assert "no-fuse. Copies can stand in: add --copy" in call("apply", "-n", "task.yaml").out
    assert "add --copy" not in call("apply", "--copy", "-n", "task.yaml").out
    refused = call("mount", "./store", "target")
    assert refused.status == 2
    assert "add --copy" in refused.err
    assert call("mount", "--copy", "./store", "target").status == 0
    (directory / "target/a.txt").write_text("changed")
    (row,) = call("mounts", "--json").json
    assert (row["mode"], row["pending"], row["waiting"]) == ("COPY", 1, ["a.txt"])
    assert "1 file" in call("flush").out
    assert (directory / "store/a.txt").read_text() == "changed"
    assert call("mount", "--every", "5", "./store", "other").status == 2
    (directory / "target/a.txt").write_text("mine alone")
    assert call("unmount", "--force", "target").status == 0
    assert (directory / "target/a.txt").read_text() == "mine alone"
    assert (directory / "store/a.txt").read_text() == "changed"
