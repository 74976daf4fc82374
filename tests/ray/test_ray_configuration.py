"""What is prepared for Ray, without a cluster: places, file systems and environments."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_storage.commands.session import session
from jupyter_storage.config import resolve
from jupyter_storage.errors import (
    AlreadyExists,
    CredentialsMissing,
    InvalidPath,
    InvalidRequest,
    NotFound,
    Protected,
)
from jupyter_storage.ray import location, run_config, runtime_env
from jupyter_storage.tiers import build_tiers

pytest.importorskip("ray")

SECRET = "a-secret-that-must-not-be-written"


@pytest.fixture(autouse=True)
def closed():
    yield
    session.close()


@pytest.fixture
def bucket(moto_endpoint: str, moto_bucket: str, monkeypatch) -> str:
    """A bucket behind the tier 'artifacts', with credentials of its own by reference."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    options = {
        "endpoint_url": moto_endpoint,
        "access_key_env": "TEAM_KEY",
        "secret_key_env": "TEAM_SECRET",
    }
    monkeypatch.setenv("TEAM_KEY", "team")
    monkeypatch.setenv("TEAM_SECRET", SECRET)
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"s3://{moto_bucket}")
    monkeypatch.setenv(
        "JUPYTER_STORAGE_STORE_OPTIONS", json.dumps({f"s3://{moto_bucket}": options})
    )
    return moto_bucket


def test_nothing_of_ray_is_imported_without_it() -> None:
    code = (
        "import sys, jupyter_storage, jupyter_storage.service, jupyter_storage.server.app;"
        "import jupyter_storage.commands.experiments, jupyter_storage.experiments.reader;"
        "print([m for m in ('ray', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_config_is_rays_own_and_knows_the_bucket(bucket: str) -> None:
    import ray.train
    from ray import tune

    config = run_config("cats", verbose=0, checkpoint_config=tune.CheckpointConfig(num_to_keep=5))
    assert type(config) is tune.RunConfig
    assert config.name == "cats"
    assert config.storage_path == f"{bucket}/default/default/artifact_storage"
    assert config.checkpoint_config.num_to_keep == 5
    trained = run_config("birds", "artifacts:team", library="train")
    assert type(trained) is ray.train.RunConfig
    assert trained.storage_path == f"{bucket}/default/default/artifact_storage/team"


def test_the_file_system_does_what_ray_does_with_it(bucket: str, tmp_path: Path) -> None:
    from pyarrow import fs

    config = run_config("cats")
    there, root = config.storage_filesystem, f"{config.storage_path}/cats"
    (tmp_path / "model/layers").mkdir(parents=True)
    (tmp_path / "model/a.bin").write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "model/layers/b.bin").write_bytes(b"")
    there.create_dir(f"{root}/checkpoint_000000")
    fs.copy_files(
        str(tmp_path / "model"), f"{root}/checkpoint_000000", destination_filesystem=there
    )
    listed = there.get_file_info(fs.FileSelector(root, recursive=True))
    assert {(info.path.removeprefix(f"{root}/"), info.type.name, info.size) for info in listed} == {
        ("checkpoint_000000", "Directory", None),
        ("checkpoint_000000/layers", "Directory", None),
        ("checkpoint_000000/a.bin", "File", 10_240_000),
        ("checkpoint_000000/layers/b.bin", "File", 0),
    }
    fs.copy_files(f"{root}/checkpoint_000000", str(tmp_path / "back"), source_filesystem=there)
    assert (tmp_path / "back/a.bin").read_bytes() == (tmp_path / "model/a.bin").read_bytes()
    assert (tmp_path / "back/layers/b.bin").read_bytes() == b""
    with there.open_input_file(f"{root}/checkpoint_000000/a.bin") as file:
        file.seek(255)
        assert file.read(2) == b"\xff\x00"
    there.delete_dir(f"{root}/checkpoint_000000")
    assert there.get_file_info(f"{root}/checkpoint_000000").type is fs.FileType.NotFound
    with pytest.raises(FileNotFoundError):
        there.open_input_stream(f"{root}/nosuch")
    with pytest.raises(FileNotFoundError):
        there.get_file_info(fs.FileSelector(f"{root}/nosuch"))
    assert there.get_file_info(fs.FileSelector(f"{root}/nosuch", allow_not_found=True)) == []


