from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata

import pytest

from jupyter_storage.errors import InvalidPath, InvalidRequest, NotConfigured, NotFound, Unsupported
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.opening import ENTRY_POINTS, open_store


def test_a_directory_is_opened_without_any_cloud_library(tmp_path):
    code = (
        "import sys; from jupyter_storage.stores.opening import open_store;"
        f"open_store({tmp_path.as_uri()!r}).list('');"
        "print([m for m in ('s3fs','gcsfs','botocore','aiohttp','fsspec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_protocol_is_not_configured():
    with pytest.raises(NotConfigured, match="qqq"):
        open_store("qqq://host/x")


def test_a_missing_package_is_named():
    with pytest.raises(NotConfigured) as caught:
        open_store("smb://host/share")
    assert "pip install smbprotocol" in caught.value.hint


def test_what_is_no_uri_is_refused():
    with pytest.raises(InvalidPath):
        open_store("no uri")
    with pytest.raises(InvalidPath):
        open_store("s3://bucket/../x")


def test_http_can_be_read_and_not_written(s3_endpoint, s3_bucket):
    bucket = open_store(f"s3://{s3_bucket}")
    bucket.write("d/file", b"content")
    url = bucket.url("d/file")
    bucket.close()
    web = open_store(url.partition("/d/file")[0])
    with pytest.raises(Unsupported, match="only be read"):
        web.write("new", b"x")
    with pytest.raises(Unsupported):
        web.delete("d/file")


def test_files_of_a_web_server_are_listed_and_read(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a b.txt").write_bytes(b"content")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        web = open_store(f"http://127.0.0.1:{server.server_port}/d")
        web.check()
        assert web.read("a%20b.txt") == b"content"
        assert web.read("a%20b.txt", length=3) == b"con"
        with pytest.raises(InvalidRequest, match="range requests"):
            web.read("a%20b.txt", offset=3)
        assert web.stat("a%20b.txt").size == 7
        with pytest.raises(NotFound):
            web.read("missing")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("uri", "package"),
    [
        ("sftp://host/x", "paramiko"),
        ("webdav://host/x", "webdav4"),
        ("oss://bucket/x", "ossfs"),
    ],
)
def test_a_protocol_whose_package_is_missing_says_which(uri, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotConfigured) as caught:
        open_store(uri)
    assert f"pip install {package}" in caught.value.hint


def test_a_plugin_serves_its_scheme(monkeypatch, tmp_path):
    class Plugin(LocalStore):
        def __init__(self, uri, options):
            super().__init__(tmp_path)
            self.options = options

    monkeypatch.setattr(sys.modules[__name__], "Plugin", Plugin, raising=False)
    point = metadata.EntryPoint("plug", f"{__name__}:Plugin", ENTRY_POINTS)
    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda group, name: [point] if (group, name) == (ENTRY_POINTS, "plug") else [],
    )
    store = open_store("plug://host/x", {"a": 1})
    assert isinstance(store, Plugin)
    assert store.options == {"a": 1}
