"""Who may ask: every route and verb, with every lack of a right."""

from __future__ import annotations

import asyncio
import json
import re
from http.cookies import SimpleCookie

import pytest
from jupyter_server.auth import Authorizer

from jupyter_storage.server.app import BASE, ROUTES

VERBS = ("get", "head", "post", "put", "patch", "delete")
PATHS = {
    "tiers": "tiers",
    "tiers/([^/]+)": "tiers/shared",
    "files/([^/]+)(?:/(.*))?": "files/shared/a.txt",
    "previews/([^/]+)(?:/(.*))?": "previews/shared/a.txt",
    "search/([^/]+)(?:/(.*))?": "search/shared/",
    "uploads": "uploads",
    "uploads/batch": "uploads/batch",
    "uploads/in-the-way": "uploads/in-the-way",
    "uploads/([^/]+)": "uploads/0123456789abcdef0123456789abcdef",
    "uploads/([^/]+)/commit": "uploads/0123456789abcdef0123456789abcdef/commit",
    "archive": "archive",
    "archive/([^/]+)": "archive/ticket",
    "transfers": "transfers",
    "transfers/([^/]+)": "transfers/some",
    "interrupted": "interrupted",
    "interrupted/([^/]+)": "interrupted/some",
    "links": "links",
    "usage/([^/]+)": "usage/shared",
    "trash": "trash",
    "trash/([^/]+)/([^/]+)": "trash/shared/20260101T000000Z-00000000",
    "storages": "storages",
    "storages/([^/]+)": "storages/cats",
    "apply": "apply",
    "mounts": "mounts",
    "mounts/([^/]+)": "mounts/0123456789abcdef",
    "snapshots": "snapshots",
    "snapshots/status": "snapshots/status",
    "snapshots/takeover": "snapshots/takeover",
    "snapshots/open": "snapshots/open",
    "snapshots/([^/]+)": "snapshots/latest",
    "snapshots/([^/]+)/files(?:/(.*))?": "snapshots/latest/files/a.txt",
    "snapshots/([^/]+)/diff": "snapshots/latest/diff",
    "snapshots/([^/]+)/diff/(.+)": "snapshots/latest/diff/a.txt",
    "snapshots/([^/]+)/cell": "snapshots/latest/cell",
    "snapshots/([^/]+)/restore": "snapshots/latest/restore",
    "versions/(.+)": "versions/a.txt",
    "experiments": "experiments?path=shared:",
    "experiments/([^/]+)(?:/(.*))?": "experiments/shared/cats",
    "trials/([^/]+)(?:/(.*))?": "trials/shared/cats",
    "best-checkpoint/([^/]+)(?:/(.*))?": "best-checkpoint/shared/cats",
    r"openapi\.json": "openapi.json",
}


def implemented(handler):
    return [verb for verb in VERBS if verb in vars(handler)]


CASES = [
    (verb.upper(), PATHS[pattern.removeprefix(BASE)], handler)
    for pattern, handler in ROUTES
    for verb in implemented(handler)
]


@pytest.fixture
def file(tier):
    path = tier / "a.txt"
    path.write_text("untouched")
    return path


def body_of(method):
    return {} if method in {"GET", "HEAD", "DELETE"} else {"body": b'{"action": "mkdir"}'}


def test_every_route_is_walked():
    assert len(CASES) >= 31
    for pattern, _ in ROUTES:
        name = pattern.removeprefix(BASE)
        assert re.fullmatch(name, PATHS[name].partition("?")[0])


@pytest.mark.parametrize(("method", "path", "handler"), CASES)
def test_every_verb_is_marked_as_authenticated_and_authorized(method, path, handler):
    verb = vars(handler)[method.lower()]
    layers = [verb]
    while hasattr(layers[-1], "__wrapped__"):
        layers.append(layers[-1].__wrapped__)
    files = {layer.__code__.co_filename.rpartition("site-packages/")[2] for layer in layers}
    assert {"tornado/web.py", "jupyter_server/auth/decorator.py"} <= files


async def test_nothing_is_done_without_a_token(api, file):
    for method, path, _ in CASES:
        response = await api(method, path, token=False, **body_of(method))
        assert response.code in {401, 403}, (method, path)
        assert b"untouched" not in response.body
    assert file.read_text() == "untouched"


async def test_nothing_is_done_with_a_wrong_token(api, file):
    for method, path, _ in CASES:
        headers = {"Authorization": "token wrong"}
        response = await api(method, path, token=False, headers=headers, **body_of(method))
        assert response.code in {401, 403}, (method, path)
    assert file.read_text() == "untouched"


