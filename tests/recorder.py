"""A server between a client and an S3 service that notes what goes by, and can change answers."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    body: bytes
    headers: Message


@contextmanager
def recorded(
    endpoint: str,
    *,
    refused: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    fault: Callable[[Request], str | None] | None = None,
) -> Iterator[tuple[str, list[Request]]]:
    """Run it, and yield its own endpoint and the requests that it sees.

    Parameters
    ----------
    endpoint : str
        Of the service.
    refused : mapping, optional
        Methods that are answered with a status and nothing else.
    headers : mapping, optional
        Put into every answer, in place of the service's.
    fault : callable, optional
        Says what befalls a request: a status, ``reset`` (no answer), ``stall`` (none for ever),
        ``cut`` (half of the answer), ``wrong`` (a byte of the body that goes up, else of the one
        that comes down, is another), ``slow`` (a tenth of a second passes), or None.
    """
    seen: list[Request] = []
    over = threading.Event()
    there = urlsplit(endpoint)
    dropped = {"connection", "content-length", "transfer-encoding", *map(str.lower, headers or ())}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            request = Request(self.command, path, query, body, self.headers)
            seen.append(request)
            befalls = fault(request) if fault else None
            if befalls == "stall":
                over.wait()
            if befalls in {"reset", "stall"}:
                self.close_connection = True
                return
            if befalls == "slow":
                time.sleep(0.1)
            if befalls == "wrong" and body:
                body = bytes([body[0] ^ 1]) + body[1:]
                befalls = None
            status = (refused or {}).get(self.command, 0)
            if befalls and befalls.isdigit():
                status = int(befalls)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=30)
            with closing(connection) as service:
                # The signature covers the name of the host that the client knows.
                service.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    if name.lower() not in {"connection", "expect"}:
                        service.putheader(name, value)
                service.endheaders(body)
                answer = service.getresponse()
                content = answer.read()
                self.send_response(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in dropped:
                        self.send_header(name, value)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                if befalls == "cut":
                    content = content[: len(content) // 2]
                    self.close_connection = True
                if befalls == "wrong" and content:
                    content = bytes([content[0] ^ 1]) + content[1:]
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *words: object) -> None:
            """A client that was killed is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            over.set()
            server.shutdown()
            thread.join()
