from __future__ import annotations

import os
import time

import pytest
from servers import S3_PARTNER, make_gcs_bucket, make_s3_bucket

from jupyter_storage.errors import InvalidRequest, NotFound, Protected
from jupyter_storage.storages.document import read


def test_a_local_path_is_copied_with_its_links(world, home):
    world.applied("file_mounts:\n  /datasets: ~/datasets\n")
    assert world.path("/datasets/a.csv").read_text() == "a,b\n"
    assert os.readlink(world.path("/datasets/link")) == "a.csv"
    assert world.service.storages() == []
    # Again there is nothing to do, until the link leads elsewhere.
    (step,) = world.plan("file_mounts:\n  /datasets: ~/datasets\n").steps
    assert step.action == "keep"
    (home / "datasets/link").unlink()
    (home / "datasets/link").symlink_to("deep")
    world.applied("file_mounts:\n  /datasets: ~/datasets\n")
    assert os.readlink(world.path("/datasets/link")) == "deep"


def test_a_bucket_is_copied(on_s3, s3_bucket):
    on_s3.write(f"s3://{s3_bucket}/x/1.txt", b"one")
    on_s3.applied(f"file_mounts:\n  /datasets-s3: s3://{s3_bucket}\n")
    assert on_s3.path("/datasets-s3/x/1.txt").read_bytes() == b"one"


def test_one_object_is_copied_to_its_name(on_gcs, gcs_bucket):
    on_gcs.write(f"gs://{gcs_bucket}/fake_imagenet/train-00001-of-01024", b"rows")
    text = f"file_mounts:\n  /train: gs://{gcs_bucket}/fake_imagenet/train-00001-of-01024\n"
    on_gcs.applied(text)
    assert on_gcs.path("/train").read_bytes() == b"rows"
    assert on_gcs.applied(text).files_done == 0


def _stored(name: str, rest: str = "") -> str:
    return f"file_mounts:\n  /d: {{name: {name}, source: ~/datasets, mode: COPY{rest}}}\n"


@pytest.mark.parametrize(("fixture", "scheme"), [("on_s3", "s3"), ("on_gcs", "gs")])
def test_a_storage_is_created_filled_and_copied(request, fixture, scheme, home, name):
    world = request.getfixturevalue(fixture)
    record = world.applied(_stored(name))
    assert world.path("/d/deep/b.csv").read_text() == "c,d\n"
    assert world.keys(f"{scheme}://{name}") == ["a.csv", "deep/b.csv"]
    # Links are no objects: they are passed over, and said to be.
    assert [each.path.endswith("/link") for each in record.failures] == [True]
    (storage,) = world.service.storages()
    assert (storage.name, storage.uri, storage.kind) == (name, f"{scheme}://{name}", "bucket")
    assert storage.status == "READY"
    assert storage.command == "jupyter storage apply task.yaml"


def test_without_any_bucket_a_storage_is_a_directory_of_the_artifacts(world, home, name):
    world.applied(_stored(name))
    (storage,) = world.service.storages()
    assert (storage.store, storage.kind) == ("local", "prefix")
    assert world.service.stat(f"artifacts:storages/{name}/a.csv").size == 4


def test_applying_again_moves_only_what_changed(on_s3, home, name):
    on_s3.applied(_stored(name))
    assert on_s3.applied(_stored(name)).files_done == 0
    time.sleep(1.1)  # Ceph's times are in whole seconds
    (home / "datasets/a.csv").write_text("changed\n")
    (home / "datasets/new.csv").write_text("new\n")
    plan = on_s3.plan(_stored(name))
    assert {step.action: step.files for step in plan.steps} == {"upload": 2, "copy": 2}
    on_s3.applied(_stored(name))
    assert on_s3.path("/d/a.csv").read_text() == "changed\n"
    assert on_s3.path("/d/new.csv").read_text() == "new\n"
    assert len(on_s3.service.storages()) == 1


