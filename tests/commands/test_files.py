from __future__ import annotations

import json
import os
import sys
import zipfile
from contextlib import suppress

import pytest


def test_tiers_are_listed_with_what_programs_need(storage):
    tiers = storage("tiers", "--json").json
    assert [tier["name"] for tier in tiers] == ["local", "cluster", "user", "shared", "artifacts"]
    assert all({"name", "uri", "scope", "lifetime", "state"} <= set(tier) for tier in tiers)
    assert storage("tiers", "shared:").out.splitlines()[1].startswith("shared")


def test_ls_without_a_path_names_the_tiers(call):
    assert call("ls").out.split() == ["local:", "cluster:", "user:", "shared:", "artifacts:"]


def test_ls_gives_five_fields_at_least(call, directory):
    (directory / "a.txt").write_text("abc")
    (directory / "sub").mkdir()
    listed = {entry["name"]: entry for entry in call("ls", ".", "--json").json}
    assert {"path", "name", "type", "size", "modified"} <= set(listed["a.txt"])
    assert (listed["a.txt"]["size"], listed["sub"]["type"]) == (3, "directory")
    assert call("ls", ".").out.split() == ["sub/", "a.txt"]


def test_ls_of_an_empty_directory_is_an_empty_list(call):
    assert call("ls", ".", "--json").json == []
    assert call("ls", ".").out == ""


def test_ls_sorts_and_turns_round(call, directory):
    for name, size in (("b", 1), ("a", 3), ("c", 2)):
        (directory / name).write_bytes(b"x" * size)
    assert call("ls", ".").out.split() == ["a", "b", "c"]
    assert call("ls", ".", "--sort", "size").out.split() == ["b", "c", "a"]
    assert call("ls", ".", "--sort", "size", "--reverse").out.split() == ["a", "c", "b"]


def test_ls_goes_on_where_one_of_several_paths_is_wrong(call, directory):
    (directory / "a").touch()
    done = call("ls", "nosuch", "a", "--json")
    assert [entry["name"] for entry in done.json] == ["a"]
    assert done.status == 1
    assert "nosuch" in done.err


def test_ls_shows_more_than_one_page(call, directory):
    for number in range(1203):
        (directory / f"{number:04}").touch()
    assert len(call("ls", ".").out.split()) == 1203
    assert len(call("ls", "-r", ".", "--json").json) == 1203


def test_a_name_cannot_move_the_cursor(call, directory):
    (directory / "a\x1b[2Jb\nc").touch()
    assert call("ls", ".").out == "a\\x1b[2Jb\\x0ac\n"


def test_a_name_that_is_no_text_breaks_no_listing(storage, directory):
    (directory / os.fsdecode(b"\xff.bin")).touch()
    assert storage("ls", ".").status == 0
    assert storage("ls", ".", "--json").json[0]["name"] == "\udcff.bin"


def test_one_file_goes_into_a_directory_and_back(call, directory):
    (directory / "a.txt").write_text("abc")
    assert call("cp", "a.txt", "shared:x/").out.startswith("Copied 1 file, 3 B")
    assert call("cp", "shared:x/a.txt", "b.txt").status == 0
    assert (directory / "b.txt").read_text() == "abc"


def test_a_directory_s_contents_land_in_the_target(call, directory):
    (directory / "data/sub").mkdir(parents=True)
    (directory / "data/sub/a").write_text("1")
    (directory / "data/b").write_text("2")
    for _ in range(2):
        assert call("cp", "-r", "--overwrite", "data", "artifacts:d").status == 0
    assert call("find", "artifacts:d", "--type", "f").out.split() == [
        "artifacts:d/b",
        "artifacts:d/sub/a",
    ]
    assert call("cp", "data", "artifacts:e").status == 1


def test_options_may_stand_between_paths(call, directory):
    (directory / "a").write_text("1")
    (directory / "b").write_text("2")
    assert call("cp", "a", "--overwrite", "b", "-j", "2", "shared:d").status == 0
    assert call("ls", "shared:d").out.split() == ["a", "b"]
    assert call("mkdir", "--", "-odd").status == 0
    assert (directory / "-odd").is_dir()


