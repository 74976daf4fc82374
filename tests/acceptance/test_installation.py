"""A fresh environment, as Binder's builder and a person's pip make it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


def run(command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What git tracks, and nothing that was built."""
    clone = tmp_path_factory.mktemp("clone")
    tracked = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = run(["git", "-C", ROOT, *tracked])
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    assert not (clone / "jupyter_storage/labextension").exists()
    return clone


@pytest.fixture(scope="module")
def fresh(clone, tmp_path_factory):
    """An environment made by Binder's own scripts, without Node.js on the path."""
    directory = tmp_path_factory.mktemp("fresh")
    run([sys.executable, "-m", "venv", directory / "venv"])
    tools = directory / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "env", "dirname", "basename", "uname", "sed", "git", "mkdir", "rm"):
        if shutil.which(tool):
            (tools / tool).symlink_to(shutil.which(tool))
    environ = {
        key: value
        for key, value in os.environ.items()
        if not re.match(r"(JUPYTER|ANYSCALE|AWS|VIRTUAL_ENV|PYTHON)", key)
    }
    environ["PATH"] = f"{directory / 'venv/bin'}:{tools}"
    environ["HOME"] = str(directory / "home")
    environ["PIP_CACHE_DIR"] = str(Path("~/.cache/pip").expanduser())
    run(["pip", "install", "--quiet", "-r", clone / "binder/requirements.txt"], env=environ)
    run([clone / "binder/postBuild"], env=environ, cwd=clone)
    assert shutil.which("node", path=environ["PATH"]) is None
    return environ


def test_both_extensions_are_enabled_by_the_installation(fresh):
    assert re.search(
        r"jupyter_storage.*OK", run(["jupyter", "server", "extension", "list"], env=fresh)
    )
    listed = run(["jupyter", "labextension", "list"], env=fresh)
    assert re.search(r"jupyter-storage v\S+.*enabled.*OK", listed)


def test_the_command_is_found_by_jupyter(fresh, tmp_path):
    environ = {**fresh, "JUPYTER_STORAGE_ROOT": str(tmp_path)}
    tiers = json.loads(
        subprocess.run(
            ["jupyter", "storage", "tiers", "--json"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    assert [tier["name"] for tier in tiers] == ["local", "cluster", "user", "shared", "artifacts"]
    assert all({"uri", "scope", "lifetime", "state"} <= set(tier) for tier in tiers)


def test_the_welcome_notebook_runs_from_top_to_bottom(fresh, clone, tmp_path):
    shutil.copy(clone / "binder/Welcome.ipynb", tmp_path)
    environ = {**fresh, "JUPYTER_STORAGE_ROOT": str(tmp_path / "storage")}
    run(
        ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", "Welcome.ipynb"],
        env=environ,
        cwd=tmp_path,
    )
    notebook = json.loads((tmp_path / "Welcome.ipynb").read_text())
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert "versicolor" in json.dumps(outputs)
    assert (tmp_path / "restored/Welcome.ipynb").exists()


OPTIONS = ["--no-browser", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=acceptance"]
OPTIONS += ["--allow-root"]


def answer_of(command, port, log, **options):
    """Start a server, ask it for its tiers, and stop it as JupyterHub and Kubernetes do."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/jupyter-storage/api/v1/tiers",
        headers={"Authorization": "token acceptance"},
    )
    try:
        for _ in range(240):
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    return json.load(response)["tiers"]
            except urllib.error.URLError as error:
                # Until it listens, the connection is refused; any answer but 200 is an error.
                if not isinstance(error.reason, ConnectionRefusedError):
                    raise
                time.sleep(0.5)
        raise AssertionError(log.read_text())
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def test_binder_starts_the_demo(fresh, clone, tmp_path):
    environ = {**fresh, "REPO_DIR": str(clone)}
    port = free_port()
    command = [clone / "binder/start", "jupyter", "lab", f"--ServerApp.port={port}", *OPTIONS]
    tiers = answer_of(command, port, tmp_path / "log", env=environ, cwd=clone)
    assert [tier["state"] for tier in tiers] == ["ok"] * 5
    assert tiers[0]["path"].startswith(fresh["HOME"])


def test_make_lab_passes_its_options_on(clone, fresh, tmp_path):
    venv = Path(fresh["PATH"].partition(":")[0]).parent
    (venv / ".installed").touch()
    environ = {**fresh, "PATH": f"{fresh['PATH']}:{os.environ['PATH']}"}
    environ["JUPYTER_STORAGE_ROOT"] = str(tmp_path / "root")
    port = free_port()
    words = " ".join([f"--ServerApp.port={port}", *OPTIONS])
    command = ["make", "lab", f"VENV={venv}", f"ARGS={words}"]
    tiers = answer_of(command, port, tmp_path / "log", env=environ, cwd=clone)
    assert len(tiers) == 5
    assert (clone / "demo/Welcome.ipynb").exists()
