"""fsspec's own tests against the file systems that people are handed."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractPutTests,
)

from jupyter_storage.stores.opening import open_store


class _Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs(self, store):
        return store.filesystem()[0]

    @pytest.fixture
    def fs_path(self, store):
        return store.filesystem()[1]

    @pytest.fixture
    def local_fs(self):
        return LocalFileSystem(auto_mkdir=True)


class TestLocalFileSystem(_Fixtures, AbstractCopyTests, AbstractGetTests, AbstractPutTests):
    @pytest.fixture
    def store(self, tmp_path):
        (tmp_path / "root").mkdir()
        return open_store((tmp_path / "root").as_uri())


class TestMemoryFileSystem(_Fixtures, AbstractCopyTests, AbstractGetTests, AbstractPutTests):
    @pytest.fixture
    def store(self):
        store = open_store(f"memory://{uuid4().hex}")
        store.filesystem()[0].makedirs(store.filesystem()[1], exist_ok=True)
        return store


class TestS3FileSystem(_Fixtures, AbstractGetTests):
    """That of s3fs, which passes its own tests: here it is only opened by us."""

    @pytest.fixture
    def store(self, s3_bucket):
        store = open_store(f"s3://{s3_bucket}/prefix")
        yield store
        store.close()

    @pytest.fixture
    def supports_empty_directories(self):
        return False
