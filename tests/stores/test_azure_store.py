"""Azure's blob storage, by its own emulator."""

from __future__ import annotations

import random
import urllib.request
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from recorder import recorded
from servers import AZURE_ACCOUNT, AZURE_KEY, make_azure_container

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    ChecksumMismatch,
    Conflict,
    CredentialsMissing,
    NotConfigured,
    NotFound,
    StorageError,
    Unreachable,
    Unsupported,
)
from jupyter_storage.stores.azure import AzureStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.store import Writer

MEGABYTE = 2**20
LARGE = random.Random(6).randbytes(20 * MEGABYTE + 5)
NAMED = {"account_name": AZURE_ACCOUNT, "account_key_env": "LAB_KEY"}


@pytest.fixture
def store(azure_container):
    store = AzureStore(azure_container)
    yield store
    store.close()


@pytest.fixture
def stranger(azure_container, azure_endpoint, monkeypatch):
    """Make stores with options alone: nothing of the environment helps."""
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("LAB_KEY", AZURE_KEY)
    opened = []

    def make(options, container=azure_container):
        opened.append(AzureStore(container, "", {"endpoint_url": azure_endpoint, **options}))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def sas(container: str) -> str:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        AZURE_ACCOUNT,
        container,
        account_key=AZURE_KEY,
        permission=ContainerSasPermissions(read=True, write=True, create=True, list=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )


def exercise(store: AzureStore) -> None:
    store.write("a b", b"1")
    store.write("big", LARGE)
    assert store.read("a b") == b"1"
    assert store.read("big") == LARGE
    assert {entry.name for entry in store.list().entries} == {"a b", "big"}
    filesystem, root = store.filesystem()
    assert filesystem.cat_file(f"{root}/a b") == b"1"
    store.copy_from(store, "big", "copy")
    assert store.stat("copy").size == len(LARGE)


def test_an_account_and_its_key_by_reference(stranger):
    exercise(stranger(NAMED))


def test_the_names_of_the_azure_cli_are_understood(stranger, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", AZURE_ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_KEY", AZURE_KEY)
    exercise(stranger({}))


def test_a_shared_access_signature_does(stranger, azure_container, monkeypatch):
    monkeypatch.setenv("LAB_SAS", "?" + sas(azure_container))
    store = stranger({"account_name": AZURE_ACCOUNT, "sas_token_env": "LAB_SAS"})
    exercise(store)
    with pytest.raises(Unsupported, match="cannot make links"):
        store.url("a b")


def test_a_connection_string_by_reference(stranger, azure_endpoint, monkeypatch):
    text = f"AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={azure_endpoint}"
    monkeypatch.setenv("LAB_AZURE", text)
    exercise(stranger({"connection_string_env": "LAB_AZURE"}))


def test_the_key_of_another_account_is_not_tried(stranger, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "another")
    monkeypatch.setenv("AZURE_STORAGE_KEY", AZURE_KEY)
    assert stranger({"account_name": AZURE_ACCOUNT})._client._who.key is None


def test_a_public_container_is_read_without_credentials(stranger, azure_endpoint):
    name = f"public-{uuid4().hex[:12]}"
    make_azure_container(azure_endpoint, name, public=True)
    stranger(NAMED, name).write("d/file", b"content")
    public = stranger({"account_name": AZURE_ACCOUNT, "anonymous": True}, name)
    assert public.read("d/file") == b"content"
    assert [entry.name for entry in public.list("d").entries] == ["file"]
    with pytest.raises((AccessDenied, CredentialsMissing)):
        public.write("new", b"x")


def test_a_private_container_is_closed_to_strangers(stranger, monkeypatch):
    store = stranger({"account_name": AZURE_ACCOUNT, "anonymous": True})
    for attempt in (store.check, lambda: store.read("a"), lambda: store.write("a", b"1")):
        with pytest.raises((AccessDenied, CredentialsMissing, NotFound)):
            attempt()


def test_a_wrong_key_is_said_and_not_shown(stranger, monkeypatch):
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    monkeypatch.setenv("LAB_KEY", secret)
    store = stranger(NAMED)
    for attempt in (store.check, lambda: store.read("a"), lambda: store.write("a", bytes(9))):
        with pytest.raises((AccessDenied, CredentialsMissing)) as caught:
            attempt()
        assert secret not in f"{caught.value!r} {caught.value.hint}"


def test_what_is_missing_is_named(stranger, azure_endpoint, monkeypatch):
    with pytest.raises(CredentialsMissing, match="LAB_NOTHING"):
        stranger({"account_name": "a", "account_key_env": "LAB_NOTHING"})
    with pytest.raises(NotConfigured) as caught:
        AzureStore("container")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in str(caught.value.hint)
    with pytest.raises(NotFound, match="no bucket 'nowhere'"):
        stranger(NAMED, "nowhere").check()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        stranger({**NAMED, "endpoint_url": "http://127.0.0.1:1/devstoreaccount1"}).check()


def test_a_link_works_without_credentials(store):
    store.write("a b#?.txt", b"content")
    url = store.url("a b#?.txt", expires=60)
    assert AZURE_KEY not in url
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"content"


