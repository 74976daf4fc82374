"""The requests to S3 that commands wait for, without botocore.

botocore takes half a second of the processor to load, and a millisecond for each request. What is
asked most is asked here, where keys, region and endpoint are plain (see :mod:`s3_plain`). Anything
else, and any answer but a plain yes or no, is botocore's: it asks again, and knows what to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from jupyter_storage.stores.cloud_errors import from_answer
from jupyter_storage.stores.s3_listing import answered
from jupyter_storage.stores.s3_plain import Plain
from jupyter_storage.stores.s3_signing import Signer
from jupyter_storage.stores.wire import Answer, NotConnected, Wire, WireError

__all__ = ["Direct", "Unsettled"]

_PAUSE = 60.0  # seconds in which nothing is asked here after the service was not reached

# What answers to which headers are called in botocore, and so in all that is above.
_MEMBERS = {
    "etag": "ETag",
    "content-type": "ContentType",
    "x-amz-checksum-algorithm": "ChecksumAlgorithm",
    "x-amz-checksum-crc32": "ChecksumCRC32",
    "x-amz-checksum-crc32c": "ChecksumCRC32C",
    "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
    "x-amz-checksum-sha1": "ChecksumSHA1",
    "x-amz-checksum-sha256": "ChecksumSHA256",
    "x-amz-checksum-type": "ChecksumType",
    "x-amz-mp-parts-count": "PartsCount",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-storage-class": "StorageClass",
    "x-amz-version-id": "VersionId",
}
_METADATA = "x-amz-meta-"
_HEADERS = {
    "ChecksumAlgorithm": "x-amz-checksum-algorithm",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumType": "x-amz-checksum-type",
    "ContentMD5": "Content-MD5",
    "IfNoneMatch": "If-None-Match",
}
_QUERY = {
    "ContinuationToken": "continuation-token",
    "Delimiter": "delimiter",
    "MaxKeys": "max-keys",
    "PartNumber": "partNumber",
    "Prefix": "prefix",
    "StartAfter": "start-after",
    "UploadId": "uploadId",
}


class Unsettled(Exception):
    """Somebody else has to ask.

    Attributes
    ----------
    refused : bool
        Whether the service did not like the question.
    """

    def __init__(self, *, refused: bool = False) -> None:
        super().__init__()
        self.refused = refused


@dataclass(frozen=True, slots=True)
class _Request:
    """A kind of request.

    Attributes
    ----------
    verb : str
    query : mapping
        That all of them have.
    read : callable
        Adds to what the headers of an answer say; raises ValueError where it is not understood.
    plain : frozenset of int
        Statuses that say no, and need no explanation.
    again : bool
        Whether it may be sent once more over a new connection.
    """

    verb: str
    query: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Answer], Mapping[str, Any]] = lambda answer: {}
    plain: frozenset[int] = frozenset()
    again: bool = False


def _completed(answer: Answer) -> Mapping[str, Any]:
    root = _root(answer)
    if not root.tag.endswith("CompleteMultipartUploadResult"):
        raise ValueError(root.tag)  # an error that came after the status
    told = {child.tag.rpartition("}")[2]: child.text for child in root}
    return {name: told[name] for name in ("ETag", *_HEADERS) if told.get(name)}


def _begun(answer: Answer) -> Mapping[str, Any]:
    for child in _root(answer):
        if child.tag.endswith("UploadId") and child.text:
            return {"UploadId": child.text}
    raise ValueError("no ID")


def _root(answer: Answer) -> Element:
    return fromstring(answer.body)  # noqa: S314  expat expands no entities of others


_REQUESTS = {
    "abort_multipart_upload": _Request("DELETE"),
    "complete_multipart_upload": _Request("POST", read=_completed, plain=frozenset({412})),
    "create_multipart_upload": _Request("POST", {"uploads": ""}, _begun),
    "delete_object": _Request("DELETE", again=True),
    "head_object": _Request("HEAD", plain=frozenset({404}), again=True),
    "list_objects_v2": _Request(
        "GET",
        {"list-type": "2", "encoding-type": "url"},
        lambda answer: answered(answer.body),
        again=True,
    ),
    "put_object": _Request("PUT", plain=frozenset({412})),
}


class Direct:
    """Signed requests to one bucket.

    Parameters
    ----------
    who : Plain
    bucket : str
    wire : Wire
    """

    def __init__(self, who: Plain, bucket: str, wire: Wire) -> None:
        self._bucket, self._wire = bucket, wire
        self._signer = Signer(who.endpoint, who.region, who.access_key, who.secret_key, who.token)
        self._due = 0.0

    def call(self, method: str, key: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request, and give the answer as botocore does.

        Parameters
        ----------
        method : str
            Of botocore's S3 client.
        key : str
            As a person knows it, for errors.
        arguments : mapping
            Of the method, without the bucket.

        Raises
        ------
        StorageError
            If the service says no.
        Unsettled
            If botocore has to be asked.
        """
        request = _REQUESTS.get(method)
        if request is None or time.monotonic() < self._due:
            raise Unsettled
        answer = self._exchanged(request, *self._sent(request, arguments))
        if answer.status in request.plain:
            raise from_answer(answer.status, answer.body, key=key)
        if answer.status not in {200, 204}:
            raise Unsettled(refused=answer.status < 500)
        try:
            return {**_told(answer), **request.read(answer)}
        except (ParseError, ValueError, TypeError) as error:
            raise Unsettled from error

    def address(self, arguments: Mapping[str, Any], expires: int) -> str:
        """Give the URL to which a part of an upload is put."""
        path, query, headers = self._parts(arguments)
        return self._signer.address("PUT", path, query, headers, expires)

    def _sent(
        self, request: _Request, arguments: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, str], Mapping[str, str], bytes]:
        left = dict(arguments)
        body = left.pop("Body", b"")
        if "MultipartUpload" in left:
            body = _completion(left.pop("MultipartUpload")["Parts"])
        metadata = left.pop("Metadata", {})
        known = {"Key", *_HEADERS, *_QUERY}.issuperset(left) and isinstance(body, bytes)
        if not known or not all(f"{name}{metadata[name]}".isascii() for name in metadata):
            raise Unsettled
        path, query, headers = self._parts(left)
        headers.update({f"{_METADATA}{name}": value for name, value in metadata.items()})
        return path, {**request.query, **query}, headers, body

    def _parts(self, arguments: Mapping[str, Any]) -> tuple[str, dict[str, str], dict[str, str]]:
        key = arguments.get("Key")
        path = self._bucket if key is None else f"{self._bucket}/{key}"
        query = {_QUERY[name]: str(arguments[name]) for name in arguments if name in _QUERY}
        headers = {_HEADERS[name]: str(arguments[name]) for name in arguments if name in _HEADERS}
        return path, query, headers

    def _exchanged(
        self,
        request: _Request,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        again = request.again
        while True:
            url, signed = self._signer.signed(request.verb, path, query, headers, body)
            try:
                return self._wire.ask(request.verb, url, signed, body)
            except NotConnected as error:
                self._due = time.monotonic() + _PAUSE
                raise Unsettled from error
            except WireError as error:
                # The service may have closed a connection that was idle for long.
                if not again or not error.was_idle:
                    raise Unsettled from error
                again = False


def _told(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    for header, value in answer.headers.items():
        name = header.lower()
        if name in _MEMBERS:
            found[_MEMBERS[name]] = value
        elif name.startswith(_METADATA):
            metadata[name.removeprefix(_METADATA)] = value
        elif name == "content-length":
            found["ContentLength"] = int(value)
        elif name == "last-modified":
            found["LastModified"] = parsedate_to_datetime(value)
    found["Metadata"] = metadata
    return found


def _completion(parts: list[Mapping[str, Any]]) -> bytes:
    lines = "".join(
        f"<Part><PartNumber>{part['PartNumber']}</PartNumber>"
        f"<ETag>{str(part['ETag']).replace('&', '&amp;').replace('<', '&lt;')}</ETag></Part>"
        for part in parts
    )
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<CompleteMultipartUpload xmlns="{space}">{lines}</CompleteMultipartUpload>'.encode()
