"""HTTP connections for the bodies of uploads: nothing is copied, and any moment can be the last."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["Answer", "Stop", "Wire", "WireError"]

STALL = 30.0  # seconds in which nothing moves
_SLICE = 256 * 1024  # bytes handed to the kernel at once


class WireError(ConnectionError):
    """The connection broke, or nothing moved for too long."""


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
        there = urlsplit(endpoint)
        proxies = getproxies()
        through = proxies.get(there.scheme) or proxies.get("all")
        self.is_direct = not through or bool(proxy_bypass(there.netloc))
        self._certificates = certificates
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

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
        there = urlsplit(url)
        host = there.scheme, there.netloc
        connection = self._take(*host)
        try:
            with stop.watching(connection):
                target = f"{there.path}?{there.query}"
                response = _exchange(connection, target, headers, pieces, stop)
                answer = Answer(response.status, dict(response.headers), response.read())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise WireError(str(error) or type(error).__name__) from error
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
            idle = [connection for pool in self._idle.values() for connection in pool]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _take(self, scheme: str, host: str) -> http.client.HTTPConnection:
        with self._lock:
            pool = self._idle.get((scheme, host))
            if pool:
                return pool.pop()
            if scheme == "http":
                return http.client.HTTPConnection(host, timeout=STALL)
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._certificates)
            return http.client.HTTPSConnection(host, timeout=STALL, context=self._context)


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


def _exchange(
    connection: http.client.HTTPConnection,
    target: str,
    headers: Mapping[str, str],
    pieces: Sequence[memoryview],
    stop: Stop,
) -> http.client.HTTPResponse:
    connection.putrequest("PUT", target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(sum(map(len, pieces))))
    connection.endheaders()
    # Who refuses may answer and close before all has arrived: then the answer says why.
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            for start in range(0, len(piece), _SLICE):
                stop.check()
                connection.sock.sendall(piece[start : start + _SLICE])
    return connection.getresponse()