def test_a_small_file_costs_one_request_where_its_directory_is_known(
    azure_container, azure_endpoint, stranger
):
    server, _, path = azure_endpoint.rpartition("/")
    with recorded(server) as (endpoint, seen):
        store = stranger({**NAMED, "endpoint_url": f"{endpoint}/{path}"})
        store.write("d/first", b"1")
        seen.clear()
        for number in range(10):
            store.write(f"d/{number}", b"1", exclusive=True)
            assert store.read(f"d/{number}") == b"1"
        assert [request.method for request in seen] == ["PUT", "GET"] * 10


def test_wrong_bytes_are_noticed_whichever_way_they_go(azure_endpoint, stranger):
    server, _, path = azure_endpoint.rpartition("/")
    armed = ""

    def fault(request):
        return "wrong" if armed == request.method and "comp=list" not in request.query else None

    with recorded(server, fault=fault) as (endpoint, _):
        store = stranger({**NAMED, "endpoint_url": f"{endpoint}/{path}"})
        store.write("big", LARGE)
        armed = "PUT"
        for key, data in (("small", b"1"), ("bigger", LARGE)):
            with pytest.raises(ChecksumMismatch):
                store.write(key, data)
        armed = "GET"
        with pytest.raises(ChecksumMismatch):
            store.read("big")
        armed = ""
        assert {entry.name for entry in store.list().entries} == {"big"}


def half_written(store: AzureStore, key: str) -> Writer:
    writer = store.create(key, size=len(LARGE))
    writer.write(LARGE[: 17 * MEGABYTE])
    writer._parts.finish()
    return writer


def test_an_upload_goes_on_where_it_was_cut(azure_endpoint, azure_container, stranger):
    server, _, path = azure_endpoint.rpartition("/")
    with recorded(server) as (endpoint, seen):
        store = stranger({**NAMED, "endpoint_url": f"{endpoint}/{path}"})
        writer = half_written(store, "big")
        writer.suspend()
        assert [upload.path for upload in store.unfinished()] == ["big"]
        assert store.list().entries == ()
        seen.clear()
        resumed = store.resume("big", writer.token, size=len(LARGE))
        with resumed:
            resumed.write(LARGE)
            resumed.commit()
        sent = [request for request in seen if "comp=block&" in request.query]
        assert sum(len(request.body) for request in sent) < 5 * MEGABYTE
        assert store.read("big") == LARGE
        assert list(store.unfinished()) == []
        assert store.resume("big", writer.token, size=len(LARGE)) is None


def test_an_unfinished_upload_is_thrown_away(store):
    half_written(store, "d/big").suspend()
    (upload,) = store.unfinished("d")
    store.discard(upload)
    assert list(store.unfinished()) == []
    assert list(store.walk()) == []


def test_throwing_away_an_upload_keeps_what_was_written_since(store):
    half_written(store, "big").suspend()
    (upload,) = store.unfinished()
    store.write("big", b"theirs")
    store.discard(upload)
    assert store.read("big") == b"theirs"


def test_of_two_who_write_one_file_at_once_one_has_it_whole(store):
    writer = store.create("big", size=len(LARGE))
    writer.write(LARGE)
    store.write("big", b"theirs")
    expected = LARGE
    with writer:
        try:
            writer.commit()
        except Conflict:
            expected = b"theirs"
    assert store.read("big") == expected


def test_an_exclusive_write_whose_answer_was_lost_is_a_success(store):
    original = store._client.put
    lost = []

    def put(*arguments, **more):
        answer = original(*arguments, **more)
        if not lost:
            lost.append(answer)
            raise AlreadyExists("It exists already", path="lease")
        return answer

    store._client.put = put
    assert store.write("lease", b"mine", exclusive=True).size == 4
    with pytest.raises(AlreadyExists):
        store.write("lease", b"mine", exclusive=True)


def test_behind_a_proxy_the_library_itself_sends(store, monkeypatch):
    monkeypatch.setattr(store._client, "wire", lambda: None)
    store.write("small", b"1", exclusive=True)
    with pytest.raises(AlreadyExists):
        store.write("small", b"2", exclusive=True)
    store.write("big", LARGE)
    assert store.read("small") + store.read("big") == b"1" + LARGE
    assert store.checksums("big")[0].matches([LARGE])


def test_a_file_without_a_checksum_is_fetched_in_any_order(store):
    with store._client.errors("big"):
        store._client.blob("big").upload_blob(LARGE, max_concurrency=1)
        from azure.storage.blob import ContentSettings

        store._client.blob("big").set_http_headers(ContentSettings(content_md5=None))
    taken = bytearray(len(LARGE))

    def take(offset: int, piece: bytes) -> None:
        taken[offset : offset + len(piece)] = piece

    assert store.checksums("big") == ()
    assert store.fill("big", len(LARGE), take, progress=lambda _: None)
    assert taken == LARGE


def test_without_its_packages_the_way_to_them_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jupyter_storage.stores.azure", None)
    with pytest.raises(NotConfigured) as caught:
        open_store("az://container")
    assert "jupyter-storage[azure]" in str(caught.value.hint)
    assert isinstance(caught.value, StorageError)
