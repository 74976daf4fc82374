"""The main job on real input, through the command, as a person does it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.slow

SDIST = "jupyterlab==4.4.0"


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory):
    """A released source tree: more than a thousand files, some with odd names."""
    directory = tmp_path_factory.mktemp("sdist")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", SDIST]
    # What builds it is among the tests' packages: a build environment of its own takes long.
    download += ["--no-binary=:all:", "--no-build-isolation", f"--dest={directory}"]
    done = subprocess.run(download, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the package index gave no source tree: {done.stderr[-500:]}")
    (archive,) = directory.glob("*.tar.gz")
    (directory / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", directory / "unpacked"], check=True)
    (tree,) = (directory / "unpacked").iterdir()
    (tree / "empty directory").mkdir()
    (tree / "empty file").touch()
    (tree / "<img src=x onerror=alert(1)> ünï.txt").write_text("hostile")
    return tree


@pytest.fixture(params=["embedded", "s3"])
def environment(request, tmp_path):
    environ = {**os.environ, "JUPYTER_STORAGE_WORKSPACE_ID": "acceptance"}
    if request.param == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        environ |= os.environ  # with the server's address and credentials
        environ["JUPYTER_STORAGE_BUCKET"] = f"s3://{bucket}"
        environ["JUPYTER_STORAGE_ORG_ID"] = "org"
    return environ


@pytest.fixture
def storage(environment, tmp_path):
    def run(*words, cwd=tmp_path):
        command = [sys.executable, "-m", "jupyter_storage.cli", *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=cwd, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def assert_same(one, other):
    done = subprocess.run(
        ["diff", "-r", "--no-dereference", str(one), str(other)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:2000] + done.stderr[:2000]


def test_a_tree_goes_to_the_object_tier_and_comes_back(storage, source_tree, tmp_path):
    storage("cp", "-r", source_tree, "artifacts:trees/lab")
    storage("cp", "-r", "artifacts:trees/lab", tmp_path / "back")
    assert_same(source_tree, tmp_path / "back")
    listing = json.loads(storage("ls", "artifacts:trees/lab", "--json"))
    assert {entry["name"] for entry in listing} == {path.name for path in source_tree.iterdir()}


def test_a_tree_is_zipped_and_unpacked(storage, source_tree, tmp_path):
    storage("cp", "-r", source_tree, "artifacts:tree")
    storage("zip", "artifacts:tree", "-o", tmp_path / "tree.zip")
    with zipfile.ZipFile(tmp_path / "tree.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "python")
    assert_same(source_tree, tmp_path / "python/tree")
    if shutil.which("unzip"):
        subprocess.run(
            ["unzip", "-q", str(tmp_path / "tree.zip"), "-d", str(tmp_path / "unzip")],
            check=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert_same(source_tree, tmp_path / "unzip/tree")


def test_a_tree_is_snapshotted_and_restored(storage, source_tree, tmp_path, environment):
    project = tmp_path / "project"
    shutil.copytree(source_tree, project, symlinks=True)
    taken = json.loads(storage("snapshot", "now", "--json", "--project", project))
    listed = json.loads(storage("snapshot", "list", "--json", "--project", project))
    assert [snapshot["id"] for snapshot in listed] == [taken["id"]]
    storage("snapshot", "restore", taken["id"], "--target", tmp_path / "ours", "--project", project)
    assert_same(project, tmp_path / "ours")

    if not shutil.which("restic"):
        pytest.skip("stock restic is not installed")
    variables = json.loads(storage("snapshot", "env", "--json", "--project", project))
    stock = {**environment, **variables, "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    for words in (["check", "--read-data"], ["restore", "latest", "--target", tmp_path / "stock"]):
        done = subprocess.run(
            ["restic", *map(str, words)], env=stock, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert_same(project, tmp_path / "stock" / project.relative_to("/"))


def test_the_tree_moves_between_tiers_and_is_counted(storage, source_tree):
    storage("cp", "-r", source_tree, "shared:tree")
    storage("mv", "shared:tree", "artifacts:moved/tree")
    assert json.loads(storage("ls", "shared:", "--json")) == []
    files = sum(len(names) for _, _, names in os.walk(source_tree))
    found = json.loads(storage("find", "artifacts:moved", "--type", "f", "--json"))
    assert len(found) == files
