from __future__ import annotations

import json

import pytest


@pytest.fixture
def project(directory):
    (directory / "sub").mkdir()
    (directory / "sub/a.txt").write_text("one\n")
    return directory


def take(call):
    return call("snapshot", "now", "--json").json["short_id"]


def test_a_snapshot_is_looked_into(call, project):
    first = take(call)
    (project / "sub/a.txt").write_text("two and more\n")
    second = take(call)
    assert [each["path"] for each in call("snapshot", "show", first, "--json").json] == ["sub"]
    assert "sub/a.txt" in call("snapshot", "show", first, "sub").out
    assert call("snapshot", "show", "latest", "sub/a.txt", "--json").json["size"] == 13
    assert call("snapshot", "cat", first, "sub/a.txt").out == "one\n"
    assert call("snapshot", "cat", second, "sub/a.txt", "--json").json["content"] == (
        "two and more\n"
    )
    versions = call("snapshot", "versions", "sub/a.txt", "--json").json
    assert [each["snapshot"][:8] for each in versions] == [second, first]
    assert "as it is now" in call("snapshot", "versions", "sub/a.txt").out


def test_paths_are_relative_to_where_one_is(call, project, monkeypatch, tmp_path):
    first = take(call)
    monkeypatch.setenv("JUPYTER_STORAGE_PROJECT", str(project))
    monkeypatch.chdir(project / "sub")
    assert call("snapshot", "cat", first, "a.txt").out == "one\n"
    assert call("snapshot", "cat", first, "../sub/a.txt").out == "one\n"
    assert call("snapshot", "cat", first, project / "sub/a.txt").out == "one\n"
    monkeypatch.chdir(tmp_path)
    assert call("snapshot", "cat", first, "sub/a.txt").out == "one\n"
    done = call("snapshot", "cat", first, "/etc/passwd")
    assert done.status == 2
    assert "outside of the project directory" in done.err


def test_differences_are_shown(call, project):
    (project / "b.txt").write_text("b")
    first = take(call)
    (project / "sub/a.txt").write_text("two\n")
    (project / "b.txt").unlink()
    second = take(call)
    for words in ([], [second], [first, second], [first, "latest"]):
        out = call("snapshot", "diff", *words).out
        assert out.splitlines()[:2] == ["-  b.txt", "M  sub/a.txt"]
        assert "1 removed, 1 changed" in out
    assert call("snapshot", "diff", first, second, "--json").json["removed"] == 1
    assert "-one\n+two" in call("snapshot", "diff", first, second, "sub/a.txt").out
    (project / "sub/a.txt").write_text("three\n")
    assert "-one\n+three" in call("snapshot", "diff", first, "now", "sub/a.txt").out
    done = call("snapshot", "diff", first, "now")
    assert done.status == 2
    assert "compare with 'latest'" in done.err
    assert "No file differs" in call("snapshot", "diff", first, first).out


def test_a_notebook_is_compared_cell_by_cell(call, project):
    def write(source):
        cell = {"cell_type": "code", "id": "c1", "metadata": {}, "outputs": [], "source": source}
        (project / "n.ipynb").write_text(
            json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )

    write("x = 1")
    first = take(call)
    write("x = 2")
    out = call("snapshot", "diff", first, "now", "n.ipynb").out
    assert "cell 1 → 1  code  changed  (id c1)" in out
    assert "-x = 1" in out
    assert "+x = 2" in out


def test_one_cell_of_a_notebook_comes_back_and_it_can_be_undone(call, project):
    def write(*sources):
        cells = [
            {"cell_type": "raw", "id": f"c{i}", "metadata": {}, "source": source}
            for i, source in enumerate(sources)
        ]
        text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        (project / "n.ipynb").write_text(text)
        return text

    write("one", "two")
    first = take(call)
    before = write("1", "2")
    done = call("snapshot", "restore", first, "n.ipynb", "--cell", "c1")
    assert done.out.startswith(f"Cell 2 of n.ipynb is as it was in snapshot {first}")
    after = (project / "n.ipynb").read_text()
    assert after == write("1", "two")
    undo = done.err.partition("To undo it: jupyter storage ")[2].split()
    assert call(*undo).status == 0
    assert (project / "n.ipynb").read_text() == before
    assert (
        call("snapshot", "restore", first, "n.ipynb", "--cell", "1", "--json").json["number"] == 1
    )
    for words in ((first, "--cell", "1"), (first, "n.ipynb", "--cell", "1", "--overwrite")):
        done = call("snapshot", "restore", *words)
        assert done.status == 2
        assert "--cell 3" in done.err


def test_what_is_not_there_is_told(call, project):
    done = call("snapshot", "versions", "a.txt")
    assert done.status == 1
    assert "no snapshots of this workspace yet" in done.err
    first = take(call)
    for words in (
        ("versions", "missing.txt"),
        ("cat", first, "missing.txt"),
        ("show", first, "missing"),
        ("diff", first, "ffffffff"),
    ):
        done = call("snapshot", *words)
        assert done.status == 1, words
        assert done.err
