"""A real Jupyter server in this process, with the extension, its tiers below ``tmp_path``."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlencode

import pytest

# Imported here, and not named as a plugin, so that other tests do without a server.
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPHeaders

from jupyter_storage.server.app import BASE


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path, jp_environ):
    """Give back the environment, which the extension adds to, after each test."""
    before = dict(os.environ)
    monkeypatch.setenv("JUPYTER_STORAGE_ROOT", str(tmp_path / "tiers"))
    monkeypatch.setenv("JUPYTER_STORAGE_SNAPSHOTS", "false")
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def jp_server_config():
    return {"ServerApp": {"jpserver_extensions": {"jupyter_storage": True}}}


@pytest.fixture
def extension(jp_serverapp, jp_asyncio_loop):
    """The extension, started as after the server's own start."""
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_storage"]
    return app


@pytest.fixture
def service(extension):
    return extension.service


@pytest.fixture
def tier(tmp_path):
    """Directory behind the tier 'shared'."""
    directory = tmp_path / "tiers" / "shared_storage"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


class Client:
    """Sends requests as they are, and gives back responses of any status."""

    def __init__(self, client: Any, extension: Any, base_url: str, headers: dict[str, str]) -> None:
        self.extension = extension
        self._client = client
        self.base_url = base_url
        self.headers = headers

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        token: bool = True,
        **options: Any,
    ) -> HTTPResponse:
        url = self.base_url.rstrip("/") + BASE + path
        if query:
            url += "?" + urlencode(query)
        if json_body is not None:
            options["body"] = json.dumps(json_body)
        return await self._client.fetch(
            url,
            method=method,
            headers=HTTPHeaders({**(self.headers if token else {}), **(headers or {})}),
            allow_nonstandard_methods=True,
            raise_error=False,
            follow_redirects=False,
            **options,
        )


@pytest.fixture
def api(extension, http_server_client, jp_auth_header, jp_base_url):
    return Client(http_server_client, extension, jp_base_url, jp_auth_header)


@pytest.fixture
def port(http_server_port):
    """Port of the server, for sockets of one's own; after 'api'."""
    return http_server_port[-1]


def decoded(response: HTTPResponse) -> Any:
    """Body of a response as JSON."""
    return json.loads(response.body)
