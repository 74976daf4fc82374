"""The magics in a real kernel, as a notebook runs them."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

import jupyter_storage

STARTUP = Path(jupyter_storage.__file__).parent / "ipython-startup/50-jupyter-storage.py"


class Kernel:
    def __init__(self, client):
        self.client = client

    def run(self, code):
        """Run a cell; give its reply, and what it showed."""
        shown = []
        reply = self.client.execute_interactive(code, timeout=60, output_hook=shown.append)
        return reply["content"], [
            (message["msg_type"], message["content"])
            for message in shown
            if message["msg_type"] not in {"status", "execute_input"}
        ]

    def value(self, expression):
        """Evaluate something and bring it here."""
        content, shown = self.run(f"import json; print(json.dumps({expression}))")
        assert content["status"] == "ok", content
        return json.loads("".join(part["text"] for kind, part in shown if kind == "stream"))

    def complete(self, code):
        self.client.complete(code, len(code))
        content = self.client.get_shell_msg(timeout=60)["content"]
        return [code[: content["cursor_start"]] + match for match in content["matches"]]


@pytest.fixture
def kernel(directory, isolated_environment):
    # IPython runs what lies here at the start of every kernel; a wheel has it in sys.prefix.
    startup = isolated_environment / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    shutil.copy(STARTUP, startup)
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(env=dict(os.environ), cwd=str(directory))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def test_the_magic_in_a_kernel(kernel, storage, directory):
    # One kernel for all of it: starting one takes longer than the rest together.
    content, shown = kernel.run("%%storage put shared:notes/a.csv\nx,y\n1,2\n")
    assert content["status"] == "ok"
    assert "Wrote shared:notes/a.csv, 8 B" in shown[0][1]["data"]["text/plain"]
    assert storage("cat", "shared:notes/a.csv").out == "x,y\n1,2\n"

    # The same words give the same values in a shell.
    for words in ("tiers shared artifacts", "ls shared:notes", "stat shared:notes/a.csv", "env"):
        here = kernel.value(f"get_ipython().run_line_magic('storage', '{words} --json')")
        there = storage(*words.split(), "--json", environ={"PWD": str(directory)}).json
        drifting = {"used", "free"}
        for one in (*(here if isinstance(here, list) else [here]),):
            assert isinstance(one, dict)
        assert without(here, drifting) == without(there, drifting)

    # Results are tables in a notebook and values in code.
    _, shown = kernel.run("files = %storage ls shared:notes\nfiles")
    data = shown[0][1]["data"]
    assert data["text/html"].startswith("<table>")
    assert kernel.value("[(f.name, f['size'], len(files)) for f in files]") == [["a.csv", 8, 1]]

    # Python's variables are expanded.
    _, shown = kernel.run("where = 'shared:notes'\n%storage ls {where}")
    assert "a.csv" in shown[0][1]["data"]["text/plain"]

    # An error stops the cell with two lines and no traceback.
    content, shown = kernel.run("%storage cat shared:nosuch\nafter = 1")
    assert (content["status"], content["ename"]) == ("error", "NotFound")
    assert len(content["traceback"]) == 2
    assert "shared:nosuch: No such file" in content["traceback"][0]
    assert "→" in content["traceback"][1]
    content, _ = kernel.run("after")
    assert content["ename"] == "NameError"
    content, _ = kernel.run("%%storage put shared:notes/a.csv\nother")
    assert content["ename"] == "AlreadyExists"
    content, _ = kernel.run("%storage rm -r shared:notes")
    assert content["ename"] == "InvalidRequest"
    assert "1 file, 8 B would be lost" in content["evalue"]
    content, _ = kernel.run("%storage ls 'shared")
    assert content["ename"] == "InvalidRequest"
    content, shown = kernel.run("%storage cp --help")
    assert content["status"] == "ok"
    assert "usage: %storage cp" in shown[0][1]["text"]

    # A hostile name stays text.
    (directory / "<img src=x onerror=alert(1)>").touch()
    _, shown = kernel.run("%storage ls .")
    assert "<img" not in shown[0][1]["data"]["text/html"]

    # Words, tiers and paths are completed.
    assert "%storage tiers" in kernel.complete("%storage ti")
    assert kernel.complete("%storage ls sha") == ["%storage ls shared:"]
    assert kernel.complete("x = %storage ls shared:no") == ["x = %storage ls shared:notes/"]
    assert kernel.complete("%storage cp --over") == ["%storage cp --overwrite"]
    assert kernel.complete("%storage snapshot l") == ["%storage snapshot list"]
    assert kernel.complete("%%storage p") == ["%%storage put"]

    # Starting costs next to nothing, and nothing heavy is loaded before it is used.
    loaded = kernel.value(
        "__import__('subprocess').run([__import__('sys').executable, '-c', "
        "'import sys, IPython; before = set(sys.modules); import jupyter_storage.magics; "
        'print(sorted(m.split(".")[0] for m in set(sys.modules) - before))\'],'
        "capture_output=True, text=True).stdout"
    )
    assert set(ast.literal_eval(loaded)) <= {"jupyter_storage", "html", "shlex"}

    # A transfer that lasts shows a bar that moves.
    _, shown = kernel.run(
        "import jupyter_storage.magics as magics, os\nmagics.DELAY = 0\n"
        "for n in range(300): open(f'file{n}', 'wb').write(os.urandom(100_000))\n"
        "result = get_ipython().run_line_magic('storage', 'cp -r . local:many -j 1')"
    )
    kinds = [kind for kind, _ in shown]
    assert "display_data" in kinds
    assert "update_display_data" in kinds
    assert "<progress" in shown[0][1]["data"]["text/html"]


def test_an_interrupt_cancels(kernel, directory, s3_bucket):
    for number in range(2000):
        (directory / f"{number}").write_bytes(b"x" * 1000)
    code = (
        "import os, signal, threading\n"
        f"os.environ.update({ {k: v for k, v in os.environ.items() if k.startswith('AWS_')}!r})\n"
        "threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        f"get_ipython().run_line_magic('storage', 'cp -r . s3://{s3_bucket}/d -j 1')"
    )
    content, _ = kernel.run(code)
    assert content["ename"] == "Interrupted"
    assert "Cancelled. Copied" in content["evalue"]


def without(value, names):
    if isinstance(value, list):
        return [without(item, names) for item in value]
    return {key: item for key, item in value.items() if key not in names}
