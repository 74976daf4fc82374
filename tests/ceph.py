"""Ceph's S3 gateway on one machine: a monitor, one disk in memory and a gateway, on loopback.

It is an S3 server that people run for real, and it differs from AWS and from moto where servers
do: for one, it takes no notice of ``If-None-Match`` when a multi-part upload is completed.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

PROGRAMS = (
    "setpriv",
    "ceph",
    "ceph-authtool",
    "ceph-mon",
    "ceph-osd",
    "monmaptool",
    "radosgw",
    "radosgw-admin",
)

# One disk, one copy and no manager: what a test needs.
CONFIGURATION = """\
[global]
fsid = {cluster}
mon host = [v2:127.0.0.1:{monitor_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {directory}/keyring
run dir = {directory}
crash dir = {directory}
admin socket =
pid file =
log file = {directory}/$name.log
mon data = {directory}/mon
mon allow pool size one = true
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = 12884901888
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
rgw frontends = beast endpoint=127.0.0.1:{gateway_port} tcp_nodelay=1
rgw gc obj min wait = 1
rgw gc processor period = 5
"""

KEYS = {
    "mon.": "--cap mon 'allow *'",
    "client.admin": "--cap mon 'allow *' --cap osd 'allow *'",
    "osd.0": "--cap mon 'allow profile osd' --cap osd 'allow *'",
}


def ceph_is_installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def ceph_gateway(
    users: Mapping[str, str], *, monitor_port: int, gateway_port: int
) -> Iterator[str]:
    """Run Ceph's S3 gateway, and yield its endpoint.

    Parameters
    ----------
    users : mapping
        Their access keys and secret keys. One user's buckets are closed to the others.
    monitor_port, gateway_port : int
        Two free ports.
    """
    with TemporaryDirectory(prefix="ceph-", ignore_cleanup_errors=True) as name:
        cluster = _Cluster(Path(name), monitor_port, gateway_port)
        try:
            cluster.start_storage()
            cluster.start_gateway(users)
            yield cluster.endpoint
        finally:
            cluster.stop()


class _Cluster:
    def __init__(self, directory: Path, monitor_port: int, gateway_port: int) -> None:
        self.directory = directory
        self.identifier = str(uuid4())
        self.monitor = f"[v2:127.0.0.1:{monitor_port}]"
        self.endpoint = f"http://127.0.0.1:{gateway_port}"
        self.configuration = str(directory / "ceph.conf")
        self.keyring = str(directory / "keyring")
        self.daemons: list[subprocess.Popen[bytes]] = []
        Path(self.configuration).write_text(
            CONFIGURATION.format(
                cluster=self.identifier,
                directory=directory,
                monitor_port=monitor_port,
                gateway_port=gateway_port,
            )
        )
        (directory / "osd").mkdir()

    def start_storage(self) -> None:
        self.run("ceph-authtool", "--create-keyring", self.keyring)
        for entity, capabilities in KEYS.items():
            key = ["--gen-key", "-n", entity, *shlex.split(capabilities)]
            self.run("ceph-authtool", self.keyring, *key)
        monitors = str(self.directory / "monmap")
        new = ["--create", "--fsid", self.identifier, "--addv", "a", self.monitor]
        self.run("monmaptool", *new, monitors)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", self.keyring)
        self.start("ceph-mon", "-i", "a")
        disk = str(uuid4())
        self.run("ceph", "osd", "new", disk, "0")
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self.start("ceph-osd", "-i", "0")

    def start_gateway(self, users: Mapping[str, str]) -> None:
        for access_key, secret_key in users.items():
            who = ["--uid", access_key, "--display-name", access_key]
            keys = ["--access-key", access_key, "--secret-key", secret_key]
            self.run("radosgw-admin", "user", "create", *who, *keys)
        self.start("radosgw", "-n", "client.admin")
        self.wait_for_gateway()

    def run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [program, "--conf", self.configuration, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments[:3])}: {done.stderr[-2000:]}")

    def start(self, program: str, *arguments: str) -> None:
        # A test run that is killed takes its servers with it.
        command = ["setpriv", "--pdeathsig", "KILL", program, "--conf", self.configuration, "-f"]
        with (self.directory / f"{program}.out").open("wb") as output:
            self.daemons.append(
                subprocess.Popen([*command, *arguments], stdout=output, stderr=output)
            )

    def wait_for_gateway(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(self.endpoint, timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError) as error:
                dead = [daemon.args for daemon in self.daemons if daemon.poll() is not None]
                if dead or time.monotonic() > deadline:
                    raise RuntimeError(f"Ceph's gateway does not answer; ended: {dead}") from error
            time.sleep(0.1)

    def stop(self) -> None:
        # Nothing in this cluster is to outlive the tests: there is nothing to end tidily.
        for daemon in reversed(self.daemons):
            daemon.kill()
            daemon.wait()
