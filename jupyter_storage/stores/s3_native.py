"""The lane to S3 for bodies, see :mod:`jupyter_storage.stores.native`."""

from __future__ import annotations

import os
from typing import Any

import obstore

from jupyter_storage.stores.native import RETRY, TIMES, Native
from jupyter_storage.stores.s3_identity import S3Identity

__all__ = ["open_native"]


def open_native(who: S3Identity, bucket: str, endpoint: str, region: str) -> Native | None:
    """Make the lane for a bucket; None where only botocore can do it.

    Parameters
    ----------
    who : S3Identity
    bucket : str
    endpoint, region : str
        Where the bucket is.
    """
    if not who.is_ordinary:
        return None
    plain = endpoint.startswith("http:")
    if os.environ.get("AWS_CA_BUNDLE") and not plain:
        return None  # only botocore trusts what it names
    identity: dict[str, Any] = (
        {"skip_signature": True} if who.anonymous else {"credential_provider": who.credentials}
    )
    store = obstore.store.S3Store(
        bucket,
        endpoint=endpoint,
        region=region,
        virtual_hosted_style_request=False,
        client_options={**TIMES, "allow_http": plain},
        retry_config=RETRY,
        **identity,
    )
    return Native(store)
