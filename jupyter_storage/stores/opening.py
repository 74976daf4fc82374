"""From a URI to a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_storage.errors import NotConfigured
from jupyter_storage.paths import clean_key, split_uri
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.store import Store

__all__ = ["ENTRY_POINTS", "open_store"]

ENTRY_POINTS = "jupyter_storage.stores"
"""Group of entry points, each named by a scheme: a callable ``(uri, options) -> Store``."""


def open_store(uri: str, options: Mapping[str, Any] = MappingProxyType({})) -> Store:
    """Open the store that a URI names. Nothing is asked of it yet.

    Parameters
    ----------
    uri : str
        ``file:///directory``, ``s3://bucket/prefix``, ``gs://bucket/prefix``,
        ``az://container/prefix``, a scheme that an entry point of the group :data:`ENTRY_POINTS`
        serves, or one of any fsspec protocol.
    options : mapping, optional
        See ``JupyterStorage.store_options``.

    Returns
    -------
    Store

    Raises
    ------
    InvalidPath
        If the URI cannot be understood.
    CredentialsMissing
        If an environment variable that the options name is not set.
    NotConfigured
        If the protocol's package is not installed.
    """
    scheme, bucket, key = split_uri(uri)
    if scheme == "file":
        return LocalStore(Path("/" + key))
    # The stores below bring the libraries of a whole cloud: only who uses them waits for them.
    if scheme == "s3":
        from jupyter_storage.stores.s3 import S3Store

        return S3Store(bucket, clean_key(key), options)
    if scheme == "gs":
        from jupyter_storage.stores.gcs import GCSStore

        return GCSStore(bucket, clean_key(key), options)
    if scheme == "az":
        try:
            from jupyter_storage.stores.azure import AzureStore
        except ImportError as error:
            raise NotConfigured(
                "The packages for Azure are not installed",
                path=uri,
                hint="Install them: pip install 'jupyter-storage[azure]'",
            ) from error

        return AzureStore(bucket, clean_key(key), options)
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=ENTRY_POINTS, name=scheme):
        return _load(entry_point.load(), uri, options)
    from jupyter_storage.stores.any import AnyStore

    return AnyStore(uri, options)


def _load(factory: Any, uri: str, options: Mapping[str, Any]) -> Store:
    store = factory(uri, options)
    if not isinstance(store, Store):
        raise NotConfigured(
            f"The plug-in for this protocol gave a {type(store).__name__}, not a store", path=uri
        )
    return store
