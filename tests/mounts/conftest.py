from __future__ import annotations

import threading
from pathlib import Path
from uuid import uuid4

import pytest
from servers import S3_ENVIRONMENT, make_s3_bucket

from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts.mounters import BUILT_IN, choose
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.stores.opening import open_store


@pytest.fixture(scope="session")
def fuse():
    """Skip where nothing can be mounted."""
    try:
        choose("here", "s3://bucket", wanted=BUILT_IN)
    except Unsupported as error:
        pytest.skip(error.message)


@pytest.fixture
def mounts(fuse, tmp_path):
    """Mounts of this test alone, taken away at its end."""
    made = Mounts(tmp_path / "mounts")
    yield made
    for record in made.all():
        made.unmount(Path(record.target), force=True)


@pytest.fixture(scope="module")
def mounted_bucket(fuse, s3_endpoint, tmp_path_factory):
    """A bucket in S3 and where it is mounted, for all tests of a module: mounting takes seconds."""
    base = tmp_path_factory.mktemp("mounted")
    bucket = f"bucket-{uuid4().hex[:12]}"
    make_s3_bucket(s3_endpoint, bucket)
    made = Mounts(base / "mounts")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": s3_endpoint}.items():
            environment.setenv(name, value)
        made.mount(base / "bucket", f"s3://{bucket}", {})
    yield made, bucket, base / "bucket"
    made.unmount(base / "bucket", force=True)


@pytest.fixture
def on_s3(mounted_bucket):
    """A directory of a mounted bucket, empty."""
    _, _, target = mounted_bucket
    directory = target / uuid4().hex[:8]
    directory.mkdir()
    return directory


@pytest.fixture
def aside(mounted_bucket, on_s3, s3_bucket):
    """The same directory of the bucket, used by somebody else."""
    _, bucket, _ = mounted_bucket
    store = open_store(f"s3://{bucket}/{on_s3.name}")
    yield store
    store.close()


@pytest.fixture
def lines():
    """Run a function in a thread of its own, and have its result."""

    def start(work):
        done: list[object] = []
        thread = threading.Thread(target=lambda: done.append(work()), daemon=True)
        thread.start()

        def result():
            thread.join(30)
            return done[0]

        return result

    return start
