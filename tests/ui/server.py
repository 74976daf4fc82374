"""A real JupyterLab with directories of its own, and the built front end of this clone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
EXTENSION = REPOSITORY / "jupyter_storage" / "labextension"
TOKEN = "ui-test-token"


@dataclass(frozen=True)
class Lab:
    """A running server; ``tiers`` are the directories behind the five tiers."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]
    base_url: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def project(self) -> Path:
        return self.directory / "project"

    def tier(self, name: str) -> Path:
        """The directory that the server keeps a tier in."""
        record = json.loads(self._ask("GET", f"tiers/{name}"))
        return Path(record["path"] or record["uri"].removeprefix("file://"))

    def discard_uploads(self) -> None:
        """Throw away what tests have left of uploads; a failed one, too, when it is run again."""
        for upload in json.loads(self._ask("GET", "uploads"))["uploads"]:
            self._ask("DELETE", f"uploads/{upload['id']}")

    def _ask(self, verb: str, path: str) -> bytes:
        request = urllib.request.Request(
            f"{self.url}/jupyter-storage/api/v1/{path}",
            method=verb,
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            body: bytes = response.read()
        return body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment(directory: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "ANYSCALE", "AWS"))
    }
    return kept | {
        "HOME": str(directory / "home"),
        "JUPYTER_CONFIG_DIR": str(directory / "config"),
        "JUPYTER_DATA_DIR": str(directory / "data"),
        "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(directory / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(directory / "settings"),
        "JUPYTER_STORAGE_ROOT": str(directory / "tiers"),
        "PYTHONPATH": str(REPOSITORY),
    }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api", timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def running_lab(
    directory: Path,
    *,
    variables: Mapping[str, str] | None = None,
    base_url: str = "",
    extensions: Sequence[str] = (),
) -> Iterator[Lab]:
    """Start JupyterLab with these environment variables too, and stop it at the end.

    ``base_url`` is where a hub would put it: ``/user/ada``. ``extensions`` of the server are turned
    on beside ours.
    """
    if not (EXTENSION / "package.json").is_file():
        raise RuntimeError(f"Build the front end first: npm run build:prod in {EXTENSION.parent}")
    for name in ("home", "project", "extensions"):
        (directory / name).mkdir(parents=True)
    (directory / "extensions" / "jupyter-storage").symlink_to(EXTENSION)
    notifications = directory / "settings" / "@jupyterlab" / "apputils-extension"
    notifications.mkdir(parents=True)
    # JupyterLab would ask on its first start whether it may fetch news.
    (notifications / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    port = free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={directory / 'project'}",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.jpserver_extensions={dict.fromkeys(['jupyter_storage', *extensions], True)}",
        f"--LabApp.extra_labextensions_path={directory / 'extensions'}",
        "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.base_url={base_url}/",
    ]
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=_environment(directory) | dict(variables or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        lab = Lab(port, directory, process, base_url)
        try:
            deadline = time.monotonic() + 60
            while not _answers(lab.url):
                if process.poll() is not None or time.monotonic() > deadline:
                    text = (directory / "server.log").read_text()[-4000:]
                    raise RuntimeError(f"JupyterLab did not start:\n{text}")
                time.sleep(0.1)
            yield lab
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
