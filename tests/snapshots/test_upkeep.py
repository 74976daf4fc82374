"""Upkeep of a workspace: thinning, pins, keys, and the daily run in the worker."""

import json
import os
import stat
import threading
import time

import pytest
from oracle import Restic

from jupyter_storage.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, Unsupported
from jupyter_storage.snapshots.diary import Diary
from jupyter_storage.snapshots.maintenance import maintain
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.snapshots.session import Session
from jupyter_storage.snapshots.upkeep import Upkeep
from jupyter_storage.snapshots.workspace import Workspace
from jupyter_storage.stores.opening import open_store

DAY = 86400


@pytest.fixture
def make(tmp_path, project):
    made = []

    def make(machine="one", **options):
        values = {
            "project": project,
            "workspace": "w1",
            "uri": f"file://{tmp_path}/bucket/workspaces/w1",
            "options": {},
            "fallback_uri": None,
            "state": tmp_path / machine,
            "interval": 0.2,
        }
        made.append(Workspace(**values | options))
        return made[-1]

    yield make
    for workspace in made:
        workspace.stop(0.1)


@pytest.fixture
def workspace(make, project):
    (project / "file").write_text("1")
    workspace = make()
    workspace.now()
    return workspace


def stock(workspace, tmp_path):
    variables = workspace.environment()
    return Restic(variables.pop("RESTIC_REPOSITORY"), tmp_path, **variables)