def test_a_file_that_was_not_closed_does_not_appear(bucket: str) -> None:
    from pyarrow import fs

    config = run_config("cats")
    path = f"{config.storage_path}/cats/half.bin"
    stream = config.storage_filesystem.open_output_stream(path)
    stream.write(bytes(100_000))
    del stream
    assert config.storage_filesystem.get_file_info(path).type is fs.FileType.NotFound


def test_it_is_pickled_by_reference(bucket: str, monkeypatch) -> None:
    config = run_config("cats")
    path = f"{config.storage_path}/cats/a.txt"
    with config.storage_filesystem.open_output_stream(path) as stream:
        stream.write(b"abc")
    pickled = pickle.dumps(config.storage_filesystem)
    assert SECRET.encode() not in pickled
    assert SECRET not in repr(config)
    again = pickle.loads(pickled)
    assert again == config.storage_filesystem
    assert again.open_input_stream(path).read() == b"abc"
    monkeypatch.delenv("TEAM_SECRET")
    with pytest.raises(CredentialsMissing, match="TEAM_SECRET is not set"):
        pickle.loads(pickled).get_file_info(path)


def test_a_name_in_use_is_refused_unless_one_goes_on(bucket: str) -> None:
    config = run_config("cats")
    with pytest.raises(NotFound, match="no such experiment"):
        location("cats")
    path = f"{config.storage_path}/cats/.validate_storage_marker"
    config.storage_filesystem.open_output_stream(path).close()
    with pytest.raises(AlreadyExists, match="an experiment of that name") as caught:
        run_config("cats")
    assert "Tuner.restore" in caught.value.hint
    assert run_config("cats", resume=True).storage_path == config.storage_path
    assert location("cats") == {
        "path": f"{config.storage_path}/cats",
        "storage_filesystem": config.storage_filesystem,
    }


def test_names_and_places_that_cannot_be_are_refused(bucket: str) -> None:
    for name in ("", "a/b", "..", "a\0b"):
        with pytest.raises(InvalidPath):
            run_config(name)
    with pytest.raises(InvalidPath, match="no tier"):
        run_config("cats", "artefacts:team")
    with pytest.raises(Protected):
        run_config("cats", f"s3://{bucket}/default/default/workspaces")


def test_tiers_mean_on_workers_what_they_mean_here(bucket: str, monkeypatch) -> None:
    monkeypatch.setenv("JUPYTER_STORAGE_NETWORK_BACKING", "bucket")
    monkeypatch.setenv("AWS_PROFILE", "team")
    here = session.service().settings
    values = runtime_env()["env_vars"]
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    there = resolve(environ=values, project=Path("/elsewhere"))
    assert {name: tier.uri for name, tier in build_tiers(there).items() if name != "local"} == {
        name: tier.uri for name, tier in build_tiers(here).items() if name != "local"
    }
    assert values["AWS_PROFILE"] == "team"
    assert SECRET not in json.dumps(runtime_env(env_vars={"A": "1"}, pip=["x"]))


def test_a_job_has_another_cluster_tier_than_its_workspace(bucket: str, monkeypatch) -> None:
    monkeypatch.setenv("JUPYTER_STORAGE_NETWORK_BACKING", "bucket")

    def cluster(values: dict[str, str]) -> str:
        return build_tiers(resolve(environ=values))["cluster"].uri

    workspace = cluster(runtime_env()["env_vars"])
    job = cluster(runtime_env(workload="job", workload_id="raysubmit_1")["env_vars"])
    assert "/workspaces/" in workspace
    assert job.endswith("/default/default/job/raysubmit_1/cluster_storage")
    with pytest.raises(InvalidRequest, match="Which job"):
        runtime_env(workload="job")


def test_secrets_go_along_only_where_they_are_named(bucket: str) -> None:
    assert SECRET not in json.dumps(runtime_env())
    named = runtime_env(secrets=["TEAM_SECRET"])["env_vars"]
    assert named["TEAM_SECRET"] == SECRET
    with pytest.raises(CredentialsMissing, match="NOT_THERE"):
        runtime_env(secrets=["NOT_THERE"])
