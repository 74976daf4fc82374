from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jupyter_storage.errors import (
    AccessDenied,
    InvalidPath,
    InvalidRequest,
    NoSpace,
    NotFound,
    StorageError,
)
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.unnamed import names_can_wait


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def store(root):
    return LocalStore(root)


def test_a_link_out_of_the_tier_is_shown_and_not_followed(store, root, tmp_path):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("s")
    (root / "file-link").symlink_to(tmp_path / "secret")
    (root / "dir-link").symlink_to(tmp_path / "outside")
    assert {(e.name, e.type) for e in store.list("").entries} == {
        ("file-link", "symlink"),
        ("dir-link", "symlink"),
    }
    for ask in (
        lambda: store.read("file-link"),
        lambda: store.write("file-link", b"x"),
        lambda: store.list("dir-link"),
        lambda: store.read("dir-link/file"),
        lambda: store.write("dir-link/new", b"x"),
        lambda: store.delete("dir-link/file"),
        lambda: store.rename("dir-link/file", "stolen"),
    ):
        with pytest.raises((NotFound, InvalidPath)):
            ask()
    assert (tmp_path / "secret").read_text() == "s"
    assert os.listdir(tmp_path / "outside") == ["file"]


def test_deleting_a_link_or_what_holds_it_keeps_its_target(store, root, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("s")
    (root / "d").mkdir()
    (root / "d/link").symlink_to(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    store.delete("link")
    assert store.delete_directory("d") == 1
    assert (tmp_path / "outside/file").read_text() == "s"
    assert os.listdir(root) == []


def test_a_loop_of_links_is_an_error_and_no_hang(store, root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert [e.type for e in store.list("").entries] == ["symlink", "symlink"]
    with pytest.raises(StorageError):
        store.read("a")


def test_names_that_are_no_utf8_can_be_listed_read_and_deleted(store, root):
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_bytes(b"x")
    (entry,) = store.list("").entries
    assert store.read(entry.path) == b"x"
    assert [e.path for e in store.walk("")] == [entry.path]
    store.delete(entry.path)
    assert store.list("").entries == ()


def test_a_pipe_is_refused_without_waiting(store, root):
    os.mkfifo(root / "pipe")
    with pytest.raises(InvalidRequest, match="pipe"):
        store.read("pipe")
    with pytest.raises(InvalidRequest, match="pipe"):
        store.copy_from(store, "pipe", "copy")
    assert os.listdir(root) == ["pipe"]


def test_a_walk_goes_on_while_files_vanish(store, root):
    for number in range(20):
        store.write(f"d{number:02}/f", b"x")
    walk = store.walk("")
    next(walk)
    for number in range(10, 20):
        store.delete_directory(f"d{number}")
    assert [e.path for e in walk if e.path < "d10"][-1] == "d09/f"


def test_sparse_files_and_files_of_the_kernel_are_copied_whole(store, root):
    with (root / "sparse").open("wb") as file:
        file.seek(3 * 2**20)
        file.write(b"end")
    store.copy_from(store, "sparse", "copy")
    assert (root / "copy").read_bytes() == bytes(3 * 2**20) + b"end"
    kernel = LocalStore(Path("/proc/self"))
    store.copy_from(kernel, "status", "status")
    assert b"Pid:" in store.read("status")


def test_many_exclusive_renames_to_one_name_have_one_winner(store):
    for number in range(8):
        store.write(f"f{number}", str(number).encode())
    barrier = threading.Barrier(8)
    won = []

    def rename(number):
        barrier.wait()
        try:
            store.rename(f"f{number}", "target")
        except StorageError:
            return
        won.append(number)

    threads = [threading.Thread(target=rename, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("target") == str(won[0]).encode()
    assert len(store.list("").entries) == 8


@pytest.mark.faults
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A file size limit fails like a full disk, and needs no mount."""
    code = f"""
import resource, signal, os
from pathlib import Path
from jupyter_storage.errors import NoSpace
from jupyter_storage.stores.local import LocalStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
store = LocalStore(Path({str(tmp_path)!r}))
store.write("old", b"old")
try:
    store.write("old", bytes(2**21))
except NoSpace as error:
    print(error.path, os.listdir({str(tmp_path)!r}), store.read("old"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "old ['old'] b'old'"


def test_what_cannot_fit_is_refused_early(store, root):
    with pytest.raises(NoSpace, match="left"):
        store.create("huge", size=2**60)
    assert os.listdir(root) == []


@pytest.mark.faults
@pytest.mark.skipif(os.getuid() != 0, reason="drops privileges")
def test_no_permission_is_said_and_changes_nothing(tmp_path):
    code = f"""
import os
import signal
from pathlib import Path
from jupyter_storage.errors import AccessDenied
from jupyter_storage.stores.local import LocalStore
store = LocalStore(Path({str(tmp_path / "root")!r}))
store.write("d/file", b"x")
os.chmod({str(tmp_path / "root/d/file")!r}, 0o600)
os.chmod({str(tmp_path / "root/d")!r}, 0o755)
os.chmod({str(tmp_path / "root")!r}, 0o755)
for above in Path({str(tmp_path)!r}).parents[:-2]:
    os.chmod(above, 0o755)
os.chmod({str(tmp_path)!r}, 0o755)
os.seteuid(65534)
for act in (lambda: store.read("d/file"), lambda: store.write("d/new", b"x"),
            lambda: store.delete("d/file"), lambda: store.delete_directory("d"),
            lambda: store.rename("d/file", "d/f"), lambda: store.make_directory("d/e")):
    try:
        act()
    except AccessDenied as error:
        print(error.path)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 6, done.stdout
    assert (tmp_path / "root/d/file").read_text() == "x"


def test_what_the_kernel_refuses_is_access_denied():
    store = LocalStore(Path("/proc/self"))
    with pytest.raises((AccessDenied, NotFound)):
        store.write("new", b"x")


def test_pages_of_a_large_directory_show_what_was_added_meanwhile(tmp_path):
    for number in range(2_500):
        (tmp_path / f"{number:05}").touch()
    long_ago = time.time() - 60
    os.utime(tmp_path, (long_ago, long_ago))
    store = LocalStore(tmp_path)
    first = store.list(limit=1000)
    assert store._large, "the names are kept"
    (tmp_path / "01000-added").touch()
    (tmp_path / "02400").unlink()
    second = store.list(cursor=first.cursor, limit=5000)
    names = [entry.name for entry in second.entries]
    assert len(names) == 1_500
    assert "01000-added" in names
    assert "02400" not in names


def test_a_killed_writer_leaves_nothing(store, root):
    script = f"""
import os, signal
from pathlib import Path
from jupyter_storage.stores.local import LocalStore

for exclusive in (True, False):
    writer = LocalStore(Path({str(root)!r})).create("file", exclusive=exclusive)
    writer.write(bytes(100_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    store.write("before", b"x")
    if not names_can_wait(root):
        pytest.skip("this file system wants names at once")
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert os.listdir(root) == ["before"]
