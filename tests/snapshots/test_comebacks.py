"""A start on a new machine: what comes first, and what is told meanwhile."""

import pytest
from oracle import Restic, tree_of

from jupyter_storage.snapshots import standing
from jupyter_storage.snapshots.workspace import Workspace


@pytest.fixture
def make(tmp_path):
    made = []

    def make(machine, uri=f"file://{tmp_path}/bucket/w1", **options):
        project = tmp_path / machine / "project"
        project.mkdir(parents=True, exist_ok=True)
        made.append(
            Workspace(
                project=project,
                workspace="w1",
                uri=uri,
                options={},
                fallback_uri=None,
                state=tmp_path / machine / "state",
                interval=0.2,
                **options,
            )
        )
        return made[-1]

    yield make
    for workspace in made:
        workspace.stop(0.1)
    variables = made[0].environment()
    Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables).check()


@pytest.fixture
def saved(make):
    """A workspace of some files, in a snapshot."""
    workspace = make("one")
    (workspace.project / "directory").mkdir()
    for number in range(50):
        (workspace.project / f"directory/{number:02}.txt").write_text(f"{number}\n" * 100)
    (workspace.project / "directory/model.bin").write_bytes(bytes(range(256)) * 8192)
    (workspace.project / "notebook.ipynb").write_text("{}")
    workspace.now()
    return workspace


def written(project):
    """Keys of files, in the order in which they came."""
    files = [path for path in project.rglob("*") if path.is_file()]
    files.sort(key=lambda path: path.stat().st_ctime_ns)
    return [path.relative_to(project).as_posix() for path in files]


def come_back(workspace):
    workspace.start()
    while workspace.status().state not in {"ok", "error"}:
        workspace._stopping.wait(0.05)
    assert workspace.status().error is None


def test_files_that_were_open_come_first_then_notebooks(make, saved, tmp_path):
    # One that is gone meanwhile, and the largest, which would come last.
    saved.documents.note(["gone.txt", "directory/model.bin"])
    assert b"model" not in (tmp_path / "bucket/w1/snapshots.open").read_bytes()
    there = make("two")
    come_back(there)
    assert written(there.project)[:2] == ["directory/model.bin", "notebook.ipynb"]
    assert tree_of(there.project) == tree_of(saved.project)


def test_without_a_note_or_with_a_broken_one_everything_comes_back(make, saved, tmp_path):
    note = tmp_path / "bucket/w1/snapshots.open"
    for number, content in enumerate((None, b"", b"x" * 100)):
        if content is not None:
            note.write_bytes(content)
        there = make(f"other{number}")
        come_back(there)
        assert written(there.project)[0] == "notebook.ipynb"
        there.stop()


def test_nothing_is_noted_before_there_is_a_repository(make, saved, tmp_path):
    make("new", uri=f"file://{tmp_path}/elsewhere").documents.note(["a"])
    assert not (tmp_path / "elsewhere").exists()


def test_how_far_it_is_is_told_here_and_to_other_processes(make, saved, monkeypatch):
    monkeypatch.setattr(standing, "_TELL", 0.0)
    told, seen = [], []
    other = make("two")

    def hear(status):
        if status.state == "restoring":
            told.append(status.restoring)
            seen.append(other.status())

    come_back(make("two", listener=hear))
    assert (told[0].files, told[0].bytes) == (0, 0)
    total = 52
    assert all(each.files_total == total for each in told)
    assert [each.files for each in told] == sorted(each.files for each in told)
    assert told[-1].files == total
    assert told[-1].bytes == told[-1].bytes_total
    assert {each.state for each in seen} == {"restoring"}
    assert seen[0].restoring.files_total == total
    assert other.status().state == "unwatched"
    assert other.status().restoring is None
