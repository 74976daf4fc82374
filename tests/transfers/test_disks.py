"""Where one thread is enough."""

from pathlib import Path

import pytest

from jupyter_storage.stores import mount_table
from jupyter_storage.transfers import disks


@pytest.mark.parametrize(("kind", "local"), [("ext4", True), ("nfs4", False), ("fuse.s3fs", False)])
def test_the_kind_of_file_system_decides(tmp_path: Path, monkeypatch, kind, local):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    line = "36 35 {}:{} / {} rw,noatime shared:1 - {} /dev/x rw\n"
    major, minor = disks.os.major(device), disks.os.minor(device)
    mounts.write_text(
        line.format(major + 1, minor, "/", "proc") + line.format(major, minor, tmp_path, kind)
    )
    monkeypatch.setattr(mount_table, "_TABLE", mounts)
    assert disks.is_on_local_disk(tmp_path / "not" / "made") is local


def test_nobody_can_tell_without_a_list_of_mounts(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(mount_table, "_TABLE", tmp_path / "missing")
    assert not disks.is_on_local_disk(tmp_path)
