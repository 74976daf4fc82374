from __future__ import annotations

import pytest

from jupyter_storage.advice import Cargo, advise, looks_secret
from jupyter_storage.config import resolve
from jupyter_storage.costs import estimate_cost, is_billed
from jupyter_storage.service import Service

GB = 10**9


def kinds(cargo, tier, *, directory=True, regions=None):
    return [each.kind for each in advise(cargo, tier, directory=directory, regions=regions)]


@pytest.mark.parametrize("tier", ["cluster", "user", "shared"])
def test_large_files_and_data_sets_belong_on_object_storage(tier):
    assert kinds(Cargo(1, 11 * GB, 11 * GB), tier) == ["large"]
    assert kinds(Cargo(300, 1000 * GB, 9 * GB), tier) == ["large"]
    assert kinds(Cargo(300, 900 * GB, 9 * GB), tier) == []


def test_many_small_files_are_no_load_for_a_network_disk():
    assert kinds(Cargo(20_000, 20_000 * 5_000, 9_000), "shared") == ["many"]
    assert kinds(Cargo(20_000, 20_000 * 5_000_000, 9 * GB), "shared") == []


@pytest.mark.parametrize("tier", ["local", "artifacts", None])
def test_nothing_is_said_where_it_is_right(tier):
    assert kinds(Cargo(20_000, 2000 * GB, 500 * GB), tier) == []


def test_a_tier_in_a_bucket_is_no_network_disk():
    assert kinds(Cargo(1, 11 * GB, 11 * GB), "shared", directory=False) == []


def test_secrets_are_told_where_others_can_read():
    cargo = Cargo(1, 10, 10, ("id_rsa",))
    assert kinds(cargo, "shared") == kinds(cargo, "artifacts") == ["secret"]
    assert kinds(cargo, "user") == kinds(cargo, "local") == []


def test_two_regions_are_told():
    regions = {"data:": "eu-west-1", "artifacts:": "us-east-1"}
    cargo = Cargo(1, 10, 10)
    assert kinds(cargo, "artifacts", regions=regions) == ["region"]
    assert kinds(cargo, "artifacts", regions={"data:": "a", "artifacts:": "a"}) == []
    assert kinds(cargo, "artifacts", regions={"data:": "a"}) == []


@pytest.mark.parametrize("name", [".env", "a/.env.local", "ID_RSA", "x/server.pem", ".netrc"])
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["environment.yml", "a.env.py", "pem/readme", "secrets.py"])
def test_names_that_only_resemble_them_are_left_alone(name):
    assert not looks_secret(name)


def test_a_plan_says_how_long_it_takes_once_that_is_known(tmp_path):
    settings = resolve(environ={"JUPYTER_STORAGE_ROOT": str(tmp_path / "root")}, project=tmp_path)
    service = Service(settings)
    (tmp_path / "a.bin").write_bytes(b"x" * 3_000_000)
    (tmp_path / ".env").write_text("KEY=1")
    plan = service.estimate([str(tmp_path / "a.bin")], "shared:")
    assert (plan.seconds, plan.advice) == (None, ())
    service.wait(service.copy([str(tmp_path / "a.bin")], "shared:").id)
    plan = service.estimate([str(tmp_path / ".env"), str(tmp_path / "a.bin")], "shared:in/")
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert [each.kind for each in plan.advice] == ["secret"]
    assert "'.env'" in plan.advice[0].message
    service.close()


def test_a_copy_to_a_bucket_costs_its_requests_and_a_region_its_bytes():
    assert estimate_cost(10_000, 10_000, reads=False, writes=True, crosses=False) == 0.05
    assert estimate_cost(10_000, 10_000, reads=True, writes=False, crosses=False) == 0.004
    far = estimate_cost(1, 1000 * GB, reads=True, writes=True, crosses=True)
    assert 20 < far < 21


@pytest.mark.parametrize(
    ("uri", "options", "environ", "billed"),
    [
        ("s3://bucket", {}, {}, True),
        ("gs://bucket", {"region": "eu"}, {}, True),
        ("s3://bucket", {"endpoint_url": "http://minio:9000"}, {}, False),
        ("s3://bucket", {}, {"AWS_ENDPOINT_URL": "http://minio:9000"}, False),
        ("file:///mnt/shared", {}, {}, False),
        ("sftp://host", {}, {}, False),
    ],
)
def test_only_a_clouds_own_bucket_costs(uri, options, environ, billed):
    assert is_billed(uri, options, environ) is billed


def test_a_plan_between_directories_costs_nothing(tmp_path):
    settings = resolve(environ={"JUPYTER_STORAGE_ROOT": str(tmp_path / "root")}, project=tmp_path)
    service = Service(settings)
    (tmp_path / "a").write_text("x")
    assert service.estimate([str(tmp_path / "a")], "shared:b").cost is None
    service.close()
