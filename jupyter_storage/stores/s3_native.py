"""The lane to S3 for bodies, see :mod:`jupyter_storage.stores.native`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import obstore

from jupyter_storage.stores.native import RETRY, TIMES, Native
from jupyter_storage.stores.s3_identity import S3Identity

__all__ = ["open_native"]

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


def open_native(
    client: Any, who: S3Identity, bucket: str, options: Mapping[str, Any]
) -> Native | None:
    """Make the lane for a bucket; None where only botocore can do it.

    Parameters
    ----------
    client : botocore's
        Knows endpoint and region.
    who : S3Identity
    bucket : str
    options : mapping
        Of the bucket, as configured.
    """
    if not _KNOWN.issuperset(options):
        return None
    if not _BUCKET.fullmatch(bucket) or bucket.endswith("--x-s3"):
        return None
    meta = client.meta
    plain = meta.endpoint_url.startswith("http:")
    if os.environ.get("AWS_CA_BUNDLE") and not plain:
        return None  # only botocore trusts what it names
    identity: dict[str, Any] = (
        {"skip_signature": True} if who.anonymous else {"credential_provider": who.credentials}
    )
    store = obstore.store.S3Store(
        bucket,
        endpoint=meta.endpoint_url,
        region=meta.region_name or "us-east-1",
        virtual_hosted_style_request=False,
        client_options={**TIMES, "allow_http": plain},
        retry_config=RETRY,
        **identity,
    )
    return Native(store)
