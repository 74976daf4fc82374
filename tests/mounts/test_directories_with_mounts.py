"""A directory that has storage mounted in it: no delete and no move reaches inside."""

from __future__ import annotations

import json
import os
import signal
import threading
from itertools import islice
from pathlib import Path

import pytest

from jupyter_storage.config import resolve
from jupyter_storage.errors import HoldsMount, Unreachable
from jupyter_storage.mounts.requests import directory_of
from jupyter_storage.service import Service
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.transfers.engine import Engine, Place
from jupyter_storage.transfers.progress import Meter
from jupyter_storage.transfers.sync import SyncOptions


@pytest.fixture
def service(tmp_path):
    settings = resolve(
        environ={
            "JUPYTER_STORAGE_ROOT": str(tmp_path / "root"),
            "JUPYTER_STORAGE_WORKSPACE_ID": "w1",
        },
        project=tmp_path / "project",
    )
    (tmp_path / "project").mkdir()
    service = Service(settings)
    yield service
    service.close()


@pytest.fixture
def tier(service):
    """The directory of the tier ``local``."""
    return Path(service.tier("local").path)


@pytest.fixture
def mounted(tier, mounts, tmp_path):
    """Where storage with one file is mounted in ``local:d``, beside a file of the tier."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket/precious.csv").write_text("1,2\n")
    target = tier / "d/data"
    target.parent.mkdir(parents=True)
    (tier / "d/notes.txt").write_text("notes")
    mounts.mount(target, (tmp_path / "bucket").as_uri(), {})
    yield target
    assert (tmp_path / "bucket/precious.csv").read_text() == "1,2\n"


@pytest.mark.parametrize("path", ["local:d", "local:d/data"])
def test_no_delete_reaches_what_is_mounted(service, mounted, tier, path):
    for delete in (service.delete, service.trash_at_once):
        with pytest.raises(HoldsMount, match="mounted"):
            delete(path, recursive=True)
    with pytest.raises(HoldsMount, match="mounted"):
        service.remove([path], recursive=True)
    with pytest.raises(HoldsMount, match="mounted"):
        service.trash([path])
    assert (tier / "d/notes.txt").exists()


def test_a_mount_that_comes_while_files_are_deleted_stops_it(mounted, tier):
    """Past the first look, which the service takes before it begins."""
    meter = Meter("delete")
    Engine().delete(
        [Place(LocalStore(tier), "d", "local:")],
        recursive=True,
        meter=meter,
        cancel=threading.Event(),
    )
    assert [failure.kind for failure in meter.finish().failures] == ["HoldsMount"]
    assert (tier / "d/notes.txt").exists()


@pytest.mark.parametrize("path", ["local:d", "local:d/data"])
def test_no_move_takes_what_is_mounted_along(service, mounted, tier, path):
    with pytest.raises(HoldsMount, match="mounted"):
        service.rename(path, "local:elsewhere")
    for target in ("local:elsewhere", "user:elsewhere"):
        with pytest.raises(HoldsMount, match="mounted"):
            service.copy([path], target, recursive=True, move=True)
    assert (tier / "d/notes.txt").exists()


def test_what_is_mounted_is_nothing_that_a_sync_has_too_much(service, mounted, tier, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "new.txt").write_text("new")
    options = SyncOptions(delete=True)
    planned = {change.path for change in service.sync_changes(str(source), "local:d", options)}
    assert planned == {"local:d/new.txt", "local:d/notes.txt"}
    record = service.wait(service.sync(str(source), "local:d", options).id)
    assert (record.state, record.failures) == ("done", ())
    assert sorted(os.listdir(tier / "d")) == ["data", "new.txt"]


def test_beside_a_dead_mount_all_the_rest_is_there(service, mounted, tmp_path):
    pids = json.loads((directory_of(tmp_path / "mounts", str(mounted)) / "pids.json").read_text())
    for name in ("supervisor", "mounter"):
        os.kill(pids[name], signal.SIGKILL)
    listed = [(entry.name, entry.type) for entry in service.list("local:d").entries]
    assert listed == [("data", "directory"), ("notes.txt", "file")]
    with pytest.raises(Unreachable):
        service.list("local:d/data")
    found = LocalStore(mounted.parent).walk("")
    assert [entry.name for entry in islice(found, 1)] == ["data"]
    with pytest.raises(Unreachable):
        next(found)
