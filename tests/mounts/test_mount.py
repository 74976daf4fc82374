from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_storage.errors import AlreadyExists, Conflict, NotFound, StorageError

SEED = 20261121
AWS = Path.home() / ".cache/jupyter-storage-peers/awscli/bin/aws"


def test_what_is_in_the_bucket_can_be_read(on_s3, aside):
    aside.write("data/a.txt", b"hello")
    aside.make_directory("empty")
    assert sorted(os.listdir(on_s3)) == ["data", "empty"]
    assert (on_s3 / "data/a.txt").read_bytes() == b"hello"
    assert (on_s3 / "data/a.txt").stat().st_size == 5
    assert list((on_s3 / "empty").iterdir()) == []
    assert not (on_s3 / "data/b.txt").exists()


def test_after_a_close_everyone_sees_the_whole_file(on_s3, aside):
    with (on_s3 / "out.bin").open("wb") as file:
        file.write(b"x" * 300_000)
        file.flush()
        with pytest.raises(NotFound):
            aside.stat("out.bin")
    assert aside.read("out.bin") == b"x" * 300_000
    assert (on_s3 / "out.bin").read_bytes() == b"x" * 300_000


def test_opening_sees_what_others_closed_a_moment_ago(on_s3, aside):
    for number in range(5):
        text = f"version {number}" * (number + 1)
        aside.write("shared.txt", text.encode())
        assert (on_s3 / "shared.txt").read_text() == text
    aside.delete("shared.txt")
    with pytest.raises(FileNotFoundError):
        (on_s3 / "shared.txt").read_text()


def test_two_mounts_of_one_bucket_play_ping_pong(mounts, s3_bucket, tmp_path, lines):
    """Each waits for the other's file, and answers with the next number."""
    here, there = tmp_path / "a", tmp_path / "b"
    for target in (here, there):
        mounts.mount(target, f"s3://{s3_bucket}/court", {})

    def play(target: Path, mine: str, theirs: str, first: int) -> list[int]:
        heard = []
        for number in range(first, 10, 2):
            if number:
                while not (target / f"{theirs}-{number - 1}").exists():
                    continue
                heard.append(int((target / f"{theirs}-{number - 1}").read_text()))
            (target / f"{mine}-{number}").write_text(str(number))
        return heard

    ping = lines(lambda: play(here, "ping", "pong", 0))
    assert play(there, "pong", "ping", 1) == [0, 2, 4, 6, 8]
    assert ping() == [1, 3, 5, 7]


def test_what_is_closed_is_seen_by_the_services_own_command_and_the_other_way_round(
    mounted_bucket, on_s3, aside, tmp_path
):
    """The second client is ``aws s3 cp``."""
    if not AWS.exists():
        pytest.skip("the AWS command line is not installed: make peers")
    _, bucket, _ = mounted_bucket
    there = f"s3://{bucket}/{on_s3.name}"

    def aws(*words: str) -> bytes:
        command = [str(AWS), "s3", "cp", "--quiet", *words]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    (on_s3 / "out.txt").write_text("from the mount")
    assert aws(f"{there}/out.txt", "-") == b"from the mount"
    (tmp_path / "in.txt").write_text("from the command")
    aws(str(tmp_path / "in.txt"), f"{there}/out.txt")
    assert (on_s3 / "out.txt").read_text() == "from the command"


FOREIGN = ("with space", "Grüße.txt", "100%.txt", "a#b?c&d.txt", "a+b=c;d.txt", "-rf", "'quoted\"")


def test_foreign_names_arrive_as_they_are_in_both_directions(on_s3, aside):
    for name in FOREIGN:
        (on_s3 / f"mine-{name}").write_text(name)
        aside.write(f"theirs/{name}", name.encode())
    assert sorted(os.listdir(on_s3 / "theirs")) == sorted(FOREIGN)
    for name in FOREIGN:
        assert aside.read(f"mine-{name}") == name.encode()
        assert (on_s3 / "theirs" / name).read_text() == name


