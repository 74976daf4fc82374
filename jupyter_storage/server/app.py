"""The server extension: wires the service to the handlers, and to the server's life."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import ensure_async

from jupyter_storage.config import JupyterStorage, resolve
from jupyter_storage.errors import StorageError, Unreachable
from jupyter_storage.redact import RedactingFilter, redact
from jupyter_storage.server import (
    archive,
    batches,
    experiments,
    files,
    links,
    looking,
    openapi,
    snapshots,
    storages,
    tiers,
    transfers,
    trash,
    uploads,
    usage,
)
from jupyter_storage.server.checkpoints import offer_versions
from jupyter_storage.server.emitter import SCHEMAS, Emitter
from jupyter_storage.server.receiving import Receiver
from jupyter_storage.server.tickets import Tickets
from jupyter_storage.service import Service

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_storage.snapshots.workspace import Workspace
    from jupyter_storage.uploads import Uploads

__all__ = ["BASE", "ROUTES", "StorageApp"]

BASE = "/jupyter-storage/api/v1/"
ROUTES: list[tuple[str, type]] = [
    (BASE + pattern, handler)
    for module in (
        tiers,
        files,
        looking,
        batches,
        uploads,
        archive,
        links,
        transfers,
        trash,
        usage,
        snapshots,
        storages,
        experiments,
        openapi,
    )
    for pattern, handler in module.ROUTES
]

WORKERS = 32
"""Blocking calls at the same time: enough for the slow ones not to hold up the quick ones."""

STOP = 5.0
"""Seconds that everything else has when the server stops, beside the last snapshot."""

LOOK = 1.0
"""Seconds between two looks at what kernels do."""

T = TypeVar("T")


class StorageApp(ExtensionApp):
    """Jupyter Storage as an extension of Jupyter Server."""

    name = "jupyter_storage"
    description = "Storage tiers, fast transfers and continuous workspace snapshots."
    load_other_extensions = True
    # Registered here so that --help-all tells of the options.
    classes = [JupyterStorage]  # noqa: RUF012
    config_file_name = "jupyter_storage_config"

    tickets: Tickets
    commits: dict[str, asyncio.Task[Any]]
    receivers: set[Receiver]

    def initialize_settings(self) -> None:
        """Resolve the configuration and make the service; nothing here waits for a network."""
        self.tickets = Tickets()
        self.commits = {}
        self.receivers = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._emitter: Emitter | None = None
        self._heeding: asyncio.Task[None] | None = None
        self._service: Service | None = None
        self._problem: StorageError | None = None
        self._stopping = False
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="jupyter-storage")
        self._redacting = RedactingFilter()
        for logger in (self.log, logging.getLogger("jupyter_storage")):
            logger.addFilter(self._redacting)
        try:
            self._service = self._make_service()
        except StorageError as error:
            # The server is more than this extension: it starts, and every request says why.
            self._problem = error
            self.log.error("Jupyter Storage cannot work: %s. %s", error, error.hint)
        except Exception as error:
            self._problem = StorageError("It could not start", hint="The server's log says why.")
            self.log_failure("The start", error)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(ROUTES)

    @property
    def service(self) -> Service:
        """The service.

        Raises
        ------
        StorageError
            What is wrong with the configuration, if something is.
        """
        if self._service is None:
            raise self._problem or Unreachable("The server is starting", hint="Try again.")
        return self._service

    def publish(self) -> None:
        """Tell kernels and terminals that start from now on: they inherit the environment."""
        os.environ.update(self.service.environment())

    def workspace(self) -> Workspace:
        """Snapshots of the project directory; to be called in a thread."""
        return self.service.snapshots

    def uploads(self) -> Uploads:
        """Resumable uploads; to be called in a thread."""
        return self.service.uploads

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call something that blocks, in the extension's own threads."""
        try:
            future = self._pool.submit(partial(function, *args, **kwargs))
        except RuntimeError as error:
            raise Unreachable(
                "The server is stopping", hint="Try again on the next one."
            ) from error
        return await asyncio.wrap_future(future)

    def run(self, work: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        """Run something that no request waits for; a failure is logged."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(partial(self._ended, what))
        return task

    def current_activity(self) -> list[str] | None:
        """Transfers that run: an idle server is not shut down under them."""
        if self._service is None:
            return None
        ended = {"done", "partial", "failed", "cancelled"}
        return [record.id for record in self._service.transfers() if record.state not in ended]

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start what runs in the background, now that the event loop does."""
        if self._service is None:
            return
        events = serverapp.event_logger
        assert events is not None  # noqa: S101  made before extensions start
        for kind in SCHEMAS:
            if SCHEMAS[kind] not in events.schemas:
                schema = Path(__file__).parent / "event_schemas" / f"{kind}.yaml"
                events.register_event_schema(schema)
        settings = self._service.settings
        if settings.snapshots and settings.snapshot_checkpoints:
            offer_versions(self, serverapp.contents_manager)
        self._emitter = Emitter(asyncio.get_running_loop(), events, self.log)
        self.run(self.call(self._start, self._service), "Starting")
        self.run(self.call(self._service.bring_back), "Bringing back mounts")
        self.run(self.call(self._service.expire_trash), "Emptying the trash of what is old")
        if settings.busy_bandwidth:
            self._heeding = self.run(self._heed(self._service), "Heeding kernels")

    async def stop_extension(self) -> None:
        """Take the last snapshot, stop transfers, give back threads and connections."""
        service, self._service = getattr(self, "_service", None), None
        if getattr(self, "_stopping", True):
            return
        self._stopping = True
        self._problem = _stopping()
        if self._heeding is not None:
            self._heeding.cancel()
        for receiver in list(self.receivers):
            self.run(receiver.cut(), "Ending an upload")
        if service is not None:
            self.run(self.call(service.stop_snapshots), "The last snapshot")
            self.run(self.call(service.close), "Stopping transfers")
        if self._background:
            # Whatever still waits for a network must not keep the server from stopping.
            snapshot = service.settings.snapshot_shutdown_timeout if service else 0.0
            await asyncio.wait(self._background, timeout=snapshot + STOP)
        if self._emitter is not None:
            self._emitter.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for logger in (self.log, logging.getLogger("jupyter_storage")):
            logger.removeFilter(self._redacting)

    async def _heed(self, service: Service) -> None:
        """Look once a second whether a kernel is busy: then transfers leave it more room."""
        assert self.serverapp is not None  # noqa: S101  linked before it is started
        kernels: Any = self.serverapp.kernel_manager
        try:
            while True:
                models = await ensure_async(kernels.list_kernels())
                service.heed(busy=any(model["execution_state"] == "busy" for model in models))
                await asyncio.sleep(LOOK)
        finally:
            service.heed(busy=False)

    def log_failure(self, what: str, error: BaseException) -> None:
        """Log an error: one line for those we know, with a traceback for the others."""
        if isinstance(error, StorageError):
            self.log.warning("%s: %s. %s", what, error, error.hint)
        else:
            # Formatted here, since a logging filter does not see tracebacks.
            text = "".join(traceback.format_exception(error))
            self.log.error("%s failed\n%s", what, redact(text))

    def _make_service(self) -> Service:
        assert self.serverapp is not None  # noqa: S101  linked before it is initialized
        settings = resolve(
            config=self.serverapp.config,
            command_line=self.serverapp.cli_config,
            project=Path(self.serverapp.root_dir),
        )
        service = Service(settings, listener=self._heard)
        os.environ.update(service.environment())
        return service

    def _heard(self, kind: str, record: object) -> None:
        if self._emitter is not None:
            self._emitter.tell(kind, record)

    def _start(self, service: Service) -> None:
        service.prepare()
        self.workspace().start()

    def _ended(self, what: str, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log_failure(what, error)


def _stopping() -> Unreachable:
    return Unreachable("The server is stopping", hint="Try again when it is back.")
