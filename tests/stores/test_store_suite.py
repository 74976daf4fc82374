"""Every store passes the same suite."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jupyter_storage.stores import local_writer
from jupyter_storage.stores.any import AnyStore
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.testing.store_suite import StoreSuite


class TestLocal(StoreSuite):
    modified_kept = True

    @pytest.fixture
    def store(self, tmp_path):
        return open_store((tmp_path / "root").as_uri())


class TestLocalWithHiddenNames(StoreSuite):
    """As on network disks and systems where a file must have a name from the beginning."""

    modified_kept = True

    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        monkeypatch.setattr(local_writer, "names_can_wait", lambda directory: False)
        return open_store((tmp_path / "root").as_uri())


class TestS3(StoreSuite):
    @pytest.fixture
    def store(self, s3_bucket):
        store = open_store(f"s3://{s3_bucket}/some/prefix")
        yield store
        store.close()


class TestS3AsAmazonDoes(StoreSuite):
    """A whole bucket, where conditions count for uploads of several parts too, as with AWS."""

    @pytest.fixture
    def store(self, moto_bucket):
        store = RetryingStore(open_store(f"s3://{moto_bucket}"))
        yield store
        store.close()


class TestS3WithoutTheNativeLane(StoreSuite):
    """Where only botocore can do it, all is the same."""

    @pytest.fixture
    def store(self, moto_bucket):
        store = open_store(f"s3://{moto_bucket}/some/prefix", {"requester_pays": True})
        yield store
        assert store._client.native("a", "a") is None
        store.close()


def test_a_service_that_ignores_conditions_is_known_as_such(gcs_bucket):
    store = open_store(f"gs://{gcs_bucket}")
    assert not store.creates_exclusively()
    assert list(store.walk()) == []
    store.close()


class TestGCS(StoreSuite):
    pages = False  # the emulator has no pages
    races = False  # the emulator ignores ifGenerationMatch

    @pytest.fixture
    def store(self, gcs_bucket):
        store = open_store(f"gs://{gcs_bucket}/some/prefix")
        yield store
        store.close()


class TestAzure(StoreSuite):
    refused = "\\"

    @pytest.fixture
    def store(self, azure_container):
        store = open_store(f"az://{azure_container}/some/prefix")
        yield store
        store.close()


class TestAnyFileSystem(StoreSuite):
    """A disk behind fsspec: what a plug-in of fsspec's brings is used in this way."""

    races = False  # AnyStore looks, then renames

    @pytest.fixture
    def store(self, tmp_path):
        (tmp_path / "root").mkdir()
        return AnyStore(f"local://{tmp_path}/root/prefix")


class TestMemory(StoreSuite):
    races = False  # AnyStore looks, then renames

    @pytest.fixture
    def store(self):
        store = open_store(f"memory://{uuid4().hex}/prefix")
        yield store
        filesystem, root = store.filesystem()
        if filesystem.exists(root):
            filesystem.rm(root, recursive=True)
