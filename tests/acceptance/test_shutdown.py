"""A real server that is told to stop, or killed, and the next one on another machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.faults]

TOKEN = "acceptance"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, process, port, project):
        self.process, self.port, self.project = process, port, project

    def status(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/jupyter-storage/api/v1/snapshots/status",
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def when(self, condition):
        end = time.monotonic() + 90
        status = None
        while True:
            assert self.process.poll() is None
            try:
                if condition(status := self.status()):
                    return status
            except OSError:
                pass
            assert time.monotonic() < end, status
            time.sleep(0.1)


@pytest.fixture(params=["directory", "s3"])
def bucket(request, tmp_path):
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3_bucket')}"
    return f"file://{tmp_path}/bucket"


@pytest.fixture
def machine(tmp_path, bucket):
    """A server on a machine of its own: its directories are empty."""

    @contextmanager
    def machine(name, interval="0.2"):
        root, port = tmp_path / name, free_port()
        (root / "project").mkdir(parents=True)
        (root / "home").mkdir()
        environment = {
            **os.environ,
            "HOME": str(root / "home"),
            "JUPYTER_CONFIG_DIR": str(root / "config"),
            "JUPYTER_DATA_DIR": str(root / "data"),
            "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
            "JUPYTER_STORAGE_ROOT": str(root / "tiers"),
            "JUPYTER_STORAGE_BUCKET": bucket,
            "JUPYTER_STORAGE_WORKSPACE_ID": "w1",
            "JUPYTER_STORAGE_SNAPSHOT_INTERVAL": interval,
        }
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        command += [
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={root / 'project'}",
            f"--IdentityProvider.token={TOKEN}",
            "--ServerApp.jpserver_extensions={'jupyter_storage': True}",
        ]
        with (root / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=root / "home"
            )
        try:
            yield Server(process, port, root / "project")
        finally:
            process.kill()
            process.wait()

    return machine


def test_the_last_edit_before_sigterm_is_on_the_next_machine(machine):
    # So long an interval that only the end can bring it about.
    with machine("one", interval="60") as one:
        (one.project / "notebook.ipynb").write_text("{}")
        one.when(lambda status: status["state"] == "ok" and status["last"])
        (one.project / "notebook.ipynb").write_text('{"last": "edit"}')
        begun = time.monotonic()
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(30)
        assert time.monotonic() - begun < 30
    with machine("two") as two:
        status = two.when(lambda status: status["state"] == "ok" and status["last"])
        assert (two.project / "notebook.ipynb").read_text() == '{"last": "edit"}'
        # The lease was given back, so nobody had to wait for it.
        assert status["fork"] is None


def test_after_sigkill_everything_up_to_the_last_snapshot_comes_back(machine):
    with machine("one") as one:
        one.when(lambda status: status["state"] == "ok")
        (one.project / "saved.txt").write_text("saved")
        one.when(lambda status: status["last"] and status["last"]["files"] == 1)
        one.process.send_signal(signal.SIGKILL)
        one.process.wait()
    with machine("two") as two:
        two.when(lambda status: status["state"] == "ok" and status["last"])
        assert (two.project / "saved.txt").read_text() == "saved"
