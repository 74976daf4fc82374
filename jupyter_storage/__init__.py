"""Storage tiers, fast transfers and continuous workspace snapshots for Jupyter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_storage.library import Storage, fs, open, path  # noqa: A004

__all__ = ["Storage", "fs", "open", "path"]


def __getattr__(name: str) -> Any:
    """Import what a person's code uses when it is used: Jupyter only asks for the paths below."""
    if name in __all__:
        from jupyter_storage import library

        return getattr(library, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell jupyter_server where the extension is."""
    # Importing the server costs half a second, which a command need not pay.
    from jupyter_storage.server.app import StorageApp

    return [{"module": "jupyter_storage", "app": StorageApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end is."""
    return [{"src": "labextension", "dest": "jupyter-storage"}]
