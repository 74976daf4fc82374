"""What all handlers share: who may ask, how errors are said, and how threads are used."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jsonschema
from jupyter_core.utils import ensure_async
from jupyter_server.auth import identity
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_storage.errors import InvalidPath, InvalidRequest, NotFound, StorageError
from jupyter_storage.paths import clean_key, contained, join
from jupyter_storage.redact import redact
from jupyter_storage.server.document import is_clearly_valid, request_validator
from jupyter_storage.server.wire import describe_error, encode
from jupyter_storage.service import Service

__all__ = ["StorageHandler", "authenticated", "authorized", "checked"]

authenticated = web.authenticated

LONGEST_BODY = 16 * 2**20  # bytes of JSON
LONG_BODY = 2**14  # bytes of JSON from which on checking it takes its time
PAGE = 1000  # entries, unless told
LONGEST_PAGE = 5000

T = TypeVar("T")

_KINDS = {
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NotFound",
    405: "Unsupported",
}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class StorageHandler(ExtensionHandlerMixin, APIHandler):
    """Base of the handlers: checked before a verb runs, JSON whatever happens."""

    auth_resource = "jupyter_storage"
    needs_xsrf_token = True

    async def prepare(self, **options: Any) -> None:
        """Check origin, user, XSRF token (reading verbs too) and right, in this order."""
        await super().prepare(**options)
        if self.request.method == "OPTIONS":
            return
        if self.needs_xsrf_token:
            # The base class checks it for writing verbs only (CVE-2023-40170 came of that).
            self.check_xsrf_cookie()
        # Also here, not only around the verb: a streamed body arrives before the verb runs.
        await self._check_right()
        # What a page polls is no sign that somebody is there.
        self._track_activity = self.request.method not in _READS

    # The service

    @property
    def extension(self) -> Any:
        """The extension; its type cannot be named here, for it imports the handlers."""
        return self.extensionapp

    @property
    def service(self) -> Service:
        """The service, or the error that kept it from starting."""
        return cast("Service", self.extension.service)

    @property
    def owner(self) -> str | None:
        """Who asks, where the server knows its users.

        Jupyter's own providers make up a name for each browser, and another for each request
        with a token and no cookie: such a name tells nobody apart.
        """
        made_up = type(self.identity_provider).__module__ == identity.__name__
        return None if made_up or self.current_user is None else str(self.current_user.username)

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call something that blocks in one of the extension's threads."""
        return cast("T", await self.extension.call(function, *args, **kwargs))

    def tier_path(self, path: str) -> str:
        """Check that a path lies on a tier.

        Parameters
        ----------
        path : str
            ``tier:relative/path``. URIs and local paths are refused: what a page sends must not
            choose which hosts the server talks to.

        Raises
        ------
        NotFound
            If there is no such tier.
        """
        name, _, key = path.partition(":")
        return self.on_tier(name, key)

    def tier_paths(self, paths: Sequence[str]) -> list[str]:
        """Check many paths; see :meth:`tier_path`."""
        return [self.tier_path(path) for path in paths]

    def any_path(self, path: str, *, into: bool = False) -> str:
        """Check a path on a tier, or one of the server's root directory: ``./relative/path``.

        Parameters
        ----------
        path : str
            As the page sends it.
        into : bool
            Whether something is put into it: then no link may lead out of the root directory.

        Raises
        ------
        InvalidPath
            If it leaves the root directory.
        NotFound
            If there is no such tier.
        """
        return self.local_path(path, into=into) if path.startswith("./") else self.tier_path(path)

    def local_path(self, path: str, *, into: bool = False) -> str:
        """Check a path of the server's root directory, ``./relative/path``; see `any_path`."""
        if not path.startswith("./"):
            raise InvalidPath(
                "It is no path of the server's root directory",
                path=path,
                hint="Those begin with './'.",
            )
        root = self.service.settings.project.resolve()
        key = clean_key(path.removeprefix("./"))
        # The last part of a contained path is not resolved.
        return str(contained(root, join(key, "-")).parent if into else contained(root, key))

    def on_tier(self, name: str, key: str) -> str:
        """Make the path of something on a tier, as the service takes it; see `tier_path`."""
        names = self.service.tier_names()
        if name not in names:
            raise NotFound(
                f"There is no tier '{name}'",
                path=f"{name}:{key}",
                hint=f"Paths are 'tier:relative/path', and the tiers are: {', '.join(names)}.",
            )
        # 'tier://' would be read as a URI.
        return f"{name}:{key.lstrip('/')}"

    # Requests

    async def body(self, schema: str) -> dict[str, Any]:
        """Read the body as JSON and check it against a schema of the OpenAPI document."""
        if len(self.request.body) > LONGEST_BODY:
            raise InvalidRequest(
                f"The body is longer than {LONGEST_BODY:,} bytes", hint="Send fewer paths at once."
            )
        # A selection may have a hundred thousand paths.
        return await self.call(checked, self.request.body, schema)

    def flag(self, name: str) -> bool:
        """Read a query argument that is yes or no."""
        text = self.get_query_argument(name, "0").lower()
        if text not in {"0", "1", "false", "true"}:
            raise InvalidRequest(f"'{name}' is 0 or 1, not '{text[:50]}'")
        return text in {"1", "true"}

    def limit(self) -> int:
        """Read the query argument that says how many entries a page may have."""
        text = self.get_query_argument("limit", str(PAGE))
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LONGEST_PAGE):
            raise InvalidRequest(f"'limit' is a number from 1 to {LONGEST_PAGE}")
        return int(text)

    # Responses

    async def reply(self, value: Any, status: int = 200) -> None:
        """Answer with records as JSON; long listings are encoded off the event loop."""
        content = await self.call(encode, value)
        self.set_status(status)
        await self.finish(content)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error, or cut the connection if the answer is already under way."""
        if self._headers_written:
            # To finish would make a short answer look whole.
            self.cut()
            return
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say an error as JSON, without a traceback or a secret."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, StorageError):
            self.set_status(error.status)
            body = describe_error(error)
        else:
            message = "Something went wrong in the server"
            if isinstance(error, web.HTTPError):
                message = error.log_message or self._reason
            elif status_code < 500:
                message = self._reason
            body = {
                "kind": _KINDS.get(status_code, "StorageError"),
                "message": redact(message),
                "hint": "The server's log says more." if status_code >= 500 else "",
                "path": None,
            }
        self.finish(json.dumps(body))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log what went wrong; the request line is redacted, for it may hold a token."""
        if value is None or isinstance(value, StreamClosedError):
            return
        what = redact(f"{self.request.method} {self.request.uri}")
        if isinstance(value, web.HTTPError):
            self.log.info("%s: %d %s", what, value.status_code, value.log_message or "")
        elif isinstance(value, StorageError) and value.status < 500:
            self.log.info("%s: %s", what, value)
        else:
            self.extension.log_failure(what, value)

    def cut(self) -> None:
        """Close the connection at once, so that the client sees that something is missing."""
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    async def _check_right(self) -> None:
        if self.current_user is None:
            raise web.HTTPError(403, "Sign in, or send the server's token")
        action = "read" if self.request.method in _READS else "write"
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, action, self.auth_resource)
        )
        if not allowed:
            raise web.HTTPError(403, f"You may not {action} storage on this server")


def checked(body: bytes, schema: str) -> dict[str, Any]:
    """Read JSON and check it against a schema of the OpenAPI document."""
    try:
        value = json.loads(body or b"{}")
        if len(body) < LONG_BODY or not is_clearly_valid(value, schema):
            request_validator(schema).validate(value)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            "The body is not JSON", hint="Send a JSON object as 'application/json'."
        ) from error
    except jsonschema.ValidationError as error:
        field = ".".join(str(part) for part in error.absolute_path)
        raise InvalidRequest(
            f"The body is wrong{f' at {field}' if field else ''}: {error.message[:300]}",
            hint=f"See '{schema}' in openapi.json.",
        ) from error
    return cast("dict[str, Any]", value)