def test_writes_to_a_copy_never_reach_the_bucket(on_s3, home, name):
    on_s3.applied(_stored(name))
    on_s3.path("/d/a.csv").write_text("mine alone")
    on_s3.path("/d/own.txt").write_text("mine alone")
    on_s3.applied(_stored(name))
    assert on_s3.read(f"s3://{name}/a.csv") == b"a,b\n"
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]
    assert on_s3.path("/d/own.txt").read_text() == "mine alone"


def test_a_list_of_sources_lands_at_the_root_by_basenames(on_s3, home, name):
    source = "[~/mydir/myfile.txt, ~/datasets]"
    on_s3.applied(f"file_mounts:\n  /m: {{name: {name}, source: {source}, mode: COPY}}\n")
    assert on_s3.keys(f"s3://{name}") == ["datasets/a.csv", "datasets/deep/b.csv", "myfile.txt"]
    assert on_s3.path("/m/myfile.txt").read_text() == "mine"


def test_what_an_ignore_file_names_is_not_uploaded(world, home, name):
    (home / "datasets/.skyignore").write_text("*.tmp\ndeep/\n")
    (home / "datasets/x.tmp").touch()
    world.applied(_stored(name))
    keys = world.keys(f"artifacts:storages/{name}")
    assert "a.csv" in keys
    assert not {"x.tmp", "deep/b.csv"} & set(keys)


def test_a_plan_says_what_will_be_done_and_does_nothing(on_s3, home, name):
    plan = on_s3.plan(_stored(name))
    assert [(step.action, step.files) for step in plan.steps] == [
        ("create", 0),
        ("upload", 2),
        ("copy", 2),
    ]
    assert (plan.files, plan.bytes) == (4, 16)
    assert on_s3.service.storages() == []
    assert not on_s3.under.exists()
    with pytest.raises(NotFound):
        on_s3.keys(f"s3://{name}")


def test_a_source_that_is_not_there_stops_everything_before_it_begins(on_s3, name):
    text = f"file_mounts:\n  /a: {{name: {name}}}\n  /b: /no/such/place\n"
    record = on_s3.apply(text)
    assert record.state == "failed"
    assert record.failures[0].path == "task.yaml:3"
    assert on_s3.service.storages() == []


def test_an_entry_that_fails_stops_no_other(on_s3, home, s3_endpoint, name):
    make_s3_bucket(s3_endpoint, f"{name}-theirs", **S3_PARTNER)
    text = f"file_mounts:\n  /a: s3://{name}-theirs\n  /b: ~/datasets\n"
    record = on_s3.apply(text)
    assert record.state == "partial"
    assert [each.kind for each in record.failures] == ["AccessDenied"]
    assert on_s3.path("/b/a.csv").exists()


def test_somebody_elses_bucket_is_not_taken(on_s3, home, s3_endpoint, name):
    make_s3_bucket(s3_endpoint, name, **S3_PARTNER)
    record = on_s3.apply(_stored(name))
    assert [each.kind for each in record.failures] == ["Conflict"]
    assert "Somebody else" in record.failures[0].message
    assert on_s3.service.storages() == []


def test_a_bucket_that_was_there_is_used_and_never_deleted(on_s3, home, s3_endpoint, name):
    make_s3_bucket(s3_endpoint, name)
    on_s3.applied(_stored(name, ", persistent: false"))
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]
    assert on_s3.service.storages() == []
    with pytest.raises(NotFound, match="no storage"):
        on_s3.delete(name)
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]


@pytest.mark.parametrize(("fixture", "scheme"), [("on_s3", "s3"), ("on_gcs", "gs")])
def test_deleting_takes_the_bucket_with_all_that_is_in_it(request, fixture, scheme, home, name):
    world = request.getfixturevalue(fixture)
    world.applied(_stored(name))
    assert world.service.measure_storage(name).files == 2
    assert world.delete(name).state == "done"
    assert world.service.storages() == []
    with pytest.raises(NotFound):
        world.keys(f"{scheme}://{name}")


