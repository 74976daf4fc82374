"""Fixtures for all tests: an environment of their own, and servers where they are asked for."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from servers import (
    S3_ENVIRONMENT,
    azure_environment,
    azure_server,
    azurite_is_installed,
    gcs_environment,
    gcs_server,
    make_azure_container,
    make_gcs_bucket,
    make_s3_bucket,
    moto_server,
    s3_server,
)

FOREIGN = (
    "ANYSCALE_",
    "AWS_",
    "AZURE_",
    "BINDER_",
    "BOTO",
    "GCSFS_",
    "GOOGLE_",
    "IPYTHON",
    "JUPYTER",
    "RESTIC_",
    "STORAGE_EMULATOR_",
    "XDG_",
)

# A shell starts what runs in the background with Ctrl-C ignored, and children take that over.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> Path:
    """Give a test a home, Jupyter directories and a storage root that are its own."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    base = tmp_path_factory.mktemp("environment")
    home = base / "home"
    home.mkdir()
    values = {
        "HOME": home,
        "USERPROFILE": home,
        "JUPYTER_CONFIG_DIR": base / "jupyter_config",
        "JUPYTER_DATA_DIR": base / "jupyter_data",
        "JUPYTER_RUNTIME_DIR": base / "jupyter_runtime",
        "IPYTHONDIR": base / "ipython",
        "JUPYTER_STORAGE_ROOT": base / "tiers",
        "AWS_CONFIG_FILE": base / "aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": base / "aws/credentials",
        # No test asks the cloud's metadata service who it is.
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_GCE_CHECK": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return base


@pytest.fixture
def unchanged_process(monkeypatch) -> Iterator[None]:
    """The command quiets its own process, which must not quiet other tests."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        yield
    logging.disable(before)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Endpoint of an S3 server: Ceph's where it is installed, else moto."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_endpoint: str, isolated_environment: Path, monkeypatch) -> str:
    """Name of a fresh bucket; the environment has its endpoint and credentials."""
    return _fresh_bucket(s3_endpoint, monkeypatch)


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """Endpoint of moto's S3 server."""
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def moto_bucket(moto_endpoint: str, isolated_environment: Path, monkeypatch) -> str:
    """Name of a fresh bucket in moto, as ``s3_bucket``."""
    return _fresh_bucket(moto_endpoint, monkeypatch)


def _fresh_bucket(endpoint: str, monkeypatch) -> str:
    for name, value in {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid4().hex[:12]}"
    make_s3_bucket(endpoint, bucket)
    return bucket


@pytest.fixture(scope="session")
def azure_endpoint() -> Iterator[str]:
    """Endpoint of an account in Azurite."""
    if not azurite_is_installed():
        pytest.skip("Azurite is not installed: make peers")
    with azure_server() as endpoint:
        yield endpoint


@pytest.fixture
def azure_container(azure_endpoint: str, isolated_environment: Path, monkeypatch) -> str:
    """Name of a fresh container; the environment has its endpoint and credentials."""
    for name, value in azure_environment(azure_endpoint).items():
        monkeypatch.setenv(name, value)
    container = f"container-{uuid4().hex[:12]}"
    make_azure_container(azure_endpoint, container)
    return container


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """Endpoint of a GCS emulator."""
    with gcs_server() as endpoint:
        yield endpoint


@pytest.fixture
def gcs_bucket(gcs_endpoint: str, isolated_environment: Path, monkeypatch) -> str:
    """Name of a fresh GCS bucket; the environment points to the emulator."""
    for name, value in gcs_environment(gcs_endpoint).items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid4().hex[:12]}"
    make_gcs_bucket(gcs_endpoint, bucket)
    return bucket


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults tests injected; the reports bring the numbers, from other processes too.

    Tests note them by ``record_property``: ``crash cases``, the versions of restic that judged, and
    ``killed clients``.
    """
    cases, killed, versions = 0, 0, set()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                noted = dict(report.user_properties)
                cases += noted.get("crash cases", 0)
                killed += noted.get("killed clients", 0)
                versions |= set(noted.get("restic", "").split())
    if cases:
        judges = ", ".join(sorted(versions))
        terminalreporter.write_line(f"crash cases: {cases:,}; judged by restic {judges}")
    if killed:
        terminalreporter.write_line(f"clients killed during transfers: {killed:,}")
