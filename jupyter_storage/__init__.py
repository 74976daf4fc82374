"""Storage tiers, fast transfers and continuous workspace snapshots for Jupyter."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell jupyter_server where the extension is."""
    # Importing the server costs half a second, which a command need not pay.
    from jupyter_storage.server.app import StorageApp

    return [{"module": "jupyter_storage", "app": StorageApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end is."""
    return [{"src": "labextension", "dest": "jupyter-storage"}]
