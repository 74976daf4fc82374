"""Ignore rules; git itself is the oracle."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_storage.snapshots.ignore import Rules


def kept(project: Path, *, gitignore: bool = True) -> set[str]:
    """Files that are not left out, walking as a capture does."""
    found: set[str] = set()

    def enter(directory: Path, base: str, above: Rules) -> None:
        rules = above.enter(base, str(directory))
        for child in directory.iterdir():
            if rules.excludes(base + child.name, directory=child.is_dir()):
                continue
            if child.is_dir():
                enter(child, f"{base}{child.name}/", rules)
            else:
                found.add(base + child.name)

    enter(project, "", Rules.of_project(project, gitignore=gitignore))
    return found


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def test_gitignore_counts_in_work_trees_only(tmp_path):
    write(tmp_path, {".gitignore": "*.o\n", "a.o": "", "inner/.gitignore": "b\n", "inner/b": ""})
    assert {"a.o", "inner/b"} <= kept(tmp_path)
    (tmp_path / "inner/.git").mkdir()
    assert kept(tmp_path) == {".gitignore", "a.o", "inner/.gitignore"}
    (tmp_path / ".git").mkdir()
    assert kept(tmp_path) == {".gitignore", "inner/.gitignore"}
    assert kept(tmp_path, gitignore=False) >= {"a.o", "inner/b"}


def test_a_project_inside_of_a_work_tree_is_one(tmp_path):
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")  # as submodules have it
    write(tmp_path / "project", {".gitignore": "*.o\n", "a.o": "", "a.c": ""})
    assert kept(tmp_path / "project") == {".gitignore", "a.c"}


@pytest.mark.parametrize("name", [".storageignore", ".anyscaleignore"])
def test_our_own_files_count_everywhere(tmp_path, name):
    write(tmp_path, {name: "data/\n!data/keep\n", "data/keep": "", "src/data": ""})
    assert kept(tmp_path) == {name, "src/data"}


def test_a_deeper_file_and_a_later_line_decide(tmp_path):
    write(
        tmp_path,
        {
            ".storageignore": "*.log\n!*.log\n*.log\n",
            "a.log": "",
            "sub/.storageignore": "!b.log\n",
            "sub/b.log": "",
            "sub/c.log": "",
        },
    )
    assert kept(tmp_path) == {".storageignore", "sub/.storageignore", "sub/b.log"}


LINES = st.sampled_from(
    [
        "*.log",
        "!keep.log",
        "/a",
        "a/",
        "**/b",
        "a/**",
        "a/*",
        "!a/keep.log",
        "[ab]",
        "?",
        "\\!x",
        "# x",
        "a/b/c",
        "!/a/b/",
        "**/c/**",
        "b/*/c",
        " ",
        "*",
        "!*/",
        "!b",
    ]
)
NAMES = [
    "a/b/c",
    "a/keep.log",
    "b/a/c",
    "b/x.log",
    "c/keep.log",
    "x.log",
    "!x",
    "keep.log",
    "d/b/e",
]


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(LINES, max_size=5),
    deeper=st.lists(LINES, max_size=3),
    where=st.sampled_from("ab"),
)
def test_the_rules_are_gits(tmp_path_factory, lines, deeper, where):
    project = tmp_path_factory.mktemp("project")
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    write(project, dict.fromkeys(NAMES, ""))
    write(project, {".gitignore": "\n".join(lines), f"{where}/.gitignore": "\n".join(deeper)})
    listed = subprocess.run(
        [
            "git",
            "-C",
            str(project),
            "ls-files",
            "-z",
            "--others",
            "--exclude-per-directory=.gitignore",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    shutil.rmtree(project / ".git")
    (project / ".git").mkdir()
    assert kept(project) == set(filter(None, listed.stdout.split("\0")))
