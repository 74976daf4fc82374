"""Looking into snapshots: versions of a file, listings, differences, cells of notebooks."""

import json
import os
import shutil
from pathlib import Path

import pytest
from oracle import Restic

from jupyter_storage.errors import InvalidPath, InvalidRequest, NotADirectory, NotFound
from jupyter_storage.snapshots.history import History
from jupyter_storage.snapshots.workspace import Workspace


def open_workspace(tmp_path, project, machine="one"):
    base = f"file://{tmp_path}/bucket"
    return Workspace(
        project=project,
        workspace="w1",
        uri=f"{base}/org/cloud/workspaces/w1",
        options={},
        fallback_uri=None,
        state=tmp_path / machine,
    )


@pytest.fixture
def workspace(tmp_path, project):
    workspace = open_workspace(tmp_path, project)
    yield workspace
    if shutil.which("restic") and workspace.list():
        variables = workspace.environment()
        Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables).check()


@pytest.fixture
def history(workspace):
    return History(workspace)


@pytest.fixture
def save(workspace, project):
    """Write files and take a snapshot; None removes one."""

    def save(**files):
        for name, content in files.items():
            path = project / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return workspace.now(force=True)

    return save


def text(history, snapshot, path, **options):
    return b"".join(history.open(snapshot, path, **options)).decode()


def test_each_content_of_a_file_is_one_version_with_its_snapshots(history, save, project):
    one = save(a_txt="one")
    again = save(b_txt="other")
    two = save(a_txt="two!")
    versions = history.versions("a.txt")
    assert [each.size for each in versions] == [4, 3]
    assert [each.current for each in versions] == [True, False]
    assert versions[0].snapshots == (two.id,)
    assert versions[1].snapshots == (again.id, one.id)
    assert (versions[1].first, versions[1].last) == (one.time, again.time)
    assert [text(history, each.snapshot, "a.txt") for each in versions] == ["two!", "one"]


def test_a_touched_file_is_no_new_version_and_one_that_came_back_is(history, save, project):
    save(a_txt="one")
    os.utime(project / "a.txt", (1, 1))
    save()
    assert len(history.versions("a.txt")) == 1
    assert history.versions("a.txt")[0].current
    save(a_txt="two")
    save(a_txt=None)
    save(a_txt="one")
    assert [text(history, v.snapshot, "a.txt") for v in history.versions("a.txt")] == [
        "one",
        "two",
        "one",
    ]


def test_a_deleted_file_has_its_versions_and_an_unknown_one_none(history, save):
    save(gone_txt="x")
    save(gone_txt=None)
    (version,) = history.versions("gone.txt")
    assert not version.current
    for path in ("never.txt", "gone.txt/below"):
        with pytest.raises(NotFound, match="No snapshot has"):
            history.versions(path)
    for path in ("../x", "a/./b"):
        with pytest.raises(InvalidPath):
            history.versions(path)


def test_a_look_for_versions_reads_only_the_trees_on_the_way(history, save, project, workspace):
    for name in ("far/one", "far/two", "near"):
        (project / name).mkdir(parents=True)
        (project / name / "file").write_text(name)
    for i in range(5):
        save(near__a_txt=str(i))
    repository = workspace.repository()
    read = []
    load = repository.load_tree
    repository.load_tree = lambda tree: read.append(tree) or load(tree)
    assert len(history.versions("near/a.txt")) == 5
    depth = len(project.resolve().parts)
    # For each snapshot the way down to 'near', and nothing of what lies beside it.
    assert len(read) <= 5 * (depth + 1) * 2
    far = {node["subtree"] for node in load(_subtree(workspace, history, "far"))}
    assert not far & set(read)
    read.clear()
    history.versions("near/a.txt")
    assert read == []


def _subtree(workspace, history, path):
    trees = history._opened()
    snapshot = history._snapshot("latest")
    return trees.descend(trees.project(snapshot), path)["subtree"]


def test_another_process_sees_the_same(save, tmp_path, project):
    save(a_txt="one")
    save(a_txt="two")
    other = History(open_workspace(tmp_path, project, "two"))
    assert len(other.versions("a.txt")) == 2
    assert text(other, "latest", "a.txt") == "two"


def test_a_directory_is_listed_in_pages_directories_first(history, save):
    save(z_txt="z", a_txt="a", sub__b_txt="b", another__c_txt="c")
    page = history.list("latest")
    assert [each.name for each in page.entries] == ["another", "sub", "a.txt", "z.txt"]
    assert page.cursor is None
    names, cursor = [], None
    while True:
        page = history.list("latest", limit=3, cursor=cursor)
        names += [each.name for each in page.entries]
        if (cursor := page.cursor) is None:
            break
    assert names == ["another", "sub", "a.txt", "z.txt"]
    (entry,) = history.list("latest", "sub").entries
    assert (entry.path, entry.name, entry.size, entry.type) == ("sub/b.txt", "b.txt", 1, "file")
    assert history.stat("latest", "sub").is_directory
    with pytest.raises(NotADirectory):
        history.list("latest", "a.txt")
    with pytest.raises(NotFound, match="no such file"):
        history.list("latest", "nothing")


