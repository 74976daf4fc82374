"""What a copy costs where a cloud's bucket is at one end; pure, so that it can be tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["estimate_cost", "is_billed"]

_CLOUDS = ("s3://", "gs://", "az://", "abfs://", "abfss://")

# US dollars, list prices of Amazon, Google and Microsoft for standard storage in the US: the same
# to the digit that an estimate needs.
WRITE = 0.005 / 1000  # a request that writes
READ = 0.0004 / 1000  # a request that reads
REGION = 0.02 / 10**9  # a byte from one region to another

PART = 16 * 2**20
"""Bytes of a request, about; large files take many."""


def is_billed(uri: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether a store is a cloud's bucket: one behind an address of its own is somebody else's.

    Parameters
    ----------
    uri : str
        The store's.
    options : mapping
        Its options.
    environ : mapping
        Environment variables, which may name another address, too.
    """
    if not uri.startswith(_CLOUDS) or options.get("endpoint_url"):
        return False
    return not (environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"))


def estimate_cost(files: int, size: int, *, reads: bool, writes: bool, crosses: bool) -> float:
    """Estimate what a cloud will ask for a copy.

    What it asks for data that leaves it for the internet is not in it: whether this machine is
    in the cloud, nobody tells us.

    Parameters
    ----------
    files, size : int
        How many files, and their bytes.
    reads, writes : bool
        Whether the files come from a cloud's bucket, and go to one.
    crosses : bool
        Whether the ends are in different regions.

    Returns
    -------
    float
        US dollars.
    """
    requests = files + size // PART
    return requests * (READ * reads + WRITE * writes) + size * REGION * crosses