def test_permissions_are_not_kept_and_nobody_is_stopped_by_that(on_s3, aside):
    (on_s3 / "run.sh").write_text("echo")
    (on_s3 / "run.sh").chmod(0o700)
    assert (on_s3 / "run.sh").stat().st_mode & 0o777 == 0o644
    shutil.copy2(on_s3 / "run.sh", on_s3 / "copy.sh")
    assert aside.read("copy.sh") == b"echo"


def test_random_writes_fail_and_leave_the_object_as_it_was(on_s3, aside):
    aside.write("a.bin", b"0123456789")
    with (on_s3 / "a.bin").open("r+b", buffering=0) as file:
        file.seek(3)
        with pytest.raises(OSError) as caught:
            file.write(b"XX")
        with pytest.raises(OSError):
            file.close()
    assert caught.value.errno == errno.EOPNOTSUPP
    assert aside.read("a.bin") == b"0123456789"


def test_appending_fails_and_leaves_the_object_as_it_was(on_s3, aside):
    aside.write("a.log", b"first\n")
    with pytest.raises(OSError) as caught:
        (on_s3 / "a.log").open("a")
    assert caught.value.errno == errno.EOPNOTSUPP
    assert aside.read("a.log") == b"first\n"


def test_jumping_in_a_new_file_fails_and_leaves_the_old_one(on_s3, aside):
    aside.write("a.bin", b"old")
    with (on_s3 / "a.bin").open("wb", buffering=0) as file:
        file.write(b"new content")
        file.seek(2)
        with pytest.raises(OSError) as caught:
            file.write(b"XX")
        with pytest.raises(OSError):
            file.close()
    assert caught.value.errno == errno.EOPNOTSUPP
    assert aside.read("a.bin") == b"old"


def test_why_a_write_failed_is_in_the_log(on_s3, aside):
    aside.write("a.log", b"first\n")
    with pytest.raises(OSError):
        (on_s3 / "a.log").open("a")
    (log,) = (on_s3.parent.parent / "mounts").glob("*/log.txt")
    assert f"{on_s3.name}/a.log: A mounted bucket takes whole files" in log.read_text()
    assert "MOUNT_CACHED" in log.read_text()


def test_a_shell_writes_a_file_with_several_programs(on_s3, aside):
    # Each program closes the file that the shell opened.
    script = "(/bin/echo one; /bin/echo two; cat /etc/hostname) > out.txt; /bin/echo x | tee b.txt"
    subprocess.run(["/bin/sh", "-c", script], cwd=on_s3, check=True, timeout=60)
    assert aside.read("out.txt").startswith(b"one\ntwo\n")
    assert aside.read("b.txt") == b"x\n"


