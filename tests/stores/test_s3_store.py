from __future__ import annotations

import os
import socket
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import pytest
from ceph import ceph_is_installed
from recorder import recorded
from servers import S3_ENVIRONMENT, S3_PARTNER, make_s3_bucket

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    ChecksumMismatch,
    CredentialsMissing,
    NotConfigured,
    NotFound,
    StorageError,
    Throttled,
    Unreachable,
)
from jupyter_storage.stores import s3
from jupyter_storage.stores.s3 import S3Store
from jupyter_storage.stores.store import Store


@pytest.fixture
def store(s3_bucket):
    store = S3Store(s3_bucket, "org/cloud/artifact_storage")
    yield store
    store.close()


@contextmanager
def requests_of(store: S3Store):
    """Record the method, URL and body of all that a store sends."""
    client = store._client._client()
    seen: list[tuple[str, str, object]] = []

    def record(request, **_):
        seen.append((request.method, request.url, request.body))

    client.meta.events.register("before-send.s3", record)
    yield seen
    client.meta.events.unregister("before-send.s3", record)


def test_no_request_leaves_the_prefix(s3_endpoint, s3_bucket):
    inside = "org/cloud/artifact_storage/"
    with recorded(s3_endpoint) as (endpoint, seen):
        store = S3Store(s3_bucket, inside.rstrip("/"), {"endpoint_url": endpoint})
        exercise(store)
        store.write("big", bytes(17 * 2**20))
        store.copy_from(store, "big", "big2")
        store.close()
    assert len(seen) > 30
    for request in seen:
        key = request.path.removeprefix(f"/{s3_bucket}").removeprefix("/")
        if key:
            assert key.startswith(inside), request
        elif request.method == "POST":
            keys = request.body.decode().split("<Key>")[1:]
            assert keys
            assert all(key.startswith(inside) for key in keys), request
        else:
            assert request.method == "GET", request  # no HeadBucket
            assert f"prefix={inside.replace('/', '%2F')}" in request.query, request


def exercise(store: Store) -> None:
    store.check()
    store.stat("")
    store.make_directory("d")
    store.write("d/a", b"1")
    store.write("d/b/c", b"2", exclusive=True)
    store.list("")
    store.list("d")
    list(store.walk(""))
    store.read("d/a")
    store.rename("d/a", "d/e")
    store.rename("d", "f")
    store.url("f/e")
    store.usage()
    for ask in (store.stat, store.list, store.read, store.delete, store.delete_directory):
        with pytest.raises(NotFound):
            ask("missing")
    store.delete("f/e")
    store.delete_directory("f")
    store.delete_directory("")


def test_a_small_file_costs_one_request_where_its_directory_is_known(s3_endpoint, s3_bucket):
    with recorded(s3_endpoint) as (endpoint, seen):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        store.write("d/first", b"1")
        seen.clear()
        for number in range(10):
            entry = store.write(f"d/{number}", b"1")
            assert store.read(f"d/{number}") == b"1"
        assert [request.method for request in seen] == ["PUT", "GET"] * 10
        assert replace(store.stat("d/9"), modified=None) == entry
        store.close()


def test_an_exclusive_file_costs_one_request_where_the_service_heeds_conditions(
    s3_endpoint, s3_bucket
):
    with recorded(s3_endpoint) as (endpoint, seen):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        store.write("d/first", b"1", exclusive=True)
        seen.clear()
        store.write("d/second", b"1", exclusive=True)
        with pytest.raises(AlreadyExists):
            store.write("d/first", b"2", exclusive=True)
        assert [request.method for request in seen][:2] == ["PUT", "PUT"]
        assert store.read("d/first") == b"1"
        assert store.creates_exclusively()
        assert {entry.path for entry in store.walk()} == {"d/first", "d/second"}
        store.close()


@pytest.mark.parametrize("status", [301, 400])
def test_where_the_faster_lane_is_not_answered_the_other_is_taken(s3_endpoint, s3_bucket, status):
    with recorded(s3_endpoint, refused={"HEAD": status}) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        assert store._client.native("a", "a") is None
        store._client.call("put_object", "a", Key="a", Body=b"1")
        assert store.read("a") == b"1"
        store.close()


def test_options_that_only_botocore_knows_keep_the_faster_lane_shut(s3_bucket):
    store = S3Store(s3_bucket, "", {"requester_pays": True})
    store.write("a", b"1")
    assert store.read("a") == b"1"
    assert store._client.native("a", "a") is None
    store.close()


ENCRYPTED = {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}


def test_the_etag_of_an_encrypted_object_is_not_taken_for_a_checksum(s3_endpoint, s3_bucket):
    with recorded(s3_endpoint, headers=ENCRYPTED) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        assert store.write("a", b"1").checksum is None
        assert store.read("a") == b"1"
        assert store._client.native("a", "a") is not None
        store.close()