def test_what_exists_is_a_failure_and_the_rest_is_done(call, directory):
    (directory / "data").mkdir()
    (directory / "data/a").write_text("new")
    (directory / "data/b").write_text("new")
    call("cp", "data/a", "shared:d/a")
    (directory / "data/a").write_text("newer")
    done = call("cp", "-r", "data", "shared:d", "--json")
    assert done.status == 1
    assert done.json["state"] == "partial"
    assert "shared:d/a: It exists already" in done.err
    assert "--overwrite" in done.err
    assert call("cat", "shared:d/a").out == "new"
    assert call("cat", "shared:d/b").out == "new"
    assert call("cp", "-r", "--skip", "data", "shared:d").status == 0
    assert call("cat", "shared:d/a").out == "new"
    assert call("cp", "-r", "--overwrite", "data", "shared:d").status == 0
    assert call("cat", "shared:d/a").out == "newer"


def test_a_dry_run_changes_nothing(call, directory):
    (directory / "a").write_text("abc")
    done = call("cp", "-n", "a", "shared:a", "--json")
    assert (done.json["files"], done.json["bytes"]) == (1, 3)
    assert call("ls", "shared:").out == ""


def test_pipes(storage, directory):
    body = bytes(range(256)) * 5000
    assert storage("cp", "-", "shared:pipe", stdin=body).status == 0
    assert storage("stat", "shared:pipe", "--json").json["size"] == len(body)
    done = storage("cp", "-", "shared:pipe", stdin=b"other")
    assert done.status == 1
    assert "exists" in done.err
    storage("cp", "shared:pipe", directory / "back")
    assert (directory / "back").read_bytes() == body


def test_a_file_goes_to_standard_output_as_it_is(storage, directory):
    (directory / "a").write_bytes(b"\x00\xfe\n")
    assert storage("cp", "a", "-").out.encode(errors="surrogateescape") == b"\x00\xfe\n"
    assert storage("cat", "a").out.encode(errors="surrogateescape") == b"\x00\xfe\n"


def test_mv_takes_directories(call, directory):
    (directory / "data").mkdir()
    (directory / "data/a").write_text("1")
    assert call("mv", "data", "artifacts:moved").status == 0
    assert not (directory / "data").exists()
    assert call("mv", "artifacts:moved", "shared:again").status == 0
    assert call("ls", "artifacts:").out == ""
    assert call("cat", "shared:again/a").out == "1"


def test_deleting_data_keeps_data2(call, directory):
    for name in ("data/a", "data2/a", "data.bak"):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text("1")
    assert call("rm", "data").status == 1
    done = call("rm", "-r", "data")
    assert done.status == 2
    assert "1 file, 1 B would be lost" in done.err
    assert call("rm", "-r", "-n", "data").out.count("data/a") == 1
    assert (directory / "data/a").exists()
    assert call("rm", "-ry", "data").status == 0
    assert sorted(path.name for path in directory.iterdir()) == ["data.bak", "data2"]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_terminal_is_asked_before_a_directory_goes(directory, answer):
    pty = pytest.importorskip("pty")
    (directory / "data").mkdir()
    (directory / "data/a").write_text("1")
    process, terminal = pty.fork()
    if process == 0:
        command = [sys.executable, "-m", "jupyter_storage.cli", "rm", "-r", "data"]
        os.execv(command[0], command)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(terminal, 4096)
    assert b"1 file, 1 B" in shown
    os.write(terminal, answer.encode() + b"\n")
    with suppress(OSError):
        while data := os.read(terminal, 4096):
            shown += data
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert status == (0 if answer == "y" else 1)
    assert (directory / "data").exists() == (answer == "n")
    assert (b"Nothing was deleted" in shown) == (answer == "n")


def test_head_reads_lines_or_bytes(call, directory):
    (directory / "a").write_text("".join(f"{number}\n" for number in range(100)))
    assert call("head", "a", "--json").json["content"].split() == [str(n) for n in range(10)]
    assert call("head", "-n", "2", "a", "--json").json["content"] == "0\n1\n"
    assert call("head", "-n", "0", "a", "--json").json["content"] == ""
    assert call("head", "-c", "3", "a", "--json").json["content"] == "0\n1"


def test_content_that_is_no_text_is_base64_in_json(call, directory):
    (directory / "a").write_bytes(b"\xff\x00")
    done = call("cat", "a", "--json").json
    assert (done["encoding"], done["content"]) == ("base64", "/wA=")


def test_du_sums_each_level(call, directory):
    for name, size in (("d/a/1", 10), ("d/a/b/2", 20), ("d/c/3", 5), ("d/4", 1)):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(b"x" * size)
    call("cp", "-r", "d", "artifacts:d")
    for top in ("artifacts:d", f"{directory}/d"):
        rows = [(row["path"], row["files"], row["size"]) for row in call("du", top, "--json").json]
        assert rows == [(f"{top}/a", 2, 30), (f"{top}/c", 1, 5), (top, 4, 36)]
        assert len(call("du", "--depth", "2", top, "--json").json) == 4
        assert [row["size"] for row in call("du", "-s", top, "--json").json] == [36]