def test_what_cannot_be_shown_is_left_out_and_links_are_links(history, save, project):
    os.mkfifo(project / "pipe")
    (project / "link").symlink_to("/etc/passwd")
    save(a_txt="a")
    assert [each.name for each in history.list("latest").entries] == ["a.txt", "link"]
    link = history.stat("latest", "link")
    assert (link.type, link.link, link.size) == ("symlink", "/etc/passwd", None)
    with pytest.raises(InvalidRequest, match="no file"):
        text(history, "latest", "link")


def test_a_name_that_is_not_utf_8_is_shown_and_can_be_asked_for(history, save, project):
    raw = os.fsencode(project) + b"/bad\xff.txt"
    Path(os.fsdecode(raw)).write_text("strange")
    save()
    (entry,) = history.list("latest").entries
    assert entry.path == "bad\ufffd.txt"
    json.dumps(entry.path).encode()
    assert text(history, "latest", entry.path) == "strange"
    assert len(history.versions(entry.path)) == 1


def test_a_range_of_a_large_file_is_the_right_one(history, save, project):
    data = os.urandom(9_000_000)
    save(large_bin=data)
    assert b"".join(history.open("latest", "large.bin")) == data
    for offset, length in ((0, 10), (4_500_000, 3_000_000), (8_999_999, 100), (9_000_000, 5)):
        found = b"".join(history.open("latest", "large.bin", offset=offset, length=length))
        assert found == data[offset : offset + length]


def test_a_comparison_names_what_came_went_and_changed(history, save, project):
    save(same_txt="s", old_txt="old", mode_txt="m", change_txt="aa", dir__deep__x_txt="x")
    (project / "kind").write_text("a file")
    before = save()
    (project / "kind").unlink()
    (project / "kind").mkdir()
    (project / "kind/inside").write_text("12345")
    (project / "mode.txt").chmod(0o600)
    shutil.rmtree(project / "dir")
    after = save(old_txt=None, change_txt="bbbb", new__n_txt="new")
    found = history.compare(after.id)
    assert (found.before, found.after, found.complete) == (before.id, after.id, True)
    assert [(each.path, each.change, each.type) for each in found.entries] == [
        ("change.txt", "changed", "file"),
        ("dir", "removed", "directory"),
        ("dir/deep", "removed", "directory"),
        ("dir/deep/x.txt", "removed", "file"),
        ("kind", "type", "directory"),
        ("kind/inside", "added", "file"),
        ("mode.txt", "attributes", "file"),
        ("new", "added", "directory"),
        ("new/n.txt", "added", "file"),
        ("old.txt", "removed", "file"),
    ]
    assert (found.added, found.removed, found.changed) == (2, 2, 2)
    assert (found.bytes_added, found.bytes_removed) == (2 + 5 + 3, 1 + 6 + 3)
    back = history.compare(before.id, after.id)
    assert (back.added, back.removed) == (2, 2)
    inside = history.compare(after.id, before.id, "dir")
    assert [each.path for each in inside.entries] == ["dir", "dir/deep", "dir/deep/x.txt"]
    cut = history.compare(after.id, limit=3)
    assert (len(cut.entries), cut.complete, cut.added) == (3, False, 2)
    with pytest.raises(NotFound, match="Neither"):
        history.compare(after.id, before.id, "nowhere")


def test_the_first_snapshot_is_compared_with_nothing(history, save):
    first = save(a_txt="a")
    found = history.compare(first.id)
    assert found.before is None
    assert [(each.path, each.change) for each in found.entries] == [("a.txt", "added")]


def test_equal_directories_are_not_read_for_a_comparison(history, save, project, workspace):
    for i in range(30):
        (project / f"d{i:02}").mkdir()
        (project / f"d{i:02}" / "file").write_text(str(i))
    before = save()
    after = save(**{"d07__file": "changed"})
    repository = workspace.repository()
    read = []
    load = repository.load_tree
    repository.load_tree = lambda tree: read.append(tree) or load(tree)
    found = history.compare(after.id, before.id)
    assert [each.path for each in found.entries] == ["d07/file"]
    # The way down, of both, and one directory of the thirty.
    assert len(read) <= 2 * (len(project.resolve().parts) + 1) + 1


def test_the_pruned_past_does_not_hide_the_rest(history, save, workspace, tmp_path):
    """Stock restic prunes while the index is in memory: packs move, and are found again."""
    if not shutil.which("restic"):
        pytest.skip("stock restic is not installed")
    first = save(a_txt="one", b_txt="b" * 3000)
    save(a_txt="two", b_txt=None)
    keep = save(a_txt="three")
    assert len(history.versions("a.txt")) == 3
    variables = workspace.environment()
    restic = Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables)
    restic("forget", "--prune", "--max-unused", "0", first.id)
    assert [each.size for each in history.versions("a.txt")] == [5, 3]
    assert text(history, keep.id, "a.txt") == "three"
    with pytest.raises(NotFound):
        history.stat(first.id, "a.txt")


