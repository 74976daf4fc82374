"""Who one is to S3, and where the service is: resolved once, for every lane."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_storage.errors import CredentialsMissing, InvalidRequest
from jupyter_storage.stores.s3_plain import Plain, plain_identity

# botocore is imported where it is needed: it takes half a second of the processor.
if TYPE_CHECKING:
    from botocore.session import Session
    from s3fs import S3FileSystem

__all__ = ["AMAZON", "S3Identity", "is_amazon"]

AMAZON = "Amazon S3"

# A tier's health check has five seconds, and botocore tries twice.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "max_pool_connections": 64,
    # Newer checksums are unknown to many S3 services; ours are sent as Content-MD5.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
# With any other option, a request may need what only botocore knows.
_KNOWN = frozenset(
    {
        "access_key_env",
        "anonymous",
        "endpoint_url",
        "profile",
        "region",
        "secret_key_env",
        "session_token_env",
    }
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REFRESH = timedelta(minutes=5)  # botocore renews what expires; so often it is asked again
_SECRETS = {
    "access_key_env": "key",
    "secret_key_env": "secret",
    "session_token_env": "token",
}


class S3Identity:
    """Credentials, region and endpoint of a bucket, by its options and the environment.

    Parameters
    ----------
    bucket : str
    options : mapping
        See ``JupyterStorage.store_options``; what is not known here is for s3fs alone.

    Attributes
    ----------
    endpoint : str
        Where the service is, if it is not Amazon's; else empty.
    anonymous : bool
    is_ordinary : bool
        Whether others than botocore know all that a request to this bucket needs.

    Raises
    ------
    CredentialsMissing
        If an environment variable that the options name is not set.
    """

    def __init__(self, bucket: str, options: Mapping[str, Any]) -> None:
        self._arguments = _arguments(bucket, options)
        self._bucket = bucket
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self.endpoint = str(self._arguments.get("endpoint_url") or endpoint or "")
        self.anonymous = bool(self._arguments.get("anon"))
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._additions: dict[str, dict[str, Any]] = {}
        self.is_ordinary = (
            _KNOWN.issuperset(options)
            and _BUCKET.fullmatch(bucket) is not None
            and not bucket.endswith("--x-s3")
        )
        self._plain: tuple[Plain | None] | None = None

    def plain(self) -> Plain | None:
        """Who one is, where that takes no more than to read it."""
        with self._lock:
            if self._plain is None:
                self._plain = (self._read(),)
            return self._plain[0]

    def _read(self) -> Plain | None:
        if not self.is_ordinary:
            return None
        told = self._arguments
        key, secret, token = (str(told.get(name) or "") for name in ("key", "secret", "token"))
        return plain_identity(
            endpoint=self.endpoint,
            region=str(told.get("client_kwargs", {}).get("region_name") or ""),
            profile=told.get("profile"),
            keys=(key, secret, token) if key else None,
            anonymous=self.anonymous,
        )

    def connect(self) -> Any:
        """Make botocore's client."""
        from botocore import UNSIGNED
        from botocore.config import Config

        config = {**_CONFIG, **self._arguments.get("config_kwargs", {})}
        if self.anonymous:
            config["signature_version"] = UNSIGNED
        elif not self._bucket.endswith("--x-s3"):  # directory buckets sign in a way of their own
            # Else botocore signs links as newer buckets no longer accept.
            config.setdefault("signature_version", "s3v4")
        return self._opened().create_client(
            "s3",
            endpoint_url=self._arguments.get("endpoint_url"),
            use_ssl=self._arguments.get("use_ssl", True),
            config=Config(**config),
            **self._arguments.get("client_kwargs", {}),
        )

    def additions(self, client: Any, method: str) -> dict[str, Any]:
        """What the options add to each request of a kind: who pays, how it is encrypted."""
        more = dict(self._arguments.get("s3_additional_kwargs") or {})
        if self._arguments.get("requester_pays"):
            more["RequestPayer"] = "requester"
        if not more:
            return more
        if method not in self._additions:
            from botocore import xform_name

            model = client.meta.service_model
            names = {xform_name(name): name for name in model.operation_names}
            members = model.operation_model(names[method]).input_shape.members
            self._additions[method] = {name: more[name] for name in more if name in members}
        return self._additions[method]

    def credentials(self) -> dict[str, Any]:
        """What signs requests now, as obstore wants it."""
        plain = self.plain()
        if plain is not None:
            key, secret, token = plain.access_key, plain.secret_key, plain.token or None
        else:
            found = self._opened().get_credentials()
            if found is None:
                from botocore.exceptions import NoCredentialsError

                raise NoCredentialsError
            key, secret, token, *_ = found.get_frozen_credentials()
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": token,
            "expires_at": datetime.now(timezone.utc) + _REFRESH,
        }

    def filesystem(self) -> S3FileSystem:
        """Make a file system for a person's own code."""
        from s3fs import S3FileSystem

        arguments = {"use_listings_cache": False, **self._arguments}
        try:
            return S3FileSystem(**arguments, skip_instance_cache=True)
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidRequest(
                f"The options of this bucket are wrong: {error}",
                hint="See 'store_options' in the documentation of the configuration.",
            ) from error

    def _opened(self) -> Session:
        with self._lock:
            if self._session is None:
                from botocore.session import Session

                session = Session(profile=self._arguments.get("profile"))
                if self._arguments.get("key"):
                    session.set_credentials(
                        self._arguments["key"],
                        self._arguments.get("secret"),
                        self._arguments.get("token"),
                    )
                self._session = session
            return self._session


def is_amazon(endpoint: str) -> bool:
    """Whether an endpoint is Amazon's own."""
    host = urlsplit(endpoint).hostname or ""
    return endpoint == AMAZON or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _arguments(bucket: str, options: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(options)
    for option, argument in _SECRETS.items():
        name = arguments.pop(option, None)
        if name is None:
            continue
        value = os.environ.get(str(name))
        if not value:
            raise CredentialsMissing(
                f"The environment variable {name} is not set",
                path=f"s3://{bucket}",
                hint=f"Set it, or change '{option}' in the options of 's3://{bucket}'.",
            )
        arguments[argument] = value
    if arguments.pop("anonymous", False):
        arguments["anon"] = True
    region = arguments.pop("region", None) or os.environ.get("AWS_REGION")
    if region:
        client = dict(arguments.get("client_kwargs", {}))
        arguments["client_kwargs"] = {"region_name": region, **client}
    return arguments
