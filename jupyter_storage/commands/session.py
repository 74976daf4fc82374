"""The services that commands call, opened at first use."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.errors import InvalidRequest

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_storage.service import Service

__all__ = ["PREFIX", "Session", "session", "split_options"]

PREFIX = "--JupyterStorage."


class Session:
    """Opens a service for each project directory, number of workers and set of options."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, int, int, str], Service] = {}
        self._lock = threading.Lock()

    def service(
        self,
        options: Config | None = None,
        *,
        project: Path | None = None,
        concurrency: int | None = None,
        bandwidth: int | None = None,
    ) -> Service:
        """Give the service for the configuration as it is now.

        Parameters
        ----------
        options : Config, optional
            From the command line; see :func:`split_options`.
        project : Path, optional
            Project directory; else the server's, else the current directory.
        concurrency : int, optional
            Files at the same time.
        bandwidth : int, optional
            Bytes a second that transfers may move.

        Raises
        ------
        InvalidRequest
            If the configuration is wrong.
        """
        from jupyter_storage.config import load_config, resolve
        from jupyter_storage.service import Service

        settings = resolve(config=load_config(), command_line=options, project=project)
        if concurrency is not None:
            settings = replace(settings, concurrency=concurrency)
        if bandwidth is not None:
            settings = replace(settings, bandwidth=bandwidth)
        key = (str(settings.project), settings.concurrency, settings.bandwidth, str(options))
        with self._lock:
            service = self._services.get(key)
            if service is None or service.settings != settings:
                # A kernel may change its environment between two cells.
                if service is not None:
                    service.close()
                service = self._services[key] = Service(settings)
            return service

    def close(self) -> None:
        """Stop what runs and give back connections."""
        with self._lock:
            services, self._services = list(self._services.values()), {}
        for service in services:
            service.close()


session = Session()
"""The one of this process."""


def split_options(words: list[str]) -> tuple[list[str], Config | None]:
    """Take options such as ``--JupyterStorage.root=/data`` out of a command's words.

    Returns
    -------
    tuple
        The other words, and the options or None.

    Raises
    ------
    InvalidRequest
        For an option that does not exist or has no value.
    """
    end = words.index("--") if "--" in words else len(words)
    given = [word for word in words[:end] if word.startswith(PREFIX)]
    if not given:
        return words, None
    from traitlets.config import Config
    from traitlets.config.loader import DeferredConfigString

    from jupyter_storage.config import JupyterStorage

    known = JupyterStorage.class_traits(config=True)
    values = {}
    for word in given:
        name, equals, value = word.removeprefix(PREFIX).partition("=")
        if name not in known:
            raise InvalidRequest(
                f"There is no option '{PREFIX}{name}'",
                hint=f"The options are: {', '.join(sorted(known))}.",
            )
        if not equals:
            raise InvalidRequest(
                f"The option '{word}' lacks a value", hint=f"Write it '{word}=VALUE'."
            )
        values[name] = DeferredConfigString(value)
    rest = [word for word in words[:end] if not word.startswith(PREFIX)]
    return rest + words[end:], Config({"JupyterStorage": values})
