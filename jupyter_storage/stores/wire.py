"""HTTP connections to a store: bodies are not copied, and any moment can be the last."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Answer", "NotConnected", "Stop", "Wire", "WireError"]

STALL = 30.0  # seconds in which nothing moves
CONNECT = 2.0  # seconds until a connection is there
_SLICE = 256 * 1024  # bytes handed to the kernel at once


class WireError(ConnectionError):
    """The connection broke, or nothing moved for too long.

    Attributes
    ----------
    was_idle : bool
        Whether it had been used before: the service may have closed it since.
    """

    def __init__(self, message: str, *, was_idle: bool = False) -> None:
        super().__init__(message)
        self.was_idle = was_idle


class NotConnected(WireError):
    """There is no connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """A pool of connections to one service.

    Parameters
    ----------
    endpoint : str
        Of the service; requests may go to hosts below it.
    certificates : str, optional
        File of those to trust, in place of the system's.

    Attributes
    ----------
    is_direct : bool
        Whether the service is reached without a proxy; with one, this cannot be used.
    """

    def __init__(self, endpoint: str, certificates: str | None = None) -> None:
        self.is_direct = _is_direct(endpoint)
        self._certificates = certificates
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    def put(
        self, url: str, headers: Mapping[str, str], pieces: Sequence[memoryview], stop: Stop
    ) -> Answer:
        """Send a body.

        Parameters
        ----------
        url : str
            Signed already.
        headers : mapping
        pieces : sequence of memoryview
            The body.
        stop : Stop
            Ends it at any moment, from another thread.

        Raises
        ------
        WireError
        """
        return self._ask("PUT", url, headers, pieces, stop)

    def ask(self, verb: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send a short request.

        Raises
        ------
        WireError
        """
        return self._ask(verb, url, headers, [memoryview(body)] if body else [], Stop())

    def _ask(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        pieces: Sequence[memoryview],
        stop: Stop,
    ) -> Answer:
        there = urlsplit(url)
        host = there.scheme, there.netloc
        connection = self._take(*host)
        was_idle = connection.sock is not None
        try:
            with stop.watching(connection):
                if not was_idle:
                    _connect(connection)
                target = f"{there.path}?{there.query}" if there.query else there.path
                response = _exchange(connection, verb, target, headers, pieces=pieces, stop=stop)
                answer = Answer(response.status, dict(response.headers), response.read())
        except WireError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise WireError(str(error) or type(error).__name__, was_idle=was_idle) from error
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.setdefault(host, []).append(connection)
        return answer

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            _close(self._idle)

    def _take(self, scheme: str, host: str) -> http.client.HTTPConnection:
        with self._lock:
            pool = self._idle.get((scheme, host))
            if pool:
                return pool.pop()
            if scheme == "http":
                return http.client.HTTPConnection(host, timeout=CONNECT)
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._certificates)
            return http.client.HTTPSConnection(host, timeout=CONNECT, context=self._context)


class Stop:
    """Ends the requests of one upload, those under way and those to come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[http.client.HTTPConnection] = set()
        self._stopped = False

    def stop(self) -> None:
        """End them; what reads or writes there fails at once."""
        with self._lock:
            self._stopped = True
            for connection in self._watched:
                if connection.sock is not None:
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Fail if it was stopped."""
        if self._stopped:
            raise WireError("It was stopped")

    @contextmanager
    def watching(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Let it end while the context lasts."""
        with self._lock:
            self._watched.add(connection)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._watched.discard(connection)


def _close(idle: dict[tuple[str, str], list[http.client.HTTPConnection]]) -> None:
    for pool in idle.values():
        for connection in pool:
            connection.close()
    idle.clear()


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except OSError as error:
        raise NotConnected(str(error) or type(error).__name__) from error
    connection.sock.settimeout(STALL)


def _exchange(
    connection: http.client.HTTPConnection,
    verb: str,
    target: str,
    headers: Mapping[str, str],
    *,
    pieces: Sequence[memoryview],
    stop: Stop,
) -> http.client.HTTPResponse:
    connection.putrequest(verb, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if pieces or verb in {"PUT", "POST"}:
        connection.putheader("Content-Length", str(sum(map(len, pieces))))
    connection.endheaders()
    # Who refuses may answer and close before all has arrived: then the answer says why.
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            for start in range(0, len(piece), _SLICE):
                stop.check()
                connection.sock.sendall(piece[start : start + _SLICE])
    return connection.getresponse()


def _is_direct(endpoint: str) -> bool:
    """Whether no proxy stands before a service."""
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return True  # who has none need not wait for the module
    from urllib.request import getproxies, proxy_bypass

    there = urlsplit(endpoint)
    proxies = getproxies()
    through = proxies.get(there.scheme) or proxies.get("all")
    return not through or bool(proxy_bypass(there.netloc))
