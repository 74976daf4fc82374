"""Requests to S3 without botocore: as botocore would ask, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session
from recorder import recorded
from servers import S3_ENVIRONMENT

from jupyter_storage.errors import CredentialsMissing, NotFound, StorageError
from jupyter_storage.stores import s3_signing
from jupyter_storage.stores.s3 import S3Store
from jupyter_storage.stores.s3_identity import S3Identity
from jupyter_storage.stores.s3_signing import Signer

KEYS = ["plain", "a b+c/d~e.f-g_h", "100%/ü/日本", "q?x=1&y#z", "a=b;c:d@e!f$g'(h)*,"]
HOST = "https://s3.example.com:9000"


@pytest.fixture
def seconds(monkeypatch):
    """Both ways of signing read the clock once, and find the same moment."""
    import datetime

    moment = datetime.datetime(2026, 11, 21, 21, 30, tzinfo=datetime.timezone.utc)

    class Still(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    monkeypatch.setattr(s3_signing, "datetime", Still)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None))


@pytest.mark.parametrize("token", ["", "a/token+of=an hour"])
@pytest.mark.parametrize("key", KEYS)
def test_requests_are_signed_as_botocore_signs_them(seconds, key, token):
    signer = Signer(HOST, "eu-west-1", "AKID", "secret", token)
    query = {"uploadId": "a+b/c=", "partNumber": "7", "empty": ""}
    url, headers = signer.signed("PUT", f"bucket/{key}", query, {"x-amz-meta-a": " b "}, b"body")
    request = AWSRequest("PUT", url, headers={"x-amz-meta-a": " b "}, data=b"body")
    request.context.update({"payload_signing_enabled": True, "client_config": None})
    credentials = Credentials("AKID", "secret", token or None)
    S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(request)
    assert headers["Authorization"] == request.headers["Authorization"]


@pytest.mark.parametrize("token", ["", "a/token+of=an hour"])
@pytest.mark.parametrize("key", KEYS)
def test_addresses_are_signed_as_botocore_signs_them(seconds, key, token):
    signer = Signer(HOST, "eu-west-1", "AKID", "secret", token)
    headers = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    url = signer.address("PUT", f"bucket/{key}", {"uploadId": "a+b/c="}, headers, 3600)
    bare = signer.signed("PUT", f"bucket/{key}", {"uploadId": "a+b/c="}, {})[0]
    request = AWSRequest("PUT", bare, headers=headers)
    credentials = Credentials("AKID", "secret", token or None)
    S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=3600).add_auth(request)
    assert url.rpartition("=")[2] == request.url.rpartition("=")[2]


@pytest.mark.parametrize("key", KEYS)
def test_a_service_takes_names_of_all_kinds(s3_store, key):
    s3_store.write(key, b"content")
    assert [entry.path for entry in s3_store.walk() if not entry.is_directory] == [key]
    assert s3_store.stat(key).size == 7
    assert s3_store.checksums(key)[0].matches([b"content"])
    s3_store.delete(key)
    with pytest.raises(NotFound):
        s3_store.stat(key)


@pytest.fixture
def s3_store(s3_endpoint, s3_bucket):
    store = S3Store(s3_bucket)
    yield store
    assert store._client._connected is None, "botocore was needed"
    store.close()


PLAIN = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n"
NAMED = "[profile p]\nregion = eu-west-3\naws_access_key_id = C\naws_secret_access_key = D\n"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F"}
REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    ("environment", "config", "credentials", "options", "known"),
    [
        ({**ENVIRONMENT, **REGION}, "", "", {}, True),
        ({**ENVIRONMENT, **REGION, "AWS_SESSION_TOKEN": "G"}, NAMED, PLAIN, {}, True),
        ({**ENVIRONMENT, **REGION}, NAMED, PLAIN, {"profile": "p"}, True),
        ({**ENVIRONMENT, **REGION, "AWS_PROFILE": "p"}, NAMED, PLAIN, {}, True),
        ({"AWS_PROFILE": "p"}, NAMED, PLAIN, {}, True),
        (REGION, "", PLAIN, {}, True),
        (REGION, "[default]\nregion = us-west-2\n", PLAIN, {}, True),
        ({}, "[default]\nregion = us-west-2\n", PLAIN, {}, True),
        (REGION, "[profile default]\nregion = us-west-2\n", PLAIN, {}, True),
        (REGION, NAMED, PLAIN + "[p]\naws_access_key_id=H\naws_secret_access_key=I\n", {}, True),
        ({"AWS_PROFILE": "p", **REGION}, NAMED, "[p]\naws_access_key_id=H\n", {}, False),
        ({"AWS_ENDPOINT_URL": "http://a:1", **REGION}, "", PLAIN, {}, True),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://b"},
            "",
            PLAIN,
            {},
            True,
        ),
        (REGION, "[default]\nendpoint_url = http://c:2\n", PLAIN, {}, True),
        (REGION, "[default]\nendpoint_url = http://c\n", PLAIN, {"endpoint_url": "http://d"}, True),
        (REGION, "", PLAIN, {"region": "ap-southeast-2"}, True),
        ({"AWS_ACCESS_KEY_ID": "E", **REGION}, "", PLAIN, {}, False),
        ({"AWS_PROFILE": "missing", **REGION}, NAMED, PLAIN, {}, False),
        (
            REGION,
            "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = p\n",
            PLAIN,
            {},
            False,
        ),
        (REGION, "[default]\ncredential_process = cat x\n", "", {}, False),
        (REGION, "[default]\ns3 =\n  addressing_style = virtual\n", PLAIN, {}, False),
        (REGION, "[default\n", PLAIN, {}, False),
        ({**REGION, "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", PLAIN, {}, False),
        ({"AWS_DEFAULT_REGION": "cn-north-1"}, "", PLAIN, {}, False),
        ({"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", **REGION}, "", PLAIN, {}, False),
        ({}, "", PLAIN, {}, False),
        (REGION, "", "", {}, False),
        (REGION, "", PLAIN, {"requester_pays": True}, False),
    ],
)
def test_who_one_is_is_what_botocore_says_or_left_to_it(
    isolated_environment, monkeypatch, environment, config, credentials, options, known
):
    directory = Path(isolated_environment) / "aws"
    directory.mkdir(exist_ok=True)
    (directory / "config").write_text(config)
    (directory / "credentials").write_text(credentials)
    for name in {*S3_ENVIRONMENT, "AWS_ENDPOINT_URL"}:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = S3Identity("bucket", options).plain()
    assert (found is not None) == known
    if found is None:
        return
    who = S3Identity("bucket", options)
    client = who.connect()
    keys = Session(profile=options.get("profile")).get_credentials().get_frozen_credentials()
    assert (found.access_key, found.secret_key, found.token or None) == tuple(keys)[:3]
    assert found.endpoint == client.meta.endpoint_url
    assert found.region == client.meta.region_name
    client.close()


def test_a_wrong_secret_is_said_as_ever(s3_bucket, s3_endpoint, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    store = S3Store(s3_bucket)
    for ask in (store.list, lambda: store.stat("a"), lambda: store.make_directory("d")):
        with pytest.raises(CredentialsMissing):
            ask()
    store.close()


def test_a_service_that_does_not_like_how_it_is_asked_is_asked_by_botocore(s3_endpoint, s3_bucket):
    def fault(request):
        # botocore names its version; this could be a region that is elsewhere.
        return None if "Botocore" in request.headers.get("User-Agent", "") else "500"

    with recorded(s3_endpoint, fault=fault) as (endpoint, seen):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        assert store.list().entries == ()
        assert any("Botocore" in request.headers.get("User-Agent", "") for request in seen)
        store.close()


def test_nobody_there_is_said_within_seconds():
    store = S3Store("bucket", "", {"endpoint_url": "http://127.0.0.1:9", "anonymous": True})
    with pytest.raises(StorageError, match="No answer"):
        store.list()
    store.close()


def test_keys_are_in_no_text(s3_bucket):
    who = S3Identity(s3_bucket, {}).plain()
    assert who is not None
    assert S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in repr(who)


@pytest.mark.parametrize("verb", ["ls", "find", "cp"])
def test_a_command_on_a_bucket_waits_only_for_what_it_needs(s3_bucket, tmp_path, verb):
    S3Store(s3_bucket).write("a", b"1")
    words = [verb, f"s3://{s3_bucket}/", *(["-r", str(tmp_path)] if verb == "cp" else [])]
    code = (
        "import sys; from jupyter_storage.cli import main; "
        f"status = main({words!r}); "
        "print('botocore' in sys.modules, 'obstore' in sys.modules, status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == f"False {verb == 'cp'} 0\n"