def test_a_bucket_that_lost_its_mark_is_not_deleted(on_s3, home, name, s3_endpoint):
    on_s3.applied(_stored(name))
    # Deleted elsewhere, and made anew by somebody: the record here is of another bucket.
    on_s3.service._locations.place(f"s3://{name}").store.delete_directory("")
    on_s3.write(f"s3://{name}/theirs.txt", b"theirs")
    record = on_s3.delete(name)
    assert [each.kind for each in record.failures] == [Protected.__name__]
    assert on_s3.keys(f"s3://{name}") == ["theirs.txt"]


def test_a_bucket_that_somebody_deleted_is_said_to_be_gone(on_s3, home, name):
    on_s3.applied(_stored(name))
    on_s3.service._storages()[0]._homes.place(f"s3://{name}").store.delete_directory("")
    on_s3.service._storages()[0]._homes.remove_bucket(f"s3://{name}")
    assert [each.status for each in on_s3.service.storages()] == ["GONE"]
    assert on_s3.delete(name).state == "done"
    assert on_s3.service.storages() == []


def test_a_storage_of_another_machine_is_known_by_its_mark(on_s3, home, name):
    on_s3.applied(_stored(name))
    on_s3.service._storages()[1]._ledger.remove(name)
    assert on_s3.service.storages() == []
    on_s3.applied(_stored(name))
    assert [each.name for each in on_s3.service.storages()] == [name]


def test_two_entries_of_one_name_are_uploaded_once(on_s3, home, name):
    text = _stored(name) + f"  /e: {{name: {name}, source: ~/datasets, mode: COPY}}\n"
    plan = on_s3.plan(text)
    assert [step.action for step in plan.steps] == ["create", "upload", "copy", "copy"]
    on_s3.applied(text)
    assert on_s3.path("/e/a.csv").exists()


def test_gcs_and_s3_stand_side_by_side(on_s3, gcs_bucket, home, name):
    on_s3.applied(_stored(name, ", store: gcs"))
    assert on_s3.keys(f"gs://{name}") == ["a.csv", "deep/b.csv"]


def test_a_bucket_that_was_there_on_gcs_is_used(on_gcs, gcs_endpoint, home, name):
    make_gcs_bucket(gcs_endpoint, name)
    on_gcs.applied(_stored(name))
    assert on_gcs.keys(f"gs://{name}") == ["a.csv", "deep/b.csv"]
    assert on_gcs.service.storages() == []


def test_copies_stand_in_for_mounts_and_bring_their_changes_back(on_s3, home, name):
    text = f"file_mounts:\n  /m: {{name: {name}, source: ~/datasets}}\n"
    document = read(text, "task.yaml")

    def apply(**options):
        started = on_s3.service.apply_document(
            document, command="apply", under=on_s3.under, **options
        )
        record = on_s3.service.wait(started.id)
        assert record.state == "done", record.failures

    (*_, step) = on_s3.service.plan_document(document, under=on_s3.under, copied=True).steps
    assert (step.action, step.files) == ("copy", 2)
    assert "'flush' brings changes back" in step.note
    apply(copied=True)
    on_s3.path("/m/result.txt").write_text("42")
    # Applied again, what is a copy stays one, and what was changed in it stays.
    apply()
    assert on_s3.path("/m/result.txt").read_text() == "42"
    assert on_s3.keys(f"s3://{name}") == ["a.csv", "deep/b.csv"]
    on_s3.end(text)
    assert on_s3.read(f"s3://{name}/result.txt") == b"42"
    assert on_s3.service.mounts.all() == []


def test_a_kind_of_store_without_names_asks_for_one(world, name, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", "memory://bucket")
    from jupyter_storage.config import resolve
    from jupyter_storage.service import Service
    from jupyter_storage.storages.document import read

    service = Service(resolve())
    with pytest.raises(InvalidRequest, match="S3 or in GCS"):
        service.plan_document(read(_stored(name).replace("~/datasets", "."), "t"))
    service.close()
