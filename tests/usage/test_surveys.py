from __future__ import annotations

import os
import threading
import time

import pytest

from jupyter_storage.config import resolve
from jupyter_storage.service import Service
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.transfers.places import Place
from jupyter_storage.usage import Surveys
from jupyter_storage.usage.survey import LISTED, Survey


@pytest.fixture
def service(tmp_path):
    settings = resolve(environ={"JUPYTER_STORAGE_ROOT": str(tmp_path / "root")}, project=tmp_path)
    service = Service(settings)
    yield service
    service.close()


def put(service, path, size):
    with service.create(path) as writer:
        writer.write(b"x" * size)
        writer.commit()


def counted(service, tier):
    service.count_usage(tier)
    deadline = time.monotonic() + 20
    while (report := service.usage(tier)).state == "counting":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return report


def test_a_tier_is_counted_with_the_largest_and_the_oldest(service):
    for number in range(LISTED + 20):
        put(service, f"shared:d{number % 3}/f{number}", number)
    os.utime(service.local_path("shared:d1/f7"), (1, 1))
    report = counted(service, "shared")
    assert (report.state, report.files) == ("done", LISTED + 20)
    assert report.bytes == sum(range(LISTED + 20))
    assert (report.own_files, report.own_bytes) == (report.files, report.bytes)
    assert len(report.largest) == len(report.oldest) == LISTED
    assert [entry.size for entry in report.largest[:2]] == [LISTED + 19, LISTED + 18]
    assert report.oldest[0].path == "shared:d1/f7"


def test_files_of_others_are_not_ones_own(service):
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    put(service, "shared:mine", 10)
    put(service, "shared:theirs", 100)
    os.chown(service.local_path("shared:theirs"), 65534, 65534)
    report = counted(service, "shared")
    assert (report.bytes, report.own_bytes) == (110, 10)


def test_the_trash_counts_beside(service):
    put(service, "shared:a", 100)
    put(service, "shared:b", 10)
    service.wait(service.trash(["shared:a"]).id)
    report = counted(service, "shared")
    assert (report.bytes, report.trash_bytes) == (10, 100)


def test_what_counting_found_is_held_against_the_quota(service):
    put(service, "artifacts:a", 12345)
    assert service.tier("artifacts").used is None
    assert service.survey("artifacts").bytes == 12345
    assert service.tier("artifacts").used == 12345


def test_a_bucket_is_counted(s3_bucket):
    store = open_store(f"s3://{s3_bucket}/p", {})
    for number in range(3):
        store.write(f"d/{number}", b"x" * number)
    report = Survey(Place(store, "", "data:")).run(0)
    assert (report.files, report.bytes, report.own_bytes) == (3, 3, None)
    assert report.largest[0].path == "data:d/2"
    store.close()


def test_a_count_is_cancelled_and_keeps_what_it_has(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).write_text("x")
    surveys = Surveys(lambda report: None)
    root = Place(LocalStore(tmp_path), "", "shared:")
    waiting = threading.Event()

    def trash() -> int:
        waiting.wait(10)
        return 0

    assert surveys.start(root, trash).state == "counting"
    assert surveys.start(root, trash).state == "counting"
    surveys.cancel("shared")
    waiting.set()
    surveys.close()
    assert surveys.report("shared").state == "cancelled"
    assert surveys.report("shared").files == 0
    assert surveys.last("shared") is None