class Deny(Authorizer):
    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler, user, action, resource):
        self.asked.append((action, resource))
        return False


async def test_an_authorizer_decides_by_verb(api, file, jp_serverapp):
    jp_serverapp.web_app.settings["authorizer"] = Deny(parent=jp_serverapp)
    for method, path, _ in CASES:
        Deny.asked.clear()
        response = await api(method, path, **body_of(method))
        assert response.code == 403, (method, path)
        action = "read" if method in {"GET", "HEAD"} else "write"
        assert Deny.asked == [(action, "jupyter_storage")]
        if method != "HEAD":
            assert json.loads(response.body)["kind"] == "AccessDenied"
    assert file.read_text() == "untouched"


@pytest.fixture
def cookies(api, jp_asyncio_loop, http_server_client, jp_base_url):
    """Log in as a browser does: the cookies that it would send along."""

    async def log_in():
        jar = {}
        page = await http_server_client.fetch(f"{jp_base_url}login", raise_error=False)
        entered = await api("GET", "tiers")
        for response in (page, entered):
            for header in response.headers.get_list("Set-Cookie"):
                jar.update({name: morsel.value for name, morsel in SimpleCookie(header).items()})
        return jar

    jar = jp_asyncio_loop.run_until_complete(log_in())
    assert "_xsrf" in jar
    assert any(name.startswith("username") for name in jar)
    return jar


def cookie_header(cookies):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def test_a_cookie_alone_does_nothing_not_even_read(api, file, cookies):
    for method, path, handler in CASES:
        response = await api(
            method, path, token=False, headers=cookie_header(cookies), **body_of(method)
        )
        if handler.needs_xsrf_token:
            assert response.code == 403, (method, path)
        assert b"untouched" not in response.body
    assert file.read_text() == "untouched"


async def test_a_foreign_page_does_nothing_with_the_cookie(api, file, cookies):
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/page"}
    for method, path, handler in CASES:
        response = await api(
            method, path, token=False, headers=cookie_header(cookies) | foreign, **body_of(method)
        )
        if handler.needs_xsrf_token:
            assert response.code in {403, 404}, (method, path)
        assert b"untouched" not in response.body
    assert file.read_text() == "untouched"


async def test_a_cookie_with_the_xsrf_token_may(api, file, cookies):
    headers = cookie_header(cookies) | {"X-XSRFToken": cookies["_xsrf"]}
    response = await api("GET", "files/shared/a.txt", token=False, headers=headers)
    assert response.body == b"untouched"
    response = await api("PUT", "files/shared/a.txt", token=False, headers=headers, body=b"changed")
    assert response.code == 200
    assert file.read_text() == "changed"


async def test_a_ticket_needs_the_cookie_and_no_xsrf_token(api, file, cookies):
    request = {"paths": ["shared:a.txt"], "format": "raw"}
    ticket = json.loads((await api("POST", "archive", json_body=request)).body)
    path = f"archive/{ticket['id']}"
    response = await api("GET", path, token=False, headers=cookie_header(cookies))
    assert (response.code, response.body) == (200, b"untouched")
    foreign = cookie_header(cookies) | {"Origin": "https://evil.example"}
    assert (await api("GET", path, token=False, headers=foreign)).code == 404
    assert (await api("GET", path, token=False)).code == 403


async def test_a_wrong_xsrf_token_may_not(api, file, cookies):
    headers = cookie_header(cookies) | {"X-XSRFToken": "x" * len(cookies["_xsrf"])}
    for method in ("GET", "PUT", "DELETE"):
        response = await api(
            method, "files/shared/a.txt", token=False, headers=headers, **body_of(method)
        )
        assert response.code == 403
    assert file.read_text() == "untouched"


async def test_a_streamed_body_is_not_read_before_the_check(api, extension, file, port, cookies):
    for headers in ("", f"Cookie: {cookie_header(cookies)['Cookie']}\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = f"{api.base_url}{BASE.lstrip('/')}files/shared/a.txt"
        writer.write(
            f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
            "Content-Length: 1000000\r\n\r\n".encode()
        )
        # Not one byte of the body is sent, and yet the answer comes.
        status = await asyncio.wait_for(reader.readline(), 5)
        assert b" 403 " in status
        writer.close()
        await writer.wait_closed()
    assert not extension.receivers
    assert [path.name for path in file.parent.iterdir()] == ["a.txt"]


async def test_a_verb_that_is_not_there_is_refused(api, tier):
    response = await api("PATCH", "files/shared/a.txt", body=b"x")
    assert response.code == 405
    assert json.loads(response.body)["kind"] == "Unsupported"
