"""Bytes on their way in: bodies of any length, at the pace of whatever takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from typing import Any, Protocol, cast

from tornado import web
from tornado.http1connection import HTTP1Connection

from jupyter_storage.errors import InvalidRequest, StorageError
from jupyter_storage.server.handler import StorageHandler

__all__ = ["ReceivingHandler", "Sink"]

PIECE = 2**20  # bytes handed to a thread at once
MOST = 2**50  # bytes of a streamed body
MOST_JSON = 2**20  # bytes of any other
DRAINED = 64 * 2**20  # bytes read in vain, so that a client reads why its upload is refused


class Sink(Protocol):
    """What takes a body: a writer, or a piece of an upload."""

    def write(self, data: bytes, /) -> Any:
        """Add bytes at the end."""

    def abort(self) -> Any:
        """The rest will not come."""


class Receiver:
    """Hands a body to a sink, in order, one piece being written while the next arrives.

    Parameters
    ----------
    call : callable
        Runs a blocking function in a thread.
    sink : Sink
    """

    def __init__(self, call: Callable[..., Awaitable[Any]], sink: Sink) -> None:
        self.sink = sink
        self._call = call
        self._buffer = bytearray()
        self._writing: asyncio.Future[Any] | None = None
        self._ended = False

    async def add(self, data: bytes) -> None:
        """Take bytes; returns when there is room for more."""
        self._buffer += data
        if len(self._buffer) >= PIECE:
            await self._write()

    async def end(self) -> None:
        """Write what is left, and wait until all is written."""
        if self._buffer:
            await self._write()
        await self._written()

    async def cut(self) -> None:
        """Give the sink all that arrived, and let go of it: an upload may be resumed there."""
        # What goes wrong now has nobody to be told to.
        with suppress(StorageError):
            await self.end()
        await self.abort()

    async def abort(self) -> None:
        """Let go of the sink; what is being written is waited for."""
        if self._ended:
            return
        self._ended = True
        self._buffer.clear()
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.exception()
        await self._call(self.sink.abort)

    async def _write(self) -> None:
        await self._written()
        if not self._ended:
            data, self._buffer = bytes(self._buffer), bytearray()
            self._writing = asyncio.ensure_future(self._call(self.sink.write, data))

    async def _written(self) -> None:
        if self._writing is not None:
            await self._writing


@web.stream_request_body
class ReceivingHandler(StorageHandler):
    """A handler one of whose verbs takes a body of any length.

    Attributes
    ----------
    streamed : str
        That verb. Bodies of other verbs are small and end up in ``request.body`` as ever.
    """

    streamed = "PUT"

    async def open_sink(self) -> Sink:
        """Open what takes the body; the path's parts are in ``path_args``."""
        raise NotImplementedError

    async def prepare(self, **options: Any) -> None:
        """Check the request, then open the sink, before any of the body is read."""
        self._receiver: Receiver | None = None
        self._refusal: BaseException | None = None
        self._drained = 0
        self._complete = False
        self.request.body = b""
        await super().prepare(**options)
        streamed = self.request.method == self.streamed
        connection = cast("HTTP1Connection", self.request.connection)
        connection.set_max_body_size(MOST if streamed else MOST_JSON)
        if not streamed:
            return
        # Tornado's pieces of 64 KiB take twice the processor time.
        connection.params = copy(connection.params)
        connection.params.chunk_size = connection.stream.read_chunk_size = PIECE
        try:
            self._receiver = Receiver(self.call, await self.open_sink())
            self.extension.receivers.add(self._receiver)
        except Exception as error:
            if self.request.headers.get("Expect", "").lower() == "100-continue":
                raise
            self._refusal = error

    async def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; the connection is not read until this returns."""
        if self._refusal is not None:
            self._drain(chunk, self._refusal)
        elif self._receiver is None:
            self.request.body += chunk
        else:
            try:
                await self._receiver.add(chunk)
            except Exception as error:
                self._refusal = error
                await self._receiver.abort()

    async def received(self) -> Any:
        """Give the sink with the whole body in it; whoever asks completes or aborts it."""
        self._complete = True
        if self._refusal is not None:
            raise self._refusal
        if self._receiver is None:
            raise InvalidRequest("The request has no body")
        try:
            await self._receiver.end()
        except BaseException:
            await self._receiver.abort()
            raise
        return self._receiver.sink

    def on_connection_close(self) -> None:
        """Let go of a body that will not be completed."""
        super().on_connection_close()
        if self._receiver is not None and not self._complete:
            self.extension.run(self._let_go(self._receiver), "Ending an upload that was cut")

    def on_finish(self) -> None:
        """Forget the body."""
        super().on_finish()
        self.extension.receivers.discard(getattr(self, "_receiver", None))

    async def _let_go(self, receiver: Receiver) -> None:
        try:
            await receiver.cut()
        finally:
            # A request that was cut never finishes.
            self.extension.receivers.discard(receiver)

    def _drain(self, chunk: bytes, refusal: BaseException) -> None:
        self._drained += len(chunk)
        if self._drained > DRAINED and not self._finished:
            self.log_exception(type(refusal), refusal, None)
            self.send_error(500, exc_info=(type(refusal), refusal, None))
