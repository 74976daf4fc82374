from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_storage.config import JupyterStorage, load_config, resolve
from jupyter_storage.errors import InvalidRequest, StorageError


def config(**values):
    return Config({"JupyterStorage": values})


def settings(tmp_path, environ=None, **sources):
    return resolve(environ={"HOME": str(tmp_path), **(environ or {})}, project=tmp_path, **sources)


def test_everything_has_a_default_without_configuration(tmp_path):
    result = settings(tmp_path)
    assert result.bucket.startswith("file:///")
    assert result.artifacts == f"{result.bucket}/default/default/artifact_storage"
    assert result.snapshots


def test_the_command_line_wins_over_environment_over_file_over_default(tmp_path):
    file = config(org_id="file", cloud_id="file", user_id="file")
    environ = {"JUPYTER_STORAGE_ORG_ID": "environment", "JUPYTER_STORAGE_CLOUD_ID": "environment"}
    result = settings(tmp_path, environ, config=file, command_line=config(org_id="line"))
    assert (result.org_id, result.cloud_id, result.user_id) == ("line", "environment", "file")
    assert result.workload == "workspace"


def test_a_stronger_source_replaces_a_dictionary_whole(tmp_path):
    result = settings(
        tmp_path,
        {"JUPYTER_STORAGE_TIERS": '{"b": "s3://b"}'},
        config=config(tiers={"a": "s3://a"}),
    )
    assert list(result.tiers) == ["b"]


def test_the_platforms_own_names_are_taken_and_set(tmp_path):
    result = settings(
        tmp_path,
        {
            "ANYSCALE_CLOUD_STORAGE_BUCKET": "anyscale-production-data-cld_1",
            "ANYSCALE_CLOUD_STORAGE_BUCKET_REGION": "us-west-2",
            "ANYSCALE_ARTIFACT_STORAGE": "s3://anyscale-production-data-cld_1/org_1/cld_1/artifact_storage/",
        },
    )
    assert result.bucket == "s3://anyscale-production-data-cld_1"
    assert result.system_uri == "s3://anyscale-production-data-cld_1/org_1/cld_1"
    values = result.environment()
    assert values["JUPYTER_STORAGE_BUCKET_REGION"] == "us-west-2"
    assert values["ANYSCALE_CLOUD_STORAGE_BUCKET"] == "anyscale-production-data-cld_1"
    assert values["ANYSCALE_ARTIFACT_STORAGE"].endswith("/artifact_storage/")
    assert values["JUPYTER_STORAGE_ARTIFACTS"] == values["ANYSCALE_ARTIFACT_STORAGE"]


def test_our_names_win_over_the_platforms(tmp_path):
    environ = {"ANYSCALE_CLOUD_STORAGE_BUCKET": "theirs", "JUPYTER_STORAGE_BUCKET": "gs://ours"}
    assert settings(tmp_path, environ).bucket == "gs://ours"


def test_the_artifacts_alone_name_the_bucket(tmp_path):
    result = settings(tmp_path, {"JUPYTER_STORAGE_ARTIFACTS": "gs://b/o/c/artifact_storage/"})
    assert result.bucket == "gs://b"
    assert result.system_uri == "gs://b/o/c"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"JUPYTER_STORAGE_WORKSPACE_ID": "ws-1", "JUPYTER_STORAGE_BUCKET": "s3://b"},
        {"JUPYTER_STORAGE_ROOT": "/data/x", "JUPYTER_STORAGE_WORKLOAD": "job"},
        {"JUPYTER_STORAGE_TIERS": '{"d": {"uri": "s3://d", "quota": 5}}'},
        {"JUPYTER_STORAGE_SNAPSHOTS": "no", "JUPYTER_STORAGE_CONCURRENCY": "3"},
    ],
)
def test_kernels_come_to_the_same_settings_as_the_server(tmp_path, environ):
    first = settings(tmp_path, environ)
    again = resolve(environ={"HOME": str(tmp_path), **first.environment()})
    assert again == first


