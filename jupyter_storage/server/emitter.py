"""Records that change become events, a few a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from logging import Logger
from typing import TYPE_CHECKING, Any

from jupyter_storage.records import Change, SnapshotStatus, TransferRecord
from jupyter_storage.server.wire import to_public

if TYPE_CHECKING:
    from jupyter_events import EventLogger

__all__ = ["FAILURES", "INTERVAL", "SCHEMAS", "Emitter"]

INTERVAL = 0.2  # seconds between two events about the same thing
FAILURES = 20  # failures in one event; the record has them all

SCHEMAS = {
    "transfer": "https://schema.jupyter-storage.dev/transfer",
    "snapshot": "https://schema.jupyter-storage.dev/snapshot",
    "change": "https://schema.jupyter-storage.dev/change",
}


class Emitter:
    """Hears of changes on any thread and emits them on the event loop.

    The first change is emitted at once; of those that follow within :data:`INTERVAL`, the last.
    Nothing that goes wrong here reaches the transfer that it is about.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Where events are emitted.
    events : EventLogger
        The server's; the schemas are registered with it.
    log : logging.Logger
        Told where an event cannot be emitted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, events: EventLogger, log: Logger) -> None:
        self._loop, self._events, self._log = loop, events, log
        self._waiting: dict[tuple[str, ...], Callable[[], None] | None] = {}
        self._closed = False

    def tell(self, kind: str, record: object) -> None:
        """Emit a record soon; the service calls this from its threads."""
        # The loop may close between the question and the call.
        with suppress(RuntimeError):
            if not self._closed:
                self._loop.call_soon_threadsafe(self._accept, kind, record)

    def close(self) -> None:
        """Emit nothing any more."""
        self._closed = True
        self._waiting.clear()

    def _accept(self, kind: str, record: object) -> None:
        topic = _topic(kind, record)
        if topic in self._waiting:
            self._waiting[topic] = lambda: self._emit(kind, record)
        elif not self._closed:
            self._waiting[topic] = None
            self._loop.call_later(INTERVAL, self._ripen, topic)
            self._emit(kind, record)

    def _ripen(self, topic: tuple[str, ...]) -> None:
        emit = self._waiting.pop(topic, None)
        if emit is not None and not self._closed:
            self._waiting[topic] = None
            self._loop.call_later(INTERVAL, self._ripen, topic)
            emit()

    def _emit(self, kind: str, record: object) -> None:
        try:
            self._events.emit(schema_id=SCHEMAS[kind], data=_data(record))
        except Exception as error:
            self._log.warning("An event about a %s could not be emitted: %s", kind, error)


def _topic(kind: str, record: object) -> tuple[str, ...]:
    if isinstance(record, TransferRecord):
        return kind, record.id
    if isinstance(record, Change):
        return kind, record.tier, record.directory
    if isinstance(record, SnapshotStatus):
        return kind, record.workspace
    return (kind,)


def _data(record: object) -> dict[str, Any]:
    data: dict[str, Any] = to_public(record)
    # A transfer may have a thousand failures, and every one would be sent with every step.
    for part in (data, data.get("last")):
        if isinstance(part, dict) and "failures" in part:
            part["failures"] = part["failures"][:FAILURES]
    return data