def test_text_is_compared_with_the_file_as_it_is_now(history, save, project):
    old = save(a_txt="one\ntwo\nthree\n")
    (project / "a.txt").write_text("one\n2\nthree\nfour")
    found = history.compare_file(old.id, "a.txt")
    assert found.kind == "text"
    assert found.diff.splitlines() == [
        "@@ -1,3 +1,4 @@",
        " one",
        "-two",
        "+2",
        " three",
        "+four",
        "\\ No newline at end of file",
    ]
    newer = save()
    assert history.compare_file(old.id, "a.txt", newer.id).diff == found.diff
    assert history.compare_file(newer.id, "a.txt").kind == "same"
    (project / "a.txt").unlink()
    gone = history.compare_file(newer.id, "a.txt")
    assert (gone.kind, gone.size_after, gone.diff) == ("missing", None, "one\n2\nthree\nfour")


def test_what_is_no_text_or_too_large_is_said(history, save, project):
    old = save(a_bin=b"\0\1", b_bin=b"\xff\xfe", large_txt="x" * 5_000_000)
    (project / "a.bin").write_bytes(b"text now")
    (project / "b.bin").write_bytes(b"\xff")
    assert history.compare_file(old.id, "a.bin").kind == "binary"
    assert history.compare_file(old.id, "b.bin").kind == "binary"
    found = history.compare_file(old.id, "large.txt")
    assert (found.kind, found.size_before, found.size_after) == ("large", 5_000_000, 5_000_000)
    with pytest.raises(InvalidRequest, match="no file"):
        history.compare_file(old.id, "")


def test_a_comparison_does_not_leave_the_project_directory(history, save, project, tmp_path):
    old = save(a_txt="mine")
    (tmp_path / "secret").write_text("secret")
    (project / "a.txt").unlink()
    (project / "a.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidRequest, match="leads out"):
        history.compare_file(old.id, "a.txt")


def notebook(*cells, **more):
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": identifier,
                    "metadata": {},
                    "outputs": [],
                    "source": source.splitlines(keepends=True),
                }
                for identifier, source in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
            **more,
        },
        indent=1,
    )


def test_a_notebook_is_compared_cell_by_cell(history, save):
    old = save(n_ipynb=notebook(("a", "1"), ("b", "x = 1\ny = 2"), ("c", "gone")))
    save(n_ipynb=notebook(("a", "1"), ("new", "z"), ("b", "x = 1\ny = 3")))
    found = history.compare_file(old.id, "n.ipynb")
    assert found.kind == "notebook"
    assert [(each.change, each.before, each.after, each.id) for each in found.cells] == [
        ("same", 1, 1, "a"),
        ("added", None, 2, "new"),
        ("changed", 2, 3, "b"),
        ("removed", 3, None, "c"),
    ]
    assert found.cells[2].source.splitlines()[1:] == [
        " x = 1",
        "-y = 2",
        "+y = 3",
    ]


def test_one_cell_comes_back_and_the_rest_stays_as_it_is(history, save, project, workspace):
    first = save(n_ipynb=notebook(("a", "load()"), ("b", "train()")))
    save(n_ipynb=notebook(("a", "load(1)"), ("b", "train()")))
    save(n_ipynb=notebook(("a", "load(2)"), ("b", "train(2)")))
    (project / "n.ipynb").chmod(0o640)
    (project / "n.ipynb").write_text(notebook(("a", "unsaved"), ("b", "train(3)")))
    done = history.restore_cell(first.id, "n.ipynb", "a")
    assert (done.number, done.replaced, done.snapshot) == (1, True, first.id)
    assert (project / "n.ipynb").read_text() == notebook(("a", "load()"), ("b", "train(3)"))
    assert (project / "n.ipynb").stat().st_mode & 0o777 == 0o640
    # What was there before is in a snapshot.
    assert "unsaved" in text(history, done.saved, "n.ipynb")
    assert workspace.list()[0].id == done.saved


def test_a_cell_that_cannot_come_back_changes_nothing(history, save, project):
    first = save(n_ipynb=notebook(("a", "1")), t_ipynb="no notebook", x_txt="x")
    for path, cell, error in (
        ("n.ipynb", "2", NotFound),
        ("n.ipynb", "0", NotFound),
        ("t.ipynb", "a", InvalidRequest),
        ("x.txt", "1", InvalidRequest),
        ("missing.ipynb", "1", NotFound),
    ):
        with pytest.raises(error) as caught:
            history.restore_cell(first.id, path, cell)
        assert path in str(caught.value)
    (project / "n.ipynb").unlink()
    with pytest.raises(NotFound, match="not there any more"):
        history.restore_cell(first.id, "n.ipynb", "a")
    assert not (project / "n.ipynb").exists()