def test_wrong_bytes_are_noticed_whichever_way_they_go(s3_endpoint, s3_bucket):
    with recorded(s3_endpoint, headers={"ETag": f'"{"0" * 32}"'}) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        with pytest.raises(ChecksumMismatch, match="other bytes than were sent"):
            store.write("a", b"1")
        with pytest.raises(ChecksumMismatch, match="not the ones that are stored"):
            store.read("a")
        store.close()


def test_nothing_of_an_aborted_upload_stays(store, s3_bucket):
    writer = store.create("big", size=40 * 2**20)
    for _ in range(3):
        writer.write(bytes(8 * 2**20))
    uploads = store._client.call("list_multipart_uploads", "")
    assert len(uploads["Uploads"]) == 1
    writer.abort()
    assert not store._client.call("list_multipart_uploads", "").get("Uploads")


def test_a_refused_exclusive_upload_leaves_no_parts(store):
    writer = store.create("big", exclusive=True)
    writer.write(bytes(20 * 2**20))
    store.write("big", b"first")
    with writer, pytest.raises(AlreadyExists):
        writer.commit()
    assert not store._client.call("list_multipart_uploads", "").get("Uploads")


def test_large_copies_go_in_parts_inside_the_service(store, monkeypatch):
    data = os.urandom(12 * 2**20)
    store.write("a b", data)
    monkeypatch.setattr(s3, "COPY_LIMIT", 2**20)
    monkeypatch.setattr(s3, "COPY_PART", 5 * 2**20)
    told: list[int] = []
    with requests_of(store) as seen:
        store.copy_from(store, "a b", "c", progress=told.append)
    assert told == [5 * 2**20, 5 * 2**20, 2 * 2**20]
    assert sum("partNumber" in url for _, url, _ in seen) == 3
    assert store.read("c") == data


def test_a_part_whose_connection_breaks_is_sent_again(s3_endpoint, s3_bucket):
    broken = []

    def fault(request):
        if "partNumber=2" in request.query and len(broken) < 3:
            broken.append(request)
            return "reset"
        return None

    data = os.urandom(20 * 2**20)
    with recorded(s3_endpoint, fault=fault) as (endpoint, _):
        store = S3Store(s3_bucket, "", {"endpoint_url": endpoint})
        with store.create("big", size=len(data)) as writer:
            writer.write(data)
            writer.commit()
        assert len(broken) == 3
        assert store.read("big") == data
        store.close()


def test_an_exclusive_write_whose_answer_was_lost_is_a_success(store):
    lost = []
    original = store._client.call

    def call(method, key, **arguments):
        answer = original(method, key, **arguments)
        if method == "put_object" and not lost:
            lost.append(method)
            raise AlreadyExists("It exists already", path=key)
        return answer

    store._client.call = call
    assert store.write("lease", b"mine", exclusive=True).size == 4
    with pytest.raises(AlreadyExists):
        store.write("lease", b"mine", exclusive=True)


def test_objects_whose_keys_are_no_paths_are_left_alone(store):
    base = "org/cloud/artifact_storage"
    for odd in ("a//b", "../c", "./d", "e/../f"):
        store._client.call("put_object", odd, Key=f"{base}/{odd}", Body=b"x")
    store.write("good", b"x")
    assert [entry.path for entry in store.walk("") if entry.type == "file"] == ["good"]
    assert "good" in [entry.name for entry in store.list("").entries]
    assert all(entry.name for entry in store.list("").entries)


@pytest.mark.parametrize("odd", ["a\nb", "a+b %41", "ü/€ <&>"])
def test_names_that_listings_encode_come_back(store, odd):
    for name in (odd, "plain"):
        store._client.call("put_object", name, Key=f"{store.prefix}/d {odd}/{name}", Body=b"1")
    found, _ = store._found("", f"{store.prefix}/d", flat=True, cursor=None, limit=9)
    assert [item.key for item in found] == sorted(
        f"{store.prefix}/d {odd}/{name}" for name in (odd, "plain")
    )
    assert all(item.size == 1 and item.modified is not None for item in found)


def test_an_object_and_a_directory_of_the_same_name_are_both_listed(store):
    store._client.call("put_object", "", Key=f"{store.prefix}/x", Body=b"1")
    store._client.call("put_object", "", Key=f"{store.prefix}/x/y", Body=b"2")
    assert [(e.name, e.type) for e in store.list("").entries] == [
        ("x", "file"),
        ("x", "directory"),
    ]
    assert store.stat("x").type == "file"
    assert store.read("x/y") == b"2"


