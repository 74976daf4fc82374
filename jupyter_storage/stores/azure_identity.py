"""Who one is to Azure, and where the account is: resolved once, for every lane."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from jupyter_storage.errors import CredentialsMissing, InvalidRequest, NotConfigured

if TYPE_CHECKING:
    from adlfs import AzureBlobFileSystem

__all__ = ["AzureIdentity"]

_SECRETS = ("connection_string_env", "account_key_env", "sas_token_env")
_LIFE = timedelta(hours=1)  # of the permission that uploads carry
_SCOPE = "https://storage.azure.com/.default"


class AzureIdentity:
    """Account, endpoint and credentials of a container, by its options and the environment.

    Parameters
    ----------
    container : str
    options : mapping
        See ``JupyterStorage.store_options``; what is not known here is for adlfs alone.

    Attributes
    ----------
    account : str
    endpoint : str
        Address of the account, without a slash at its end.
    key : str or None
        Of the account.
    anonymous : bool

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    NotConfigured
        If no account is named.
    """

    def __init__(self, container: str, options: Mapping[str, Any]) -> None:
        self._container = container
        self._more = dict(options)
        secrets = {name: self._secret(name) for name in _SECRETS}
        account = self._more.pop("account_name", None)
        endpoint = self._more.pop("endpoint_url", None)
        self.anonymous = bool(self._more.pop("anonymous", False))
        named = account or self.anonymous or any(secrets.values())
        text = secrets["connection_string_env"]
        if text is None and not named:
            text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        known = _connection(text or "")
        theirs = _first("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
        self.account = str(account or known.get("accountname") or theirs)
        self.key = secrets["account_key_env"] or known.get("accountkey")
        self._sas = secrets["sas_token_env"] or known.get("sharedaccesssignature")
        if not (self.key or self._sas) and self.account == theirs and not self.anonymous:
            # Those of the environment belong to its own account.
            self.key = _first("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY") or None
            self._sas = _first("AZURE_STORAGE_SAS_TOKEN") or None
        if self.anonymous:
            self.key = self._sas = None
        self._sas = self._sas.lstrip("?") if self._sas else None
        address = endpoint or known.get("blobendpoint") or self._address(known)
        self.endpoint = str(address).rstrip("/")
        self._lock = threading.Lock()
        self._token: Any = None
        self._permission: tuple[str, datetime] | None = None

    def credential(self) -> Any:
        """What the cloud's own library signs with."""
        if self.key:
            return {"account_name": self.account, "account_key": self.key}
        if self._sas:
            from azure.core.credentials import AzureSasCredential

            return AzureSasCredential(self._sas)
        return None if self.anonymous else self._token_credential()

    def native(self) -> dict[str, Any]:
        """What signs requests, as obstore wants it."""
        if self.anonymous:
            return {"skip_signature": True}
        return {"credential_provider": self._provide}

    def permission(self) -> tuple[str, dict[str, str]]:
        """What allows an upload: the query and the headers of its request."""
        if self.key:
            return self._container_permission(), {}
        if self._sas:
            return self._sas, {}
        if self.anonymous:
            return "", {}
        token = self._token_credential().get_token(_SCOPE).token
        return "", {"Authorization": f"Bearer {token}"}

    def filesystem(self) -> AzureBlobFileSystem:
        """Make a file system for a person's own code."""
        from adlfs import AzureBlobFileSystem

        arguments = {"use_listings_cache": False, **self._more}
        if self.key or self._sas:
            secret = f"AccountKey={self.key}" if self.key else f"SharedAccessSignature={self._sas}"
            where = f"AccountName={self.account};BlobEndpoint={self.endpoint}"
            arguments["connection_string"] = f"{where};{secret}"
        else:
            arguments |= {"account_name": self.account, "anon": self.anonymous}
            arguments["account_host"] = self.endpoint.partition("://")[2]
        try:
            return AzureBlobFileSystem(**arguments, skip_instance_cache=True)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(
                "The options of this container are wrong",
                hint="See 'store_options' in the documentation of the configuration.",
            ) from error

    def _secret(self, option: str) -> str | None:
        name = self._more.pop(option, None)
        if name is None:
            return None
        value = os.environ.get(str(name))
        if not value:
            raise CredentialsMissing(
                f"The environment variable {name} is not set",
                path=f"az://{self._container}",
                hint=f"Set it, or change '{option}' in the options of 'az://{self._container}'.",
            )
        return value

    def _address(self, known: Mapping[str, str]) -> str:
        if not self.account:
            raise NotConfigured(
                f"No storage account is named for the container '{self._container}'",
                path=f"az://{self._container}",
                hint="Set AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING, or "
                f"'account_name' in the options of 'az://{self._container}'.",
            )
        scheme = known.get("defaultendpointsprotocol", "https")
        suffix = known.get("endpointsuffix", "core.windows.net")
        return f"{scheme}://{self.account}.blob.{suffix}"

    def _token_credential(self) -> Any:
        """Environment, workload and managed identity, the Azure CLI: what Azure itself tries."""
        with self._lock:
            if self._token is None:
                from azure.identity import DefaultAzureCredential

                self._token = DefaultAzureCredential()
            return self._token

    def _provide(self) -> dict[str, Any]:
        if self.key:
            return {"access_key": self.key, "expires_at": None}
        if self._sas:
            return {"sas_token": self._sas, "expires_at": None}
        found = self._token_credential().get_token(_SCOPE)
        expires = datetime.fromtimestamp(found.expires_on, timezone.utc)
        return {"token": found.token, "expires_at": expires}

    def _container_permission(self) -> str:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        now = datetime.now(timezone.utc)
        with self._lock:
            if self._permission is None or self._permission[1] < now + _LIFE / 2:
                expires = now + _LIFE
                query = generate_container_sas(
                    self.account,
                    self._container,
                    account_key=self.key,
                    permission=ContainerSasPermissions(create=True, write=True),
                    expiry=expires,
                )
                self._permission = (query, expires)
            return self._permission[0]


def _connection(text: str) -> dict[str, str]:
    """Take a connection string apart."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if value.strip()}


def _first(*names: str) -> str:
    return next(filter(None, map(os.environ.get, names)), "")