def test_the_environment_for_kernels_holds_no_secret(tmp_path):
    environ = {"AWS_SECRET_ACCESS_KEY": "hush", "JUPYTER_STORAGE_SNAPSHOT_PASSWORD": "hush"}
    assert "hush" not in str(settings(tmp_path, environ).environment())


def test_workspaces_of_two_directories_differ_and_stay_the_same(tmp_path):
    one = resolve(environ={}, project=tmp_path / "a")
    two = resolve(environ={}, project=tmp_path / "b")
    assert one.workload_id != two.workload_id
    assert resolve(environ={}, project=tmp_path / "a").workload_id == one.workload_id


def test_under_jupyterhub_the_workspace_follows_the_person_not_the_machine(tmp_path):
    environ = {"JUPYTERHUB_USER": "ada", "JUPYTERHUB_SERVER_NAME": "gpu"}
    result = settings(tmp_path, environ)
    assert result.workload_id == "ada-gpu"
    assert result.user_id == "ada"


@pytest.mark.parametrize("option", ["secret", "aws_secret_access_key", "token", "password", "key"])
def test_a_secret_in_the_configuration_is_refused(tmp_path, option):
    with pytest.raises(InvalidRequest) as caught:
        settings(tmp_path, config=config(store_options={"s3://b": {option: "hush"}}))
    assert option in str(caught.value)
    assert "hush" not in str(caught.value)
    with pytest.raises(InvalidRequest):
        settings(tmp_path, config=config(tiers={"d": {"uri": "s3://d", "options": {option: "x"}}}))


@pytest.mark.parametrize("option", ["secret_key_env", "access_key_env", "credentials_file"])
def test_a_secret_may_be_named(tmp_path, option):
    result = settings(tmp_path, config=config(store_options={"s3://b/": {option: "NAME"}}))
    assert result.store_options == {"s3://b": {option: "NAME"}}


@pytest.mark.parametrize(
    "environ",
    [
        {"JUPYTER_STORAGE_SNAPSHOTS": "perhaps"},
        {"JUPYTER_STORAGE_CONCURRENCY": "many"},
        {"JUPYTER_STORAGE_CONCURRENCY": "0"},
        {"JUPYTER_STORAGE_TIERS": "[1]"},
        {"JUPYTER_STORAGE_TIERS": "{"},
        {"JUPYTER_STORAGE_TIERS": '{"a b": "s3://x"}'},
        {"JUPYTER_STORAGE_TIERS": '{"a": {"url": "s3://x"}}'},
        {"JUPYTER_STORAGE_TIERS": '{"a": {"uri": "s3://x", "sope": "typo"}}'},
        {"JUPYTER_STORAGE_WORKLOAD": "spaceship"},
        {"JUPYTER_STORAGE_ARTIFACTS": "not a uri"},
    ],
)
def test_a_wrong_value_is_refused_with_its_name(tmp_path, environ):
    with pytest.raises(StorageError) as caught:
        settings(tmp_path, environ)
    assert caught.value.exit_status == 2
    assert caught.value.hint


def test_configuration_files_are_read_as_the_server_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "jupyter_server_config.py").write_text("c.JupyterStorage.org_id = 'from-server'\n")
    (tmp_path / "jupyter_storage_config.json").write_text('{"JupyterStorage": {"cloud_id": "x"}}')
    result = settings(tmp_path, config=load_config())
    assert (result.org_id, result.cloud_id) == ("from-server", "x")


def test_a_broken_configuration_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "jupyter_storage_config.py").write_text("c.JupyterStorage.org_id = \n")
    with pytest.raises(InvalidRequest) as caught:
        load_config()
    assert str(tmp_path) in str(caught.value)


def test_every_option_explains_itself():
    for name, trait in JupyterStorage.class_traits(config=True).items():
        assert trait.help, name


def test_names_that_people_choose_become_one_part_of_a_key(tmp_path):
    result = settings(tmp_path, {"JUPYTER_STORAGE_WORKSPACE_ID": "../my work/space"})
    assert "/" not in result.workload_id
    assert result.workload_id == "my-work-space"
    assert Path(result.root).is_absolute()