def test_find_by_name_type_size_and_age(call, directory):
    (directory / "sub").mkdir()
    (directory / "sub/a.csv").write_bytes(b"x" * 2000)
    (directory / "b.csv").write_bytes(b"x")
    os.utime(directory / "b.csv", (0, 0))

    def names(*words):
        return [entry["name"] for entry in call("find", ".", *words, "--json").json]

    assert sorted(names()) == ["a.csv", "b.csv", "sub"]
    assert sorted(names("--name", "*.csv")) == ["a.csv", "b.csv"]
    assert names("--type", "d") == ["sub"]
    assert names("--larger", "1kB") == ["a.csv"]
    assert names("--newer", "1h", "--type", "f") == ["a.csv"]
    assert names("--newer", "2001-01-01", "--type", "f") == ["a.csv"]


def test_directories_that_object_storage_implies_are_found(call, s3_bucket):
    for key in ("a-b/1", "a/b/2", "a/b/3", "a/c/4"):
        from jupyter_storage.commands.session import session

        with session.service().create(f"s3://{s3_bucket}/{key}") as writer:
            writer.write(b"1")
            writer.commit()
    found = call("find", f"s3://{s3_bucket}/", "--type", "d", "--json").json
    assert [entry["path"].partition(f"{s3_bucket}/")[2] for entry in found] == [
        "a-b",
        "a",
        "a/b",
        "a/c",
    ]
    assert [entry["name"] for entry in found] == ["a-b", "a", "b", "c"]


def test_a_zip_holds_everything_and_replaces_nothing(call, directory):
    (directory / "d/empty").mkdir(parents=True)
    (directory / "d/ü.txt").write_text("1")
    assert call("zip", "d", "-o", "d.zip").out.startswith("Zipped 1 file")
    with zipfile.ZipFile(directory / "d.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["d/", "d/empty/", "d/ü.txt"]
    done = call("zip", "d", "-o", "d.zip")
    assert done.status == 1
    assert "exists" in done.err
    assert call("zip", "d", "-o", "shared:d.zip").status == 0
    assert call("zip", "d", "-o", "shared:d.zip", "--overwrite").status == 0


def test_a_link_works_without_credentials(call, directory, s3_bucket):
    import urllib.request

    (directory / "a").write_text("abc")
    assert call("cp", "a", f"s3://{s3_bucket}/a").status == 0
    done = call("url", f"s3://{s3_bucket}/a", "--expires", "5m", "--json").json
    assert done["expires"] == 300
    with urllib.request.urlopen(done["url"], timeout=10) as response:
        assert response.read() == b"abc"


def test_a_tree_goes_to_s3_and_comes_back(storage, directory, s3_bucket):
    (directory / "d/sub").mkdir(parents=True)
    for number in range(20):
        (directory / f"d/sub/{number}").write_text(str(number))
    assert storage("cp", "-r", "d", f"s3://{s3_bucket}/t").status == 0
    assert storage("cp", "-r", f"s3://{s3_bucket}/t", "back").status == 0
    assert (directory / "back/sub/19").read_text() == "19"


def test_env_can_be_evaluated_by_a_shell(storage, directory):
    import subprocess

    lines = storage("env").out
    values = storage("env", "--json").json
    shown = subprocess.run(
        ["bash", "-c", lines + 'printf "%s" "$JUPYTER_STORAGE_TIERS|$JUPYTER_STORAGE_BUCKET"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown == f"{values['JUPYTER_STORAGE_TIERS']}|{values['JUPYTER_STORAGE_BUCKET']}"


def test_the_command_line_wins_over_the_environment(call, tmp_path):
    tiers = call(f"--JupyterStorage.root={tmp_path}/other", "tiers", "--json").json
    assert tiers[0]["path"] == f"{tmp_path}/other/local_storage"
    assert json.loads(call("env", "--json").out)["JUPYTER_STORAGE_ROOT"] != f"{tmp_path}/other"


@pytest.mark.parametrize("words", [["tiers"], ["ls"], ["cp", "a", "shared:a"], ["du", "."]])
def test_json_is_one_document_and_nothing_else(storage, directory, words):
    (directory / "a").write_text("1")
    json.loads(storage(*words, "--json").out)
