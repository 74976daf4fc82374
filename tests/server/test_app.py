"""The extension in the server's life: configuration, environment, errors, start and stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from jupyter_server.serverapp import ServerApp

import jupyter_storage
from jupyter_storage.errors import StorageError
from jupyter_storage.server.app import StorageApp


def test_the_extension_is_announced_and_enabled():
    (point,) = jupyter_storage._jupyter_server_extension_points()
    assert point["app"] is StorageApp
    package = Path(jupyter_storage.__file__).parent
    enabled = json.loads((package / "jupyter-config/server/jupyter_storage.json").read_text())
    assert enabled["ServerApp"]["jpserver_extensions"] == {"jupyter_storage": True}
    (labextension,) = jupyter_storage._jupyter_labextension_paths()
    assert labextension["dest"] == "jupyter-storage"


def test_kernels_and_terminals_inherit_the_settings(extension, tmp_path):
    assert os.environ["JUPYTER_STORAGE_BUCKET"] == (tmp_path / "tiers/object_store").as_uri()
    assert os.environ["ANYSCALE_ARTIFACT_STORAGE"] == os.environ["JUPYTER_STORAGE_ARTIFACTS"]


def test_the_project_directory_is_the_server_s_root(extension, jp_root_dir):
    assert extension.service.settings.project == jp_root_dir.resolve()
    assert os.environ["JUPYTER_STORAGE_PROJECT"] == str(jp_root_dir.resolve())


class TestPrecedence:
    @pytest.fixture
    def jp_server_config(self):
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_storage": True}},
            "JupyterStorage": {"org_id": "file", "cloud_id": "file", "user_id": "file"},
        }

    @pytest.fixture
    def jp_argv(self):
        return [
            "--JupyterStorage.org_id=line",
            "--JupyterStorage.concurrency=3",
            "--JupyterStorage.snapshots=False",
        ]

    @pytest.fixture(autouse=True)
    def environ(self, environment, monkeypatch):
        monkeypatch.setenv("JUPYTER_STORAGE_ORG_ID", "environment")
        monkeypatch.setenv("JUPYTER_STORAGE_CLOUD_ID", "environment")
        monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOTS", "true")

    def test_the_command_line_wins_over_the_environment_over_files(self, extension):
        settings = extension.service.settings
        assert (settings.org_id, settings.cloud_id, settings.user_id) == (
            "line",
            "environment",
            "file",
        )
        assert (settings.concurrency, settings.snapshots) == (3, False)


@pytest.mark.parametrize(
    "jp_argv",
    [
        ["--JupyterStorage.bucket=s3://"],
        ["--JupyterStorage.concurrency=many"],
        ["--JupyterStorage.workload=holiday"],
    ],
    ids=["uri", "number", "choice"],
)
async def test_a_wrong_configuration_is_told_and_the_server_runs(api, jp_fetch, extension):
    assert (await jp_fetch("api", "status")).code == 200
    for method, path in (("GET", "tiers"), ("GET", "files/shared/"), ("PUT", "files/shared/x")):
        response = await api(method, path, **({"body": b"x"} if method == "PUT" else {}))
        assert response.code == 400
        error = json.loads(response.body)
        assert error["kind"] in {"InvalidRequest", "InvalidPath"}
        assert error["message"]
    assert extension.current_activity() is None


async def test_an_unknown_error_is_generic_outside_and_redacted_in_the_log(
    api, service, monkeypatch, caplog
):
    def broken(**_):
        raise ValueError("aws_secret_access_key=wJalrXUtnFEMI")

    monkeypatch.setattr(service, "tiers", broken)
    response = await api("GET", "tiers")
    assert response.code == 500
    assert json.loads(response.body) == {
        "kind": "StorageError",
        "message": "Something went wrong in the server",
        "hint": "The server's log says more.",
        "path": None,
    }
    assert "ValueError" in caplog.text
    assert "def broken" in caplog.text or "in broken" in caplog.text
    assert "wJalrXUtnFEMI" not in caplog.text


async def test_a_storage_error_is_redacted(api, service, monkeypatch, caplog):
    def broken(**_):
        raise StorageError("GET https://b/k?X-Amz-Signature=abcdef failed", hint="token=hunter2")

    monkeypatch.setattr(service, "tiers", broken)
    response = await api("GET", "tiers")
    for text in (response.body.decode(), caplog.text):
        assert "abcdef" not in text
        assert "hunter2" not in text


async def test_a_token_in_the_query_is_not_logged(api, extension, jp_auth_header, caplog):
    token = jp_auth_header["Authorization"].split()[1]
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    for path in ("tiers", "tiers/none", "files/shared/?limit=0"):
        mark = "&" if "?" in path else "?"
        await api("GET", f"{path}{mark}token={token}", token=False)
        await api("GET", f"{path}{mark}token=wrong{token}", token=False)
    assert "tiers" in caplog.text
    assert token not in caplog.text


async def test_polling_is_no_sign_of_life_but_writing_is(api, tier, extension, jp_serverapp):
    settings = jp_serverapp.web_app.settings
    settings["api_last_activity"] = None
    await api("GET", "tiers")
    await api("GET", "transfers")
    assert settings["api_last_activity"] is None
    await api("PUT", "files/shared/x", body=b"x")
    assert settings["api_last_activity"] is not None


async def test_after_the_stop_every_request_is_told_so(api, extension, tier):
    await extension.stop_extension()
    await extension.stop_extension()
    for method, path in (("GET", "tiers"), ("GET", "files/shared/"), ("GET", "openapi.json")):
        response = await api(method, path)
        assert response.code == 502
        assert "stopping" in json.loads(response.body)["message"]


async def test_the_stop_ends_uploads_under_way(api, port, extension, tier):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join(
        [
            f"PUT {api.base_url}jupyter-storage/api/v1/files/shared/half HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Authorization: {api.headers['Authorization']}",
            "Content-Length: 1000000",
        ]
    )
    writer.write(f"{head}\r\n\r\nhalf".encode())
    while not extension.receivers:
        await asyncio.sleep(0.01)
    await extension.stop_extension()
    assert list(tier.iterdir()) == []
    writer.close()
    await writer.wait_closed()


def test_help_tells_of_the_options(capsys):
    ServerApp.clear_instance()
    StorageApp().print_help(classes=True)
    text = capsys.readouterr().out
    assert "--JupyterStorage.root=<Unicode>" in text
    assert "--JupyterStorage.snapshot_interval=<Float>" in text


@pytest.fixture
def server(tmp_path, isolated_environment):
    """A server in a process of its own, as a person starts it."""
    processes = []

    def start(*arguments):
        port_file = tmp_path / "runtime"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyter_server",
                "--no-browser",
                "--allow-root",
                "--port=0",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.root_dir={tmp_path / 'project'}",
                "--ServerApp.jpserver_extensions=jupyter_storage=True",
                "--ServerApp.base_url=/user/ada/",
                *arguments,
            ],
            env={
                **os.environ,
                "JUPYTER_TOKEN": "sesame",
                "JUPYTER_RUNTIME_DIR": str(port_file),
                "PYTHONPATH": str(Path(jupyter_storage.__file__).parents[1]),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        deadline = time.monotonic() + 60
        while not (files := list(port_file.glob("jpserver-*.json"))):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # It is there before it is written.
        while not (text := files[0].read_text()).rstrip().endswith("}"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return process, json.loads(text)["url"] + "jupyter-storage/api/v1/"

    (tmp_path / "project").mkdir()
    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def fetch(url, path):
    request = urllib.request.Request(url + path, headers={"Authorization": "token sesame"})
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.slow
def test_a_real_server_takes_options_and_stops_at_a_signal(server, tmp_path):
    process, url = server(
        f"--JupyterStorage.root={tmp_path / 'elsewhere'}", "--JupyterStorage.snapshots=False"
    )
    assert "/user/ada/" in url
    tiers = {tier["name"]: tier for tier in fetch(url, "tiers")["tiers"]}
    assert tiers["shared"]["path"] == str(tmp_path / "elsewhere" / "shared_storage")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in output
    assert "nrecognized" not in output
