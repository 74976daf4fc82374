from __future__ import annotations

import io
import json
import zipfile

import pytest
from jupyter_server.auth import IdentityProvider, User

from jupyter_storage.errors import NotFound
from jupyter_storage.server.app import BASE
from jupyter_storage.server.tickets import LIFE, MOST, Ticket, Tickets


@pytest.fixture
def folder(tier):
    directory = tier / "dätä" / "empty"
    directory.mkdir(parents=True)
    (directory.parent / "a.txt").write_text("a" * 1000)
    (tier / "dätä2").mkdir()
    return directory.parent


async def ask(api, *paths, **options):
    response = await api("POST", "archive", json_body={"paths": list(paths), **options})
    assert response.code == 200, response.body
    return json.loads(response.body)


def path_of(ticket, api):
    prefix = api.base_url.rstrip("/") + BASE
    assert ticket["url"].startswith(prefix)
    return ticket["url"].removeprefix(prefix)


async def test_a_folder_comes_as_a_zip_once(api, folder):
    ticket = await ask(api, "shared:dätä")
    assert (ticket["name"], ticket["files"], ticket["bytes"]) == ("dätä.zip", 1, 1000)
    response = await api("GET", path_of(ticket, api))
    assert response.headers["Content-Type"] == "application/zip"
    assert "filename*=UTF-8''d%C3%A4t%C3%A4.zip" in response.headers["Content-Disposition"]
    assert int(response.headers["Content-Length"]) == len(response.body)
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"dätä/", "dätä/empty/", "dätä/a.txt"}
    again = await api("GET", path_of(ticket, api))
    assert again.code == 404
    assert json.loads(again.body)["kind"] == "NotFound"


async def test_a_selection_gets_the_name_that_it_was_given(api, folder):
    ticket = await ask(api, "shared:dätä", "shared:dätä2", name="both.zip")
    response = await api("GET", path_of(ticket, api))
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert "dätä2/" in archive.namelist()
    assert "both.zip" in response.headers["Content-Disposition"]


async def test_one_file_comes_raw_in_ranges_and_again(api, folder):
    ticket = await ask(api, "shared:dätä/a.txt", format="raw")
    assert (ticket["name"], ticket["files"], ticket["bytes"]) == ("a.txt", 1, 1000)
    for _ in range(2):
        response = await api("GET", path_of(ticket, api))
        assert response.body == b"a" * 1000
        assert response.headers["Content-Disposition"].startswith("attachment;")
    part = await api("GET", path_of(ticket, api), headers={"Range": "bytes=990-"})
    assert (part.code, part.body) == (206, b"a" * 10)


async def test_what_cannot_be_downloaded_gets_no_ticket(api, folder, extension):
    for body, status in (
        ({"paths": []}, 400),
        ({"paths": ["shared:none"]}, 404),
        ({"paths": ["shared:../x"]}, 400),
        ({"paths": ["/etc/passwd"]}, 400),
        ({"paths": ["file:///etc/passwd"]}, 404),
        ({"paths": ["s3://bucket/key"]}, 404),
        ({"paths": ["shared:dätä"], "format": "raw"}, 400),
        ({"paths": ["shared:dätä", "shared:dätä2"], "format": "raw"}, 400),
        ({"paths": ["shared:dätä"], "format": "tar"}, 400),
    ):
        response = await api("POST", "archive", json_body=body)
        assert response.code == status, (body, response.body)
    assert not extension.tickets._tickets


async def test_a_zip_of_a_file_that_changed_is_never_short_and_valid(api, folder):
    ticket = await ask(api, "shared:dätä")
    (folder / "a.txt").write_text("short")
    response = await api("GET", path_of(ticket, api))
    # Either an error, or a connection that was cut (599: the client's own word for that).
    assert response.code in {409, 599}


async def test_a_ticket_is_no_login(api, folder):
    ticket = await ask(api, "shared:dätä")
    assert (await api("GET", path_of(ticket, api), token=False)).code == 403
    assert (await api("GET", path_of(ticket, api))).code == 200


class ByHeader(IdentityProvider):
    """Knows its users, as a hub does."""

    def get_user(self, handler):
        name = handler.request.headers.get("X-User")
        return User(name) if name else None

    def is_token_authenticated(self, handler):
        return True


async def test_where_users_are_known_a_ticket_is_its_owner_s(api, folder, jp_serverapp):
    jp_serverapp.web_app.settings["identity_provider"] = ByHeader(parent=jp_serverapp)
    response = await api(
        "POST", "archive", json_body={"paths": ["shared:dätä"]}, headers={"X-User": "ada"}
    )
    path = path_of(json.loads(response.body), api)
    assert (await api("GET", path, headers={"X-User": "eve"})).code == 404
    assert (await api("GET", path, headers={"X-User": "ada"})).code == 200


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_ticket_expires():
    clock = Clock()
    tickets = Tickets(clock)
    identifier = tickets.issue(Ticket("shared:a", "a", None))
    clock.now = LIFE - 1
    assert tickets.redeem(identifier, None).content == "shared:a"
    clock.now = LIFE + 1
    with pytest.raises(NotFound, match="not valid"):
        tickets.redeem(identifier, None)


def test_a_ticket_is_its_owner_s():
    tickets = Tickets()
    identifier = tickets.issue(Ticket("shared:a", "a", "ada"))
    for owner in ("eve", None):
        with pytest.raises(NotFound):
            tickets.redeem(identifier, owner)
    assert tickets.redeem(identifier, "ada").name == "a"


def test_tickets_cannot_be_guessed_and_are_not_kept_for_ever():
    tickets = Tickets()
    issued = [tickets.issue(Ticket("shared:a", "a", None)) for _ in range(MOST + 10)]
    assert len(set(issued)) == MOST + 10
    assert min(map(len, issued)) >= 43
    with pytest.raises(NotFound):
        tickets.redeem(issued[0], None)
    assert tickets.redeem(issued[-1], None)
