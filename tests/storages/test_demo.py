"""The demo of SkyPilot's documentation, with names of this test and buckets that it made."""

from __future__ import annotations

import os
from pathlib import Path

import botocore.session
import pytest
from servers import S3_PARTNER

from jupyter_storage.storages.document import read

DEMO = Path(__file__).with_name("storage_demo.yaml")

pytestmark = pytest.mark.skipif(
    not os.access("/dev/fuse", os.W_OK), reason="/dev/fuse is not there, or closed"
)


@pytest.fixture
def demo(on_s3, home, s3_bucket, gcs_bucket, name):
    """The demo, applied; what its comments say can be looked at."""
    on_s3.write(f"s3://{s3_bucket}/talk/1.json", b"{}")
    on_s3.write(f"gs://{gcs_bucket}/fake_imagenet/train-00001-of-01024", b"rows")
    text = DEMO.read_text()
    for word, other in (
        ("enriched-topical-chat", s3_bucket),
        ("digitalcorpora", s3_bucket),
        ("cloud-tpu-test-datasets", gcs_bucket),
        ("sky-dataset-romil", f"{name}-dataset"),
        ("romil-output-bucket", f"{name}-output"),
        ("sky-multisource-storage2", f"{name}-several"),
    ):
        assert word in text
        text = text.replace(word, other)
    record = on_s3.apply(text)
    assert record.state == "done", record.failures
    on_s3.text = text
    yield on_s3
    on_s3.end(text)


def test_all_entries_of_the_demo_behave_as_its_comments_say(demo, name, s3_bucket, home):
    # Copying files from local, from S3, one object from GCS.
    assert demo.path("/datasets/deep/b.csv").read_text() == "c,d\n"
    assert demo.path("/datasets-s3/talk/1.json").read_text() == "{}"
    assert demo.path("/train-00001-of-01024").read_text() == "rows"
    # Persistent storage by copying: what is written stays here.
    assert demo.path("/datasets-storage/a.csv").read_text() == "a,b\n"
    demo.path("/datasets-storage/own.txt").write_text("own")
    assert demo.keys(f"s3://{name}-dataset") == ["a.csv", "deep/b.csv"]
    # The same storage, mounted: what is written is in the bucket.
    mounted = demo.path("/dataset-storage-mount")
    assert (mounted / "a.csv").read_text() == "a,b\n"
    (mounted / "result.txt").write_text("42")
    assert demo.read(f"s3://{name}-dataset/result.txt") == b"42"
    # A large bucket, mounted: nothing is copied.
    assert demo.path("/huge-dataset-mount/talk/1.json").read_text() == "{}"
    # Collecting outputs in an empty bucket.
    assert os.listdir(demo.path("/outputs-mount")) == []
    demo.path("/outputs-mount/log.txt").write_text("done")
    assert demo.read(f"s3://{name}-output/log.txt") == b"done"
    # Several sources: basenames at the root.
    several = demo.path("/datasets-multisource-storage")
    assert sorted(os.listdir(several)) == ["datasets", "myfile.txt"]
    # Applied again, what changed at the source is in the bucket, and in the mount.
    (home / "datasets/new.csv").write_text("new")
    assert demo.apply(demo.text).state == "done"
    assert (mounted / "new.csv").read_text() == "new"
    assert (demo.path("/datasets-multisource-storage") / "datasets/new.csv").read_text() == "new"
    # Of buckets, those are listed that were created here.
    assert [each.name for each in demo.service.storages()] == [
        f"{name}-dataset",
        f"{name}-output",
        f"{name}-several",
    ]
    assert {each.state for each in demo.service.mounts.all()} == {"ok"}


def test_a_storage_without_a_source_is_a_file_system_that_workers_share(on_gcs, name, tmp_path):
    """SkyPilot's ping-pong, on GCS; on S3: ``tests/mounts/test_mount.py``."""
    world = on_gcs
    text = f"file_mounts:\n  /sharedfs: {{name: {name}, mode: MOUNT}}\n"
    document = read(text, "task.yaml")
    workers = [tmp_path / "ping", tmp_path / "pong"]
    try:
        for under in workers:
            started = world.service.apply_document(document, command="apply", under=under)
            record = world.service.wait(started.id)
            assert record.state == "done", record.failures
        for number in range(6):
            mine, theirs = workers[number % 2], workers[1 - number % 2]
            (mine / f"sharedfs/{number}").write_text(f"ball {number}")
            assert (theirs / f"sharedfs/{number}").read_text() == f"ball {number}"
    finally:
        for under in workers:
            world.end(text, under)


def test_a_bucket_that_others_only_let_read_is_mounted_read_only(on_s3, s3_endpoint, name):
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=S3_PARTNER["access_key"],
        aws_secret_access_key=S3_PARTNER["secret_key"],
    )
    client.create_bucket(Bucket=name, ACL="public-read")
    client.put_object(Bucket=name, Key="a.txt", Body=b"public", ACL="public-read")
    text = f"file_mounts:\n  /huge: {{source: s3://{name}, mode: MOUNT}}\n"
    (step,) = on_s3.plan(text).steps
    assert "read-only" in step.note
    on_s3.applied(text)
    try:
        target = on_s3.path("/huge")
        assert (target / "a.txt").read_text() == "public"
        with pytest.raises(OSError, match="Read-only"):
            (target / "b.txt").write_text("mine")
    finally:
        on_s3.end(text)
    assert [each["Key"] for each in client.list_objects_v2(Bucket=name)["Contents"]] == ["a.txt"]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=name)
    client.close()
