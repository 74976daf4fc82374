from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_storage.config import resolve
from jupyter_storage.tiers import build_tiers, registry, workload_prefix
from jupyter_storage.tiers.registry import options_for


def settings(tmp_path, **environ):
    named = {f"JUPYTER_STORAGE_{name}": value for name, value in environ.items()}
    return resolve(environ=named, project=tmp_path)


@pytest.fixture(autouse=True)
def mount_point(tmp_path, monkeypatch):
    """What lies in this machine's own /mnt decides nothing here."""
    place = tmp_path / "mnt"
    place.mkdir()
    monkeypatch.setattr(registry, "MOUNT_POINT", place)
    return place


def test_five_tiers_by_default_in_the_order_of_reach(tmp_path):
    tiers = build_tiers(settings(tmp_path))
    assert list(tiers) == ["local", "cluster", "user", "shared", "artifacts"]
    for tier in tiers.values():
        assert tier.scope
        assert tier.lifetime
        assert tier.purpose
        assert tier.uri.startswith("file:///")


def test_a_chosen_root_holds_every_directory_tier(tmp_path):
    root = tmp_path / "root"
    for tier in build_tiers(settings(tmp_path, ROOT=str(root))).values():
        assert tier.path is not None
        assert root in tier.path.parents
        assert tier.alias is None


def test_a_mounted_directory_is_the_tier(tmp_path, mount_point):
    (mount_point / "shared_storage").mkdir()
    tiers = build_tiers(settings(tmp_path))
    assert tiers["shared"].path == mount_point / "shared_storage"
    assert tiers["user"].alias == mount_point / "user_storage"


def test_the_platforms_own_link_is_the_tier(tmp_path, mount_point):
    (tmp_path / "efs/team").mkdir(parents=True)
    (mount_point / "shared_storage").symlink_to(tmp_path / "efs/team")
    assert build_tiers(settings(tmp_path))["shared"].path == mount_point / "shared_storage"


def test_another_persons_link_is_not_used(tmp_path, mount_point):
    theirs = tmp_path / "home/ada/.local/share/jupyter/storage/tiers/shared_storage"
    theirs.mkdir(parents=True)
    (mount_point / "shared_storage").symlink_to(theirs)
    mine = build_tiers(settings(tmp_path))["shared"]
    assert mine.path is not None
    assert theirs not in (mine.path, mine.path.resolve())
    assert mine.alias is None


def test_a_place_that_may_not_be_looked_at_stops_nothing(tmp_path, mount_point, monkeypatch):
    monkeypatch.setattr(registry, "MOUNT_POINT", mount_point / ("m" * 300))
    assert "local" in build_tiers(settings(tmp_path))


def test_another_workspaces_link_is_not_used(tmp_path):
    first = build_tiers(settings(tmp_path, WORKSPACE_ID="first"))["cluster"]
    first.path.mkdir(parents=True)
    first.alias.symlink_to(first.path)
    assert build_tiers(settings(tmp_path, WORKSPACE_ID="first"))["cluster"].path == first.alias
    second = build_tiers(settings(tmp_path, WORKSPACE_ID="second"))["cluster"]
    assert second.path != first.alias
    assert "second" in str(second.path)


@pytest.mark.parametrize(
    ("workload", "prefix"),
    [
        ("workspace", "workspaces/w1/cluster_storage"),
        ("job", "job/w1/cluster_storage"),
        ("job_queue", "job_queue/w1"),
        ("service", "service/w1"),
    ],
)
def test_the_cluster_tier_maps_to_the_workloads_prefix(tmp_path, workload, prefix):
    chosen = settings(
        tmp_path,
        WORKLOAD=workload,
        WORKLOAD_ID="w1",
        NETWORK_BACKING="bucket",
        BUCKET="s3://b",
        ORG_ID="org",
        CLOUD_ID="cld",
    )
    assert workload_prefix(chosen) == prefix
    tiers = build_tiers(chosen)
    assert tiers["cluster"].uri == f"s3://b/org/cld/{prefix}"
    assert tiers["cluster"].path is None
    assert tiers["shared"].uri == "s3://b/org/cld/shared_storage"
    assert tiers["artifacts"].uri == "s3://b/org/cld/artifact_storage"
    assert tiers["local"].path is not None


def test_a_job_started_from_a_workspace_has_another_cluster_tier(tmp_path):
    workspace = build_tiers(settings(tmp_path, WORKSPACE_ID="w"))["cluster"]
    job = build_tiers(settings(tmp_path, WORKLOAD="job", WORKLOAD_ID="j"))["cluster"]
    assert workspace.uri != job.uri


def test_tiers_are_added_and_replaced_by_configuration(tmp_path):
    tiers = build_tiers(
        settings(
            tmp_path,
            TIERS='{"data": "s3://team-data/x/", "shared": {"uri": "~/team", "quota": 7}}',
        )
    )
    assert tiers["data"].uri == "s3://team-data/x"
    assert tiers["shared"].path == Path("~/team").expanduser()
    assert tiers["shared"].quota == 7
    assert tiers["shared"].scope == "everyone in the cloud"
    assert list(tiers)[-1] == "data"


def test_options_of_the_longest_prefix_apply(tmp_path):
    chosen = settings(
        tmp_path,
        BUCKET="s3://b",
        BUCKET_REGION="eu-west-1",
        STORE_OPTIONS='{"s3://b/team": {"profile": "team"}, "s3://other": {"anonymous": true}}',
    )
    assert options_for("s3://b/team/x", chosen) == {"profile": "team", "region": "eu-west-1"}
    assert options_for("s3://b/teammates", chosen) == {"region": "eu-west-1"}
    assert options_for("s3://other/x", chosen) == {"anonymous": True}
    assert options_for("s3://bb", chosen) == {}