def age(workspace, project, *days):
    """More snapshots, of different content, this old."""
    repository = workspace.repository()
    for days_ago in days:
        (project / "file").write_bytes(os.urandom(3000))
        taken = workspace.now()
        wire = repository.load_unpacked("snapshots", taken.id)
        moment = time.gmtime(time.time() - days_ago * DAY)
        wire["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
        # An epoch would say that it is newer than its time.
        wire["tags"] = [tag for tag in wire["tags"] if not tag.startswith("epoch:")]
        repository.save_unpacked("snapshots", wire)
        repository.delete_file("snapshots", taken.id)


def marks(workspace):
    from pathlib import Path

    return Path(workspace.place().uri.removeprefix("file://") + ".upkeep")


def pass_a_day(workspace):
    for path in marks(workspace).glob("pass-*"):
        os.utime(path, (path.stat().st_mtime - DAY, path.stat().st_mtime - DAY))


def test_old_snapshots_are_forgotten_and_their_data_goes_a_day_later(workspace, project, tmp_path):
    age(workspace, project, 100, 90, 80)
    upkeep = Upkeep(workspace)
    plan = upkeep.forget(dry_run=True)
    assert (plan.forgotten, plan.kept, plan.dry_run) == (3, 1, True)
    assert len(workspace.list()) == 4
    done = upkeep.forget()
    assert (done.forgotten, done.kept, done.dry_run) == (3, 1, False)
    assert done.snapshots == plan.snapshots
    assert upkeep.forget().forgotten == 0
    assert len(workspace.list()) == 1
    first = upkeep.prune()
    assert first.bytes_deleted == 0
    assert first.bytes_waiting > 9000
    pass_a_day(workspace)
    assert upkeep.prune().bytes_deleted == first.bytes_waiting
    assert workspace.restore("latest", tmp_path / "out").files == 1
    stock(workspace, tmp_path).check()


def test_the_policy_is_the_configured_one(workspace, project):
    age(workspace, project, 100, 90)
    assert Upkeep(workspace, "all forever").forget().forgotten == 0
    with pytest.raises(InvalidRequest, match="snapshot_retention"):
        Upkeep(workspace, "most of them").forget()
    assert Upkeep(workspace, "all for 95d").forget().forgotten == 1


def test_a_pinned_snapshot_stays_until_it_is_unpinned(workspace, project, tmp_path):
    age(workspace, project, 100, 90)
    upkeep = Upkeep(workspace)
    old = workspace.list()[-1]
    pinned = upkeep.pin(old.id)
    assert pinned.id != old.id
    assert pinned.tags == (*old.tags, "pinned")
    assert (pinned.time, pinned.paths, pinned.files) == (old.time, old.paths, old.files)
    assert upkeep.pin(pinned.id) == pinned
    assert upkeep.forget().forgotten == 1
    assert [each.id for each in workspace.list()][-1] == pinned.id
    plain = upkeep.unpin(pinned.id)
    assert plain.tags == old.tags
    assert upkeep.forget().forgotten == 1
    stock(workspace, tmp_path).check()


def test_a_name_is_given_replaced_and_taken_away(workspace):
    upkeep = Upkeep(workspace)
    assert upkeep.name("latest", " before the talk ").tags[-1] == "name:before the talk"
    renamed = upkeep.name("latest", "after, with ünïcode")
    assert [tag for tag in renamed.tags if tag.startswith("name:")] == ["name:after, with ünïcode"]
    assert len(workspace.list()) == 1
    assert not any(tag.startswith("name:") for tag in upkeep.name("latest", "").tags)
    for bad in ("two\nlines", "x" * 101, "\x1b[31m"):
        with pytest.raises(InvalidRequest, match="cannot be the name"):
            upkeep.name("latest", bad)
    with pytest.raises(NotFound):
        upkeep.pin("0123456789")


def test_stock_restic_sees_the_tags_and_the_first_id(workspace, tmp_path):
    first = workspace.list()[0]
    second = Upkeep(workspace).pin("latest")
    third = Upkeep(workspace).name("latest", "x")
    (seen,) = json.loads(stock(workspace, tmp_path)("snapshots", "--json"))
    assert seen["id"] == third.id
    assert seen["original"] == first.id != second.id
    assert seen["tags"] == [*first.tags, "pinned", "name:x"]


def test_what_others_noted_in_a_snapshot_stays_when_it_is_pinned(workspace, project, tmp_path):
    restic = stock(workspace, tmp_path)
    (project / "left out").write_text("x")
    restic("backup", "--exclude", "left out", "--tag", workspace.tag, project)
    Upkeep(workspace).pin(workspace.list()[0].id)
    newest = json.loads(restic("snapshots", "--json"))[-1]
    assert newest["excludes"] == ["left out"]
    assert "pinned" in newest["tags"]
    restic.check()


def test_checks_and_repairs_reach_the_repository(workspace, project, tmp_path):
    upkeep = Upkeep(workspace)
    read = []
    found = upkeep.check(percent=100, progress=lambda size, packs: read.append(packs))
    assert (found.failures, found.packs_read, sum(read)) == ((), found.packs, found.packs)
    root = tmp_path / "bucket/workspaces/w1/snapshots"
    for path in (root / "index").iterdir():
        path.unlink()
    assert upkeep.check().failures
    assert upkeep.repair().packs_added == found.packs
    assert upkeep.check(percent=100).failures == ()
    stock(workspace, tmp_path).check()


def test_without_snapshots_it_says_how_to_begin(make):
    with pytest.raises(NotFound, match="no snapshots of this workspace yet"):
        Upkeep(make()).prune()


# Keys


def test_a_second_password_opens_the_repository_until_it_is_removed(workspace, make, tmp_path):
    upkeep = Upkeep(workspace)
    (only,) = upkeep.list_keys()
    assert only.current
    added = upkeep.add_key("my own")
    assert (added.current, len(upkeep.list_keys())) == (False, 2)
    with pytest.raises(AlreadyExists, match="has this password already"):
        upkeep.add_key("my own")
    (tmp_path / "mine").write_text("my own\n")
    other = make("two", password_file=str(tmp_path / "mine"))
    assert len(other.list()) == 1
    stock(other, tmp_path).check()
    assert upkeep.remove_key(added.short_id).id == added.id
    assert upkeep.list_keys() == [only]
    stock(workspace, tmp_path).check()


def test_nobody_locks_himself_out(workspace):
    upkeep = Upkeep(workspace)
    (only,) = upkeep.list_keys()
    with pytest.raises(Conflict, match="opens the repository here"):
        upkeep.remove_key(only.id)
    upkeep.add_key("another")
    with pytest.raises(Conflict, match="opens the repository here"):
        upkeep.remove_key(only.id)
    with pytest.raises(NotFound, match="no key 'zz'"):
        upkeep.remove_key("zz")
    with pytest.raises(InvalidRequest, match="Name a key"):
        upkeep.remove_key("")
    assert len(upkeep.list_keys()) == 2


def test_the_password_is_changed_for_all_machines(workspace, make, project, tmp_path):
    shared = tmp_path / "bucket/workspaces/w1/snapshots.password"
    before = shared.read_text()
    other = make("two")
    assert len(other.list()) == 1
    other.start()
    wait_for(lambda: other.status().state == "ok")
    key = Upkeep(workspace).change_password()
    assert shared.read_text() != before
    assert stat.S_IMODE(shared.stat().st_mode) == 0o600
    assert [each.id for each in Upkeep(workspace).list_keys()] == [key.id]
    stock(workspace, tmp_path).check()
    # The running server of another machine finds the new one by itself.
    other._capturer._child.close()
    (project / "file").write_text("later")
    wait_for(lambda: other.status().state == "ok" and len(workspace.list()) == 2)
    (tmp_path / "old").write_text(before)
    repository = str(shared.with_name("snapshots"))
    old = Restic(repository, tmp_path, RESTIC_PASSWORD_FILE=str(tmp_path / "old"))
    with pytest.raises(AssertionError, match="wrong password"):
        old("snapshots")


def test_a_password_from_elsewhere_is_not_changed_for_a_person(make, project, tmp_path):
    (tmp_path / "mine").write_text("my own\n")
    workspace = make(password_file=str(tmp_path / "mine"))
    workspace.now()
    with pytest.raises(Unsupported, match="comes from the file") as caught:
        Upkeep(workspace).change_password()
    assert "key add" in caught.value.hint
    assert (tmp_path / "mine").read_text() == "my own\n"
    assert len(Upkeep(workspace).list_keys()) == 1


def test_an_empty_password_is_a_choice(make, project, tmp_path):
    (project / "file").write_text("x")
    workspace = make(password_file=None)
    workspace.now()
    assert not (tmp_path / "bucket/workspaces/w1/snapshots.password").exists()
    assert make("two", password_file=None).list() == workspace.list()
    assert "RESTIC_PASSWORD_FILE" not in workspace.environment()
    # Stock restic of any version, by a key that it can be given.
    Upkeep(workspace).add_key("for restic")
    root = workspace.environment()["RESTIC_REPOSITORY"]
    Restic(root, tmp_path, password="for restic").check()
    restic = Restic(root, tmp_path, password="")
    if "insecure-no-password" in restic("help", "check"):
        assert "no errors were found" in restic("check", "--insecure-no-password")


# By itself


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def maintained(workspace, retention="all for 1h"):
    place = workspace.place()
    repository = Repository.open(open_store(place.uri), place.password())
    return maintain(
        repository, uri=place.uri, options={}, state=workspace.state, retention=retention
    )


def test_the_daily_run_thins_and_prunes_and_notes_it(workspace, project, tmp_path):
    age(workspace, project, 3, 2)
    diary = Diary(workspace.state)
    assert diary.overdue() == 0
    assert Upkeep(workspace).last() is None
    forgotten, pruned = maintained(workspace)
    assert (forgotten.forgotten, forgotten.kept) == (2, 1)
    assert pruned.packs_waiting == 4
    notes = diary.read()
    assert (notes["forgotten"], notes["kept"]) == (2, 1)
    assert Upkeep(workspace).last().forgotten == 2
    assert -DAY <= diary.overdue() < -DAY + 60
    pass_a_day(workspace)
    assert maintained(workspace)[1].packs_deleted == 4
    stock(workspace, tmp_path).check()


def test_the_daily_run_waits_for_others(workspace, project):
    age(workspace, project, 3)
    with workspace.repository().lock():
        assert maintained(workspace) is None
    assert len(workspace.list()) == 2
    notes = Diary(workspace.state).read()
    assert "locked by" in notes["waiting"]
    assert -600 <= Diary(workspace.state).overdue() < -500


def test_the_daily_run_stops_where_a_snapshot_is_wanted(workspace, project, tmp_path):
    age(workspace, project, 3, 2)
    place = workspace.place()
    seen = []

    def run(wanted):
        repository = Repository.open(open_store(place.uri), place.password())
        return maintain(
            repository,
            uri=place.uri,
            options={},
            state=workspace.state,
            retention="all for 1h",
            wanted=wanted,
        )

    # After the snapshots are thinned out, in the middle of what pruning looks through.
    assert run(lambda: seen.append(1) or len(seen) > 2) is None
    assert len(workspace.list()) == 1
    assert "snapshot was to be taken" in Diary(workspace.state).read()["waiting"]
    assert Diary(workspace.state).overdue() < 0
    workspace.now()
    # Data and tree of the older one. The directory still is what the other had: the same tree, for
    # that it was read has not changed its file.
    assert run(lambda: False)[1].packs_waiting == 2
    stock(workspace, tmp_path).check()


def test_a_daily_run_that_fails_says_why(workspace):
    assert maintained(workspace, "nonsense") is None
    notes = Diary(workspace.state).read()
    assert "snapshot_retention" in notes["error"]
    assert notes["hint"]
    assert Upkeep(workspace).last().error == notes["error"]


def test_a_clock_that_goes_back_does_not_put_it_off(tmp_path):
    diary = Diary(tmp_path)
    diary.write(400 * DAY)
    assert diary.overdue() == 0
    (tmp_path / "upkeep.json").write_text("{broken")
    assert diary.overdue() == 0
    assert 0 <= diary.overdue() < 10


def test_the_process_that_takes_snapshots_does_it_in_a_quiet_moment(workspace, project, tmp_path):
    age(workspace, project, 3, 2)
    session = Session()
    request = workspace._capturer._request(workspace._keeper.sync(), force=False)
    request |= {"retention": "all for 1h", "lineage": [workspace.tag]}
    session.tidy()
    session.take(request)
    session.tidy(overdue=3600)
    assert len(workspace.list()) == 4
    session.tidy()
    assert len(workspace.list()) == 2
    age(workspace, project, 3)
    session.take(request)
    session.tidy()
    assert len(workspace.list()) == 4, "it was done today"
    Diary(workspace.state).write(-2 * DAY)
    session.take(request)
    session.tidy(overdue=DAY)
    assert len(workspace.list()) == 3
    session.close()
    stock(workspace, tmp_path).check()


@pytest.mark.slow
def test_a_running_server_does_it(workspace, project, tmp_path, make, monkeypatch):
    age(workspace, project, 3, 2)
    workspace.start()
    wait_for(lambda: workspace.status().state == "ok")
    (project / "file").write_text("new")
    wait_for(lambda: workspace.status().state == "ok" and workspace.list()[0].files_changed == 1)
    wait_for(lambda: "kept" in Diary(workspace.state).read(), 90)
    workspace.stop()
    stock(workspace, tmp_path).check()


def test_forgetting_while_snapshots_are_taken_disturbs_neither(workspace, project, tmp_path):
    age(workspace, project, *range(50, 60))
    done = threading.Event()
    errors = []

    def write():
        number = 0
        # Without a pause there would be no moment in which nobody holds a lock.
        while not done.wait(0.5):
            number += 1
            (project / "busy").write_text(str(number))
            try:
                workspace.now()
            except Conflict:
                continue
            except BaseException as error:
                errors.append(error)
                raise

    thread = threading.Thread(target=write)
    thread.start()
    upkeep = Upkeep(workspace)
    succeeded = 0
    end = time.monotonic() + 60
    while succeeded < 3 and time.monotonic() < end:
        try:
            upkeep.forget()
            pass_a_day(workspace)
            upkeep.prune()
            succeeded += 1
        except Conflict:
            continue
    done.set()
    thread.join()
    assert not errors
    assert succeeded
    stock(workspace, tmp_path).check()
