from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.storages.document import load, read
from jupyter_storage.storages.model import Mode, Storage

DEMO = Path(__file__).with_name("storage_demo.yaml")


def test_the_demo_of_skypilot_loads_as_it_is():
    document = load(DEMO)
    mounts = {mount.target: mount for mount in document.mounts}
    assert document.name == "storage-demo"
    assert {target: mount.copies for target, mount in mounts.items() if mount.copies} == {
        "/datasets": "~/datasets",
        "/datasets-s3": "s3://enriched-topical-chat",
        "/train-00001-of-01024": (
            "gs://cloud-tpu-test-datasets/fake_imagenet/train-00001-of-01024"
        ),
    }
    assert {target: mount.storage for target, mount in mounts.items() if mount.storage} == {
        "/datasets-storage": Storage(
            "sky-dataset-romil", "~/datasets", "s3", persistent=True, mode=Mode.COPY
        ),
        "/dataset-storage-mount": Storage("sky-dataset-romil", "~/datasets"),
        "/huge-dataset-mount": Storage(source="s3://digitalcorpora"),
        "/outputs-mount": Storage("romil-output-bucket"),
        "/datasets-multisource-storage": Storage(
            "sky-multisource-storage2", ("~/mydir/myfile.txt", "~/datasets")
        ),
    }


def test_two_entries_of_one_name_are_one_storage():
    storages = load(DEMO).storages()
    assert list(storages) == [
        "sky-dataset-romil",
        "romil-output-bucket",
        "sky-multisource-storage2",
    ]
    assert storages["sky-dataset-romil"].store == "s3"
    assert storages["sky-dataset-romil"].source == "~/datasets"


def test_a_newer_mode_and_capitals_are_understood():
    text = "file_mounts:\n  /a: {name: abc, mode: mount_cached, store: S3, persistent: no}\n"
    (mount,) = read(text, "x.yaml").mounts
    assert mount.storage == Storage("abc", None, "s3", False, Mode.MOUNT_CACHED)


@pytest.mark.parametrize("text", ["", "name: x\n", "file_mounts:\n", "file_mounts: {}\n"])
def test_a_file_without_mounts_declares_nothing(text):
    assert read(text, "x.yaml").mounts == ()


WRONG = {
    "file_mounts:\n  /a:\n    nam: abc\n": ("x.yaml:3", "file_mounts./a.nam: there is no such"),
    "file_mounts:\n  /a:\n    name: abc\n    mode: COPPY\n": ("x.yaml:4", "no mode 'COPPY'"),
    "file_mounts:\n  /a:\n    name: abc\n    store: azure2\n": ("x.yaml:4", "./a.store:"),
    "file_mounts:\n  /a:\n    name: abc\n    persistent: 'yes'\n": ("x.yaml:4", "true or false"),
    "file_mounts:\n  /a:\n    name: A_B\n": ("x.yaml:3", "cannot be a bucket's name"),
    "file_mounts:\n  /a:\n    name: 12\n": ("x.yaml:3", "it is text"),
    "file_mounts:\n  /a:\n    name: abc\n    source: [s3://b]\n": ("x.yaml:4", "is a URI"),
    "file_mounts:\n  /a:\n    name: abc\n    source: []\n": ("x.yaml:4", "list of local paths"),
    "file_mounts:\n  /a:\n    source: ~/data\n": ("x.yaml:3", "no name says which bucket"),
    "file_mounts:\n  /a:\n    mode: COPY\n": ("x.yaml:3", "neither a name nor a source"),
    "file_mounts:\n  /a:\n    name: abc\n    source: s3://b\n": ("x.yaml:3", "name of its own"),
    "file_mounts:\n  /a:\n    source: s3://\n": ("x.yaml:3", "names no bucket"),
    "file_mounts:\n  /a: gs://\n": ("x.yaml:2", "names no bucket"),
    "file_mounts:\n  /a: 3\n": ("x.yaml:2", "a path, a URI or a storage is needed"),
    "file_mounts:\n  - /a\n": ("x.yaml:2", "a mapping is needed"),
    "file_mounts:\n  /a: b\n  /a: c\n": ("x.yaml:3", "twice"),
    "file_mounts:\n  /a: [\n": ("x.yaml:3", "no YAML"),
    "file_mounts:\n  /a: {name: abc, store: s3}\n  /b: {name: abc, store: gcs}\n": (
        "x.yaml:3",
        "'abc' is 's3' in another entry",
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_an_error_names_line_and_field(text):
    where, what = WRONG[text]
    with pytest.raises(InvalidRequest) as caught:
        read(text, "x.yaml")
    assert caught.value.path == where
    assert what in caught.value.message
    assert caught.value.hint


def test_a_lone_file_as_source_is_refused_with_the_way_out(tmp_path):
    lone = tmp_path / "a.txt"
    lone.write_text("a")
    text = f"file_mounts:\n  /a:\n    name: abc\n    source: {lone}\n"
    (mount,) = read(text, "x.yaml").mounts
    with pytest.raises(InvalidRequest, match="is a file") as caught:
        mount.check()
    assert caught.value.path == "x.yaml:3"
    assert f"source: [{lone}]" in caught.value.hint


def test_a_source_that_is_not_there_is_said_before_anything_is_done(tmp_path):
    for entry in ("{name: abc, source: /no/such}", "/no/such"):
        (mount,) = read(f"file_mounts:\n  /a: {entry}\n", "x.yaml").mounts
        with pytest.raises(InvalidRequest, match="does not exist"):
            mount.check()


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        load(tmp_path / "none.yaml")
