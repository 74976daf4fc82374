from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from jupyter_storage.config import resolve
from jupyter_storage.service import Service
from jupyter_storage.storages.document import read


class World:
    """A service, and a directory that stands in for '/'."""

    def __init__(self, under: Path) -> None:
        self.under = under
        self.text = ""  # what was applied
        self.service = Service(resolve())

    def path(self, target: str) -> Path:
        return self.under / target.lstrip("/")

    def plan(self, text: str):
        return self.service.plan_document(read(text, "task.yaml"), under=self.under)

    def apply(self, text: str):
        record = self.service.apply_document(
            read(text, "task.yaml"), command="jupyter storage apply task.yaml", under=self.under
        )
        return self.service.wait(record.id)

    def applied(self, text: str):
        record = self.apply(text)
        assert record.state == "done", record.failures
        return record

    def end(self, text: str | None = None, under: Path | None = None):
        """End the workload of what was applied."""
        document = read(text or self.text, "task.yaml")
        workload = self.service.workloads.of(document, under or self.under)
        return self.service.wait(self.service.end_workload(workload).id)

    def delete(self, *names: str):
        return self.service.wait(self.service.delete_storages(names).id)

    def keys(self, uri: str) -> list[str]:
        entries = self.service.walk(uri)
        return sorted(e.path[len(uri) :].lstrip("/") for e in entries if not e.is_directory)

    def read(self, path: str) -> bytes:
        with self.service.open(path) as pieces:
            return b"".join(pieces)

    def write(self, path: str, data: bytes) -> None:
        with self.service.create(path) as writer:
            writer.write(data)
            writer.commit()


@pytest.fixture
def world(tmp_path, isolated_environment):
    made = World(tmp_path / "machine")
    yield made
    made.service.close()


@pytest.fixture
def on_s3(s3_bucket, monkeypatch, tmp_path):
    """As ``world``, with a default bucket in S3."""
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"s3://{s3_bucket}")
    made = World(tmp_path / "machine")
    yield made
    made.service.close()


@pytest.fixture
def on_gcs(gcs_bucket, monkeypatch, tmp_path):
    """As ``world``, with a default bucket in GCS."""
    monkeypatch.setenv("JUPYTER_STORAGE_BUCKET", f"gs://{gcs_bucket}")
    made = World(tmp_path / "machine")
    yield made
    made.service.close()


@pytest.fixture
def name() -> str:
    """Name of a bucket that nobody has."""
    return f"storage-{uuid4().hex[:12]}"


@pytest.fixture
def home(isolated_environment):
    """The home directory of the demo: ~/datasets and ~/mydir/myfile.txt."""
    home = isolated_environment / "home"
    (home / "datasets/deep").mkdir(parents=True)
    (home / "datasets/a.csv").write_text("a,b\n")
    (home / "datasets/deep/b.csv").write_text("c,d\n")
    (home / "datasets/link").symlink_to("a.csv")
    (home / "mydir").mkdir()
    (home / "mydir/myfile.txt").write_text("mine")
    return home