def test_programs_that_people_use_work(on_s3, aside, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub/a.txt").write_text("a")
    (source / "b.bin").write_bytes(bytes(2_000_000))
    subprocess.run(["cp", "-r", str(source), str(on_s3 / "copy")], check=True, timeout=60)
    assert aside.read("copy/sub/a.txt") == b"a"
    subprocess.run(["touch", str(on_s3 / "empty")], check=True, timeout=60)
    assert aside.stat("empty").size == 0
    subprocess.run(["mv", str(on_s3 / "copy/b.bin"), str(on_s3 / "c.bin")], check=True, timeout=60)
    assert aside.stat("c.bin").size == 2_000_000
    shutil.rmtree(on_s3 / "copy")
    assert [entry.name for entry in aside.list().entries] == ["c.bin", "empty"]
    (on_s3 / "c.bin").unlink()
    assert not (on_s3 / "c.bin").exists()


def test_a_file_is_replaced_as_a_whole(on_s3, aside):
    aside.write("a.txt", b"a longer text")
    (on_s3 / "a.txt").write_text("short")
    assert aside.read("a.txt") == b"short"
    os.truncate(on_s3 / "a.txt", 0)
    assert aside.read("a.txt") == b""


def test_a_directory_that_is_not_empty_is_not_removed(on_s3, aside):
    aside.write("d/a.txt", b"a")
    with pytest.raises(OSError) as caught:
        (on_s3 / "d").rmdir()
    assert caught.value.errno == errno.ENOTEMPTY
    (on_s3 / "new").mkdir()
    (on_s3 / "new").rmdir()
    assert os.listdir(on_s3) == ["d"]


def test_links_cannot_be_made(on_s3):
    with pytest.raises(OSError) as caught:
        (on_s3 / "link").symlink_to("a")
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_large_file_reads_the_same_in_order_and_at_random(on_s3, aside):
    rng = random.Random(SEED)
    content = rng.randbytes(24 * 2**20 + 12345)
    aside.write("big.bin", content)
    assert (on_s3 / "big.bin").read_bytes() == content
    with (on_s3 / "big.bin").open("rb", buffering=0) as file:
        for _ in range(40):
            offset, size = rng.randrange(len(content)), rng.randrange(1, 300_000)
            file.seek(offset)
            assert file.read(size) == content[offset : offset + size]


def test_several_threads_read_one_open_file(on_s3, aside, lines):
    content = random.Random(SEED).randbytes(8 * 2**20)
    aside.write("big.bin", content)
    descriptor = os.open(on_s3 / "big.bin", os.O_RDONLY)
    try:
        results = [
            lines(lambda start=start: os.pread(descriptor, 100_000, start))
            for start in range(0, len(content), 2**20)
        ]
        found = [result() for result in results]
    finally:
        os.close(descriptor)
    assert found == [content[start : start + 100_000] for start in range(0, len(content), 2**20)]


def test_a_large_file_is_written_in_parts(on_s3, aside):
    content = random.Random(SEED).randbytes(20 * 2**20)
    (on_s3 / "big.bin").write_bytes(content)
    assert aside.read("big.bin") == content


def test_a_read_only_mount_takes_no_writes(mounts, aside, tmp_path):
    aside.write("a.txt", b"a")
    target = tmp_path / "public"
    record = mounts.mount(target, aside.uri, {}, read_only=True)
    assert record.read_only
    assert (target / "a.txt").read_text() == "a"
    for attempt in (
        lambda: (target / "b.txt").write_text("b"),
        lambda: (target / "a.txt").write_text("b"),
        (target / "a.txt").unlink,
        (target / "d").mkdir,
    ):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.errno == errno.EROFS
    assert aside.read("a.txt") == b"a"


def test_a_bucket_on_gcs_is_mounted(mounts, gcs_bucket, tmp_path):
    target = tmp_path / "gcs"
    mounts.mount(target, f"gs://{gcs_bucket}", {})
    (target / "d").mkdir()
    (target / "d/a.txt").write_text("over there")
    assert (target / "d/a.txt").read_text() == "over there"


def test_mounting_again_changes_nothing(mounted_bucket):
    made, bucket, target = mounted_bucket
    before = made.all()
    assert [made.mount(target, f"s3://{bucket}", {})] == before
    with pytest.raises(AlreadyExists, match="is mounted there"):
        made.mount(target, f"s3://{bucket}/other", {})


def test_a_directory_with_files_is_not_hidden_by_a_mount(mounts, s3_bucket, tmp_path):
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine.txt").touch()
    with pytest.raises(AlreadyExists, match="not empty"):
        mounts.mount(target, f"s3://{s3_bucket}", {})
    assert mounts.all() == []


def test_a_bucket_that_is_not_there_says_so_and_leaves_nothing(mounts, s3_bucket, tmp_path):
    with pytest.raises(StorageError, match="no bucket"):
        mounts.mount(tmp_path / "x", f"s3://{s3_bucket}-none", {})
    assert mounts.all() == []


def test_unmounting_waits_for_open_files(mounts, tmp_path):
    target = tmp_path / "target"
    mounts.mount(target, (tmp_path / "store").as_uri(), {})
    with (target / "a.txt").open("w") as file:
        file.write("half")
        with pytest.raises(Conflict, match="are open"):
            mounts.unmount(target)
        file.write(" and half")
    assert (tmp_path / "store/a.txt").read_text() == "half and half"
    mounts.unmount(target)
    assert mounts.all() == []
    assert os.listdir(target) == []
