"""What S3's answers say of an object's content.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html has the rules.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_storage.stores.checksums import Checksum

__all__ = ["PART_SIZE", "checksums_of", "encoded", "is_plain", "md5_of"]

PART_SIZE = "part-size"
"""Name in an object's metadata of the size of its parts, which not every service tells."""

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_PARTS = re.compile(r'"?(.+?)-(\d+)"?')
_FIELDS = ("crc32c", "crc64nvme", "crc32", "sha256", "sha1")


def md5_of(answer: Mapping[str, Any], bucket: str) -> Checksum | None:
    """MD5 of an object's content, where its ETag is one.

    It is none for objects of several parts, for those encrypted with keys of AWS's key service or
    of the customer, and in directory buckets
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    match = _MD5.fullmatch(str(answer.get("ETag") or ""))
    if match is None or not is_plain(answer) or bucket.endswith("--x-s3"):
        return None
    return Checksum.known("md5", bytes.fromhex(match[1]))


def is_plain(answer: Mapping[str, Any]) -> bool:
    """Whether the ETag comes of the bytes as they were sent."""
    encryption = answer.get("ServerSideEncryption")
    return encryption in {None, "AES256"} and not answer.get("SSECustomerAlgorithm")


def checksums_of(
    answer: Mapping[str, Any], bucket: str, ask_part: Callable[[], int | None] = lambda: None
) -> Sequence[Checksum]:
    """All that is known of an object's content, the cheapest to compare first.

    Parameters
    ----------
    answer : mapping
        To a HEAD that asked for checksums.
    bucket : str
    ask_part : callable, optional
        Asks for the size of the first part; called where checksums are those of parts, and it is
        not in the metadata.
    """
    found = [*_whole(answer), md5_of(answer, bucket)]
    composites = list(_composites(answer))
    if composites and not any(found):
        size = int(answer["ContentLength"])
        part = _number(answer.get("Metadata", {}).get(PART_SIZE)) or ask_part()
        # An object may be of parts of several sizes, or the copy of one.
        found += [
            Checksum.known(algorithm, value, part)
            for algorithm, value, count in composites
            if part and -(-size // part) == count
        ]
    return sorted((checksum for checksum in found if checksum), key=lambda it: it.cost)


def encoded(value: bytes) -> str:
    """As S3 writes a checksum."""
    return base64.b64encode(value).decode()


def _whole(answer: Mapping[str, Any]) -> Iterator[Checksum | None]:
    for algorithm in _FIELDS:
        text = str(answer.get(f"Checksum{algorithm.upper()}") or "")
        if text and "-" not in text and answer.get("ChecksumType") != "COMPOSITE":
            yield Checksum.known(algorithm, _decoded(text))


def _composites(answer: Mapping[str, Any]) -> Iterator[tuple[str, bytes, int]]:
    for algorithm in _FIELDS:
        match = _PARTS.fullmatch(str(answer.get(f"Checksum{algorithm.upper()}") or ""))
        if match:
            yield algorithm, _decoded(match[1]), int(match[2])
    match = _PARTS.fullmatch(str(answer.get("ETag") or ""))
    if match and _MD5.fullmatch(match[1]) and is_plain(answer):
        yield "md5", bytes.fromhex(match[1]), int(match[2])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _number(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() else None
