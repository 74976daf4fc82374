"""Who one is to S3: the same for both lanes, whichever source says it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ceph import ceph_is_installed
from recorder import recorded
from servers import S3_ENVIRONMENT, S3_PARTNER, make_s3_bucket

from jupyter_storage.errors import AccessDenied, CredentialsMissing, NotConfigured
from jupyter_storage.stores.s3 import S3Store

KEY, SECRET = S3_PARTNER["access_key"], S3_PARTNER["secret_key"]
LARGE = bytes(range(256)) * 68_000  # in parts


@pytest.fixture
def partners_bucket(s3_endpoint, s3_bucket, monkeypatch):
    """Name of a bucket of somebody else; the environment has no credentials."""
    name = f"partner-{s3_bucket}"
    make_s3_bucket(s3_endpoint, name, **S3_PARTNER)
    for variable in S3_ENVIRONMENT:
        monkeypatch.delenv(variable)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    return name


@pytest.fixture
def files(isolated_environment):
    """Write AWS's own files; they are where the environment says."""

    def write(*, config: str = "", credentials: str = "") -> None:
        directory = Path(isolated_environment) / "aws"
        directory.mkdir(exist_ok=True)
        (directory / "config").write_text(config)
        (directory / "credentials").write_text(credentials)

    return write


def exercise(store: S3Store, *, signed_by: str | None = KEY) -> None:
    """Use both lanes, each way."""
    store.write("small", b"1")
    store.write("large", LARGE)
    assert store.read("small") == b"1"
    assert store.read("large") == LARGE
    assert {entry.name for entry in store.list().entries} == {"small", "large"}
    assert store._client.native("small", "small") is not None
    assert f"Credential={signed_by}%2F" in store.url("small")
    filesystem, root = store.filesystem()
    assert filesystem.cat_file(f"{root}/small") == b"1"
    store.close()


def test_a_profile_of_the_files_is_taken_by_name(partners_bucket, s3_endpoint, files):
    files(
        config=f"[profile partner]\nregion = us-east-1\nendpoint_url = {s3_endpoint}\n",
        credentials=(
            f"[partner]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
            "[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n"
        ),
    )
    exercise(S3Store(partners_bucket, "", {"profile": "partner"}))


def test_a_profile_of_the_environment_is_taken(partners_bucket, s3_endpoint, files, monkeypatch):
    files(
        config=(
            f"[profile partner]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
            f"region = us-east-1\nendpoint_url = {s3_endpoint}\n"
        )
    )
    monkeypatch.setenv("AWS_PROFILE", "partner")
    exercise(S3Store(partners_bucket))


def test_a_program_of_the_profile_is_asked(partners_bucket, s3_endpoint, files, tmp_path):
    """As single sign-on and vaults hand out credentials."""
    told = {"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET}
    (tmp_path / "told.json").write_text(json.dumps(told))
    files(config=f"[profile vault]\ncredential_process = cat {tmp_path / 'told.json'}\n")
    options = {"profile": "vault", "endpoint_url": s3_endpoint, "region": "us-east-1"}
    exercise(S3Store(partners_bucket, "", options))


def test_a_profile_that_is_not_there_is_named(partners_bucket, files, monkeypatch):
    files(config="[profile other]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "partner")
    with pytest.raises(NotConfigured, match="partner"):
        S3Store(partners_bucket).check()


def test_the_profile_of_a_bucket_comes_before_the_environment(
    partners_bucket, s3_endpoint, files, monkeypatch
):
    files(credentials=f"[partner]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
    for name, value in S3_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    options = {"profile": "partner", "endpoint_url": s3_endpoint}
    exercise(S3Store(partners_bucket, "", options))


@pytest.fixture
def public_bucket(partners_bucket, s3_endpoint, monkeypatch):
    monkeypatch.setenv("PARTNER_KEY", KEY)
    monkeypatch.setenv("PARTNER_SECRET", SECRET)
    options = {"access_key_env": "PARTNER_KEY", "secret_key_env": "PARTNER_SECRET"}
    owner = S3Store(partners_bucket, "", {**options, "endpoint_url": s3_endpoint})
    with owner._client.errors(""):
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{partners_bucket}", f"arn:aws:s3:::{partners_bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        owner._client.call("put_bucket_policy", "", Policy=policy)
    owner.write("d/small", b"1")
    owner.write("d/large", LARGE)
    owner.close()
    return partners_bucket


@pytest.mark.skipif(not ceph_is_installed(), reason="moto lets everybody in")
def test_a_public_bucket_is_read_without_credentials_and_not_written(public_bucket, s3_endpoint):
    with recorded(s3_endpoint) as (endpoint, seen):
        public = S3Store(public_bucket, "", {"anonymous": True, "endpoint_url": endpoint})
        assert {entry.name for entry in public.list("d").entries} == {"small", "large"}
        assert public.read("d/small") == b"1"
        assert public.read("d/large") == LARGE
        assert public.checksums("d/large")[0].matches([LARGE])
        for data in (b"1", LARGE):
            with pytest.raises(AccessDenied):
                public.write("d/new", data)
        with pytest.raises(AccessDenied):
            public.delete("d/small")
        assert not any("Authorization" in request.headers for request in seen)
        public.close()


@pytest.mark.skipif(not ceph_is_installed(), reason="moto lets everybody in")
def test_without_credentials_a_public_bucket_must_be_called_so(public_bucket, s3_endpoint):
    with pytest.raises(CredentialsMissing) as caught:
        S3Store(public_bucket, "", {"endpoint_url": s3_endpoint}).read("d/small")
    assert public_bucket in str(caught.value)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{s3_endpoint}/{public_bucket}-not/d/small")


def test_two_buckets_of_one_name_at_two_endpoints_stay_apart(
    s3_endpoint, moto_endpoint, s3_bucket, monkeypatch
):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    make_s3_bucket(moto_endpoint, s3_bucket)
    here = S3Store(s3_bucket, "", {"endpoint_url": s3_endpoint})
    there = S3Store(s3_bucket, "", {"endpoint_url": moto_endpoint})
    here.write("a", b"here")
    there.write("a", LARGE)
    assert (here.read("a"), there.read("a")) == (b"here", LARGE)
    assert not here.can_copy_from(there)
    assert here.url("a").startswith(s3_endpoint)
    assert there.url("a").startswith(moto_endpoint)
    here.close()
    there.close()