def test_a_link_works_without_credentials_and_names_no_secret(store):
    store.write("a b#?.txt", b"content")
    url = store.url("a b#?.txt", expires=60)
    assert "X-Amz-Signature" in url
    assert "testing-secret" not in url
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"content"


def test_a_missing_bucket_is_named(s3_bucket):
    with pytest.raises(NotFound, match="no bucket 'nowhere-at-all'"):
        S3Store("nowhere-at-all").check()


def test_an_endpoint_that_refuses_is_unreachable_within_seconds(s3_bucket):
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"No answer from http://127\.0\.0\.1:1"):
        S3Store("bucket", "", {"endpoint_url": "http://127.0.0.1:1"}).check()
    assert time.monotonic() - started < 4


def test_an_endpoint_that_never_answers_is_unreachable(s3_bucket):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options = {"endpoint_url": endpoint, "config_kwargs": {"read_timeout": 0.5}}
        with pytest.raises(Unreachable, match=endpoint):
            S3Store("bucket", "", options).check()


def test_a_credential_variable_that_is_not_set_is_named(s3_bucket):
    options = {"access_key_env": "PARTNER_KEY", "secret_key_env": "PARTNER_SECRET"}
    with pytest.raises(CredentialsMissing, match="PARTNER_KEY"):
        S3Store(s3_bucket, "", options)


def test_no_credentials_at_all_is_said(s3_bucket, monkeypatch):
    for name in S3_ENVIRONMENT:
        monkeypatch.delenv(name)
    with pytest.raises(CredentialsMissing, match=s3_bucket):
        S3Store(s3_bucket).check()


def test_a_profile_that_does_not_exist_is_named(s3_bucket):
    with pytest.raises(NotConfigured, match="nobody"):
        S3Store(s3_bucket, "", {"profile": "nobody"}).check()


def test_credentials_of_one_bucket_do_not_disturb_another(s3_bucket, s3_endpoint, monkeypatch):
    monkeypatch.setenv("PARTNER_KEY", S3_PARTNER["access_key"])
    monkeypatch.setenv("PARTNER_SECRET", S3_PARTNER["secret_key"])
    make_s3_bucket(s3_endpoint, "partner-bucket", **S3_PARTNER)
    options = {"access_key_env": "PARTNER_KEY", "secret_key_env": "PARTNER_SECRET"}
    partner, mine = S3Store("partner-bucket", "", options), S3Store(s3_bucket)
    with requests_of(partner), requests_of(mine):
        partner.write("a", b"1")
        mine.write("a", b"2")
        assert "Credential=partner" in partner.url("a").replace("%2F", "/")
        assert "Credential=testing" in mine.url("a").replace("%2F", "/")
    assert not mine.can_copy_from(partner)
    partner.close()
    mine.close()


@pytest.mark.skipif(not ceph_is_installed(), reason="moto lets everybody in")
def test_a_bucket_of_somebody_else_is_denied(s3_bucket, s3_endpoint):
    make_s3_bucket(s3_endpoint, "private-bucket", **S3_PARTNER)
    store = S3Store("private-bucket")
    with requests_of(store):
        for attempt in (
            store.check,
            lambda: store.read("a"),
            lambda: store.write("a", b"1"),
            lambda: store.delete("a"),
        ):
            with pytest.raises(AccessDenied):
                attempt()
    store.close()


@pytest.mark.skipif(not ceph_is_installed(), reason="moto lets everybody in")
def test_credentials_that_the_service_does_not_know_are_named(s3_bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    store = S3Store(s3_bucket)
    with pytest.raises(CredentialsMissing, match="does not know these credentials"):
        store.write("a", b"1")
    store.close()


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, AccessDenied),
        ("ExpiredToken", 400, CredentialsMissing),
        ("InvalidAccessKeyId", 403, CredentialsMissing),
        ("SignatureDoesNotMatch", 403, CredentialsMissing),
        ("SlowDown", 503, Throttled),
        ("PreconditionFailed", 412, AlreadyExists),
        ("InternalError", 500, Unreachable),
        ("SomethingNew", 403, AccessDenied),
        ("SomethingNew", 418, StorageError),
    ],
)
def test_codes_of_the_service_are_said_in_our_words(code, status, kind):
    from botocore.exceptions import ClientError
    from s3fs.errors import translate_boto_error

    from jupyter_storage.stores.cloud_errors import from_cloud_error

    answer = {
        "Error": {"Code": code, "Message": "aws_secret_access_key=hush"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    wrapped = translate_boto_error(ClientError(answer, "GetObject"))
    error = from_cloud_error(wrapped, key="a/b", bucket="bucket", endpoint="here")
    assert type(error) is kind
    assert error.path == "a/b"
    assert "hush" not in str(error)
