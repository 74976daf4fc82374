"""Requests to Azure's blob storage with exact keys, through Azure's own library."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import obstore
from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    ContainerClient,
    ExponentialRetry,
    generate_blob_sas,
)

from jupyter_storage.errors import Unsupported
from jupyter_storage.stores.azure_identity import AzureIdentity
from jupyter_storage.stores.cloud_errors import from_answer, said_in_our_words
from jupyter_storage.stores.native import RETRY, TIMES, Native
from jupyter_storage.stores.pace import Pace
from jupyter_storage.stores.wire import Answer, Stop, Wire

if TYPE_CHECKING:
    from adlfs import AzureBlobFileSystem

__all__ = ["AzureClient"]

_VERSION = "2021-12-02"  # of the protocol, for requests of our own


class AzureClient:
    """One connection pool, and requests that raise our errors.

    Parameters
    ----------
    container : str
    options : mapping
        See ``JupyterStorage.store_options``.

    Attributes
    ----------
    pace : Pace
        How many bodies are under way at once; all that send or fetch some ask it.
    """

    def __init__(self, container: str, options: Mapping[str, Any]) -> None:
        self.name = container
        self._who = AzureIdentity(container, options)
        self.endpoint = self._who.endpoint
        # Who talks to the same account as the same person can copy inside of it.
        self.identity = (self.endpoint, repr(sorted(options.items())))
        self.pace = Pace()
        self._lock = threading.Lock()
        self._connected: ContainerClient | None = None
        self._lane: Native | None = None
        self._connections: Wire | None = None

    def container(self) -> ContainerClient:
        """Give the library's own client; to be used inside of :meth:`errors`."""
        with self._lock:
            if self._connected is None:
                self._connected = ContainerClient(
                    self.endpoint,
                    self.name,
                    credential=self._who.credential(),
                    # A tier's health check has five seconds.
                    retry_policy=ExponentialRetry(1, 1, 1, random_jitter_range=1),
                    connection_timeout=2,
                    read_timeout=30,
                )
            return self._connected

    def blob(self, object_key: str) -> BlobClient:
        """Give the library's client of one blob; to be used inside of :meth:`errors`."""
        return self.container().get_blob_client(object_key)

    def native(self) -> Native:
        """Give the lane that fetches bodies."""
        with self._lock:
            if self._lane is None:
                plain = self.endpoint.startswith("http:")
                self._lane = Native(
                    obstore.store.AzureStore(
                        self.name,
                        account_name=self._who.account or "anonymous",
                        endpoint=self.endpoint,
                        client_options={**TIMES, "allow_http": plain},
                        retry_config=RETRY,
                        **self._who.native(),
                    )
                )
            return self._lane

    def wire(self) -> Wire | None:
        """Give connections that uploads are sent over; None where only the library's will do."""
        with self._lock:
            if self._connections is None:
                self._connections = Wire(self.endpoint)
            return self._connections if self._connections.is_direct else None

    def put(
        self,
        wire: Wire,
        key: str,
        object_key: str,
        *,
        query: str = "",
        headers: Mapping[str, str],
        pieces: Sequence[memoryview],
        stop: Stop,
    ) -> Answer:
        """Send a body.

        Parameters
        ----------
        wire : Wire
        key, object_key : str
            As callers know it, and as the container does.
        query : str
        headers : mapping
        pieces : sequence of memoryview
            The body.
        stop : Stop
            Ends it at any moment, from another thread.
        """
        with self.errors(key):
            permission, allowed = self._who.permission()
            path = f"{quote(self.name)}/{quote(object_key, safe='/~')}"
            url = f"{self.endpoint}/{path}?{'&'.join(filter(None, (query, permission)))}"
            answer = wire.put(url, {"x-ms-version": _VERSION, **allowed, **headers}, pieces, stop)
        if answer.status != 201:
            raise from_answer(answer.status, answer.body, key=key)
        return answer

    def sign(self, key: str, object_key: str, expires: int) -> str:
        """Make a URL that carries its own permission for ``expires`` seconds."""
        if not self._who.key:
            raise Unsupported(
                "These credentials cannot make links",
                path=key,
                hint="Links are signed with the account's key ('account_key_env').",
            )
        with self.errors(key):
            query = generate_blob_sas(
                self._who.account,
                self.name,
                object_key,
                account_key=self._who.key,
                permission=BlobSasPermissions(read=True),
                expiry=datetime.now(timezone.utc) + timedelta(seconds=expires),
            )
            return f"{self.endpoint}/{quote(self.name)}/{quote(object_key, safe='/~')}?{query}"

    def errors(self, key: str) -> AbstractContextManager[None]:
        """Turn the libraries' errors into ours."""
        return said_in_our_words(key, self.name, self.endpoint)

    def filesystem(self) -> AzureBlobFileSystem:
        """Make a file system for a person's own code."""
        return self._who.filesystem()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._connected = self._connected, None
            wire, self._connections = self._connections, None
        if client is not None:
            client.close()
        if wire is not None:
            wire.close()
