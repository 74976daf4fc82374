"""A door between clients and a server, which can be shut and opened: the server is stopped."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Gate:
    """Passes bytes on to a server, until it is shut: then connections are cut and refused.

    Parameters
    ----------
    endpoint : str
        Of the server.
    """

    def __init__(self, endpoint: str) -> None:
        there = urlsplit(endpoint)
        self._there = (there.hostname or "", there.port or 80)
        self._lock = threading.Lock()
        self._passing: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.open()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(128)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
            passing, self._passing = self._passing, set()
        for each in ([listener] if listener else []) + list(passing):
            # Threads that wait for it are woken, and close it: nobody else may, for a number that
            # is closed is used again.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with listener, suppress(OSError):
            while True:
                here, _ = listener.accept()
                threading.Thread(target=self._serve, args=(here, listener), daemon=True).start()

    def _serve(self, here: socket.socket, listener: socket.socket) -> None:
        with here, suppress(OSError), socket.create_connection(self._there, timeout=30) as there:
            there.settimeout(None)
            ends = {here, there}
            with self._lock:
                if self._listener is not listener:
                    return
                self._passing |= ends
            back = threading.Thread(target=_pass, args=(there, here), daemon=True)
            back.start()
            _pass(here, there)
            back.join()
            with self._lock:
                self._passing -= ends


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(2**16):
            target.sendall(piece)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
