"""What clouds and their libraries raise, said in our words.

Libraries are told by the names of their exceptions' classes, so that nothing of a cloud has to be
imported to understand an error. Sources of the codes:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
https://cloud.google.com/storage/docs/json_api/v1/status-codes.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    ChecksumMismatch,
    Conflict,
    CredentialsMissing,
    InvalidPath,
    InvalidRequest,
    NoSpace,
    NotConfigured,
    NotFound,
    StorageError,
    Throttled,
    Unreachable,
    Unsupported,
    from_os_error,
)
from jupyter_storage.redact import redact

__all__ = [
    "arrived_wrong",
    "from_answer",
    "from_cloud_error",
    "from_code",
    "http_code",
    "root_code",
    "said_in_our_words",
]

_CODES: dict[type[StorageError], tuple[str, tuple[str, ...]]] = {
    CredentialsMissing: (
        "The store does not know these credentials, or they have expired",
        (
            "401",
            "AuthenticationFailed",
            "AuthorizationHeaderMalformed",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidToken",
            "MissingSecurityHeader",
            "NoAuthenticationInformation",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnauthorizedAccess",
        ),
    ),
    AccessDenied: (
        "These credentials do not allow it",
        (
            "403",
            "AccessDenied",
            "AccountIsDisabled",
            "AccountProblem",
            "AllAccessDisabled",
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "Forbidden",
            "NotSignedUp",
            "PublicAccessNotPermitted",
        ),
    ),
    NotFound: (
        "No such file or directory",
        ("404", "BlobNotFound", "NoSuchKey", "NoSuchVersion", "NotFound", "ResourceNotFound"),
    ),
    AlreadyExists: (
        "It exists already",
        (
            "412",
            "BlobAlreadyExists",
            "ConditionNotMet",
            "ConditionalRequestConflict",
            "PreconditionFailed",
        ),
    ),
    Throttled: (
        "The store asks for fewer requests",
        (
            "429",
            "503",
            "BandwidthLimitExceeded",
            "RequestLimitExceeded",
            "ServerBusy",
            "ServiceUnavailable",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
        ),
    ),
    Unreachable: (
        "The store failed to answer",
        (
            "408",
            "500",
            "502",
            "504",
            "IncompleteBody",
            "InternalError",
            "InternalServerError",
            "OperationTimedOut",
            "RequestTimeout",
        ),
    ),
    ChecksumMismatch: (
        "The store received other bytes than were sent",
        (
            "BadDigest",
            "InvalidDigest",
            "Md5Mismatch",
            "XAmzContentChecksumMismatch",
            "XAmzContentSHA256Mismatch",
        ),
    ),
    NoSpace: (
        "The store has no room for it",
        ("507", "QuotaExceeded", "EntityTooLarge", "XMinioStorageFull", "InsufficientStorage"),
    ),
    Conflict: (
        "Somebody else changed it at the same moment",
        ("409", "InvalidBlockList", "OperationAborted"),
    ),
    Unsupported: (
        "This store cannot do that",
        ("405", "501", "MethodNotAllowed", "NotImplemented"),
    ),
    InvalidPath: ("The name is not allowed in this store", ("KeyTooLongError", "InvalidURI")),
}
_KINDS = {code: (kind, message) for kind, (message, codes) in _CODES.items() for code in codes}

_NO_CREDENTIALS = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "ClientAuthenticationError",
        "CredentialRetrievalError",
        "CredentialUnavailableError",
        "TokenRetrievalError",
        "SSOError",
        "DefaultCredentialsError",
        "RefreshError",
        "InvalidIdentityTokenException",
    }
)
_NO_PROFILE = frozenset({"ProfileNotFound", "ConfigParseError", "ConfigNotFound"})
_NO_CONNECTION = frozenset(
    {
        "EndpointConnectionError",
        "HTTPClientError",
        "ConnectionClosedError",
        "ClientConnectionError",
        "ClientPayloadError",
        "ConnectionError",
        "ConnectionTimeoutError",
        "FSTimeoutError",
        "IncompleteRead",
        "IncompleteReadError",
        "ReadTimeoutError",
        "ResponseParserError",
        "ServerDisconnectedError",
        "ServiceRequestError",
        "ServiceResponseError",
        "Timeout",
        "TimeoutError",
        "ProxyError",
        "gaierror",
    }
)
# What obstore writes: the service's answer stands in the text.
_STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})")
_XML_CODE = re.compile(r"<Code>(\w+)</Code>")
_XML_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")

_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_INVALID = frozenset({"ParamValidationError", "InvalidEndpointDiscoveryConfigurationError"})


@contextmanager
def said_in_our_words(key: str, bucket: str, endpoint: str) -> Iterator[None]:
    """Turn what a library raises inside into our errors; ours stay as they are."""
    try:
        yield
    except Exception as error:
        translated = from_cloud_error(error, key=key, bucket=bucket, endpoint=endpoint)
        if translated is error:
            raise
        raise translated from error


def from_cloud_error(error: BaseException, *, key: str, bucket: str, endpoint: str) -> StorageError:
    """Say a library's error in our words.

    Parameters
    ----------
    error : BaseException
        What was raised by s3fs, gcsfs, another fsspec file system, or what lies below them.
    key : str
        The file that it was about.
    bucket : str
        Bucket or host, for hints.
    endpoint : str
        Where the request went.

    Returns
    -------
    StorageError
        To be raised ``from error``; without secrets.
    """
    if isinstance(error, StorageError):
        return error
    for cause in _causes(error):
        code = _code(cause)
        if code in _NO_BUCKET:
            return NotFound(
                f"There is no bucket '{bucket}'",
                path=key,
                hint=f"Check the bucket's name and the region or endpoint ({endpoint}).",
            )
        if code:
            return from_code(code, _detail(cause), key=key)
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & _NO_PROFILE:
            return NotConfigured(redact(str(cause)).rstrip("."), path=key)
        if names & _NO_CREDENTIALS:
            return CredentialsMissing(f"There are no valid credentials for '{bucket}'", path=key)
        if names & _INVALID:
            return InvalidRequest(redact(str(cause)).replace("\n", " ").rstrip("."), path=key)
        if (names & _NO_CONNECTION or _is_native(cause)) and not _is_plain(cause):
            return Unreachable(f"No answer from {redact(endpoint)}", path=key)
    for cause in _causes(error):
        if isinstance(cause, NotImplementedError):
            return Unsupported("This store cannot do that", path=key)
        if isinstance(cause, OSError):
            return _from_os(cause, key, endpoint)
    text = redact(str(error)).strip().rstrip(".").replace("\n", " ")
    if isinstance(error, ValueError):
        return InvalidRequest(text or "The store does not accept this request", path=key)
    return StorageError(text or type(error).__name__, path=key)


def from_code(code: str, detail: str, *, key: str) -> StorageError:
    """Say a service's error code, or an HTTP status, in our words.

    Parameters
    ----------
    code : str
        For example ``AccessDenied`` or ``404``.
    detail : str
        What the service says about it.
    key : str
        The file that it was about.
    """
    detail = redact(detail).strip().rstrip(".").replace("\n", " ")
    if code in _KINDS:
        kind, message = _KINDS[code]
        if kind in {NotFound, AlreadyExists} or not detail or detail == code:
            return kind(message, path=key)
        return kind(f"{message} ({detail})", path=key)
    return StorageError(f"The store refused: {detail or code} ({code})", path=key)


def arrived_wrong(message: str, key: str) -> ChecksumMismatch:
    """Say that an object was published and is not what was sent.

    It is not deleted: somebody else may have written it a moment later.
    """
    return ChecksumMismatch(
        message, path=key, hint="Copy it again: what has that name now is not what was sent."
    )


def from_answer(status: int, body: bytes, *, key: str) -> StorageError:
    """Say an answer of S3 that is an error in our words.

    Parameters
    ----------
    status : int
    body : bytes
        XML, if the service itself answered.
    key : str
        The file that it was about.
    """
    text = body.decode(errors="replace")
    code, message = _XML_CODE.search(text), _XML_MESSAGE.search(text)
    known = code is not None and code[1] in _KINDS
    return from_code(
        code[1] if code and known else str(status), message[1] if message else "", key=key
    )


def root_code(error: BaseException) -> str:
    """Give the service's own code of an error, or an empty string."""
    return next(filter(None, map(_code, _causes(error))), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error that came first, first: wrappers know less than what they wrap."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        before = None if cause.__suppress_context__ else cause.__context__
        # What was said in our words already is another story, not the beginning of this one.
        cause = cause.__cause__ or (None if isinstance(before, StorageError) else before)
    return iter(reversed(chain))


def http_code(error: BaseException) -> str:
    """HTTP status that obstore tells of in the text of an error; empty if there was no answer."""
    found = _STATUS.search(str(error))
    # Some services answer what is beyond the end with nothing: then obstore itself refuses it.
    return found[1] if found else "416" if "StartTooLarge" in str(error) else ""


def _code(error: BaseException) -> str:
    if _is_native(error):
        found = _XML_CODE.search(str(error))
        return found[1] if found and found[1] in {*_KINDS, *_NO_BUCKET} else http_code(error)
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore's ClientError
        code = str(response.get("Error", {}).get("Code") or "")
        status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or "")
        return (
            code
            if code in _KINDS or code == "NoSuchBucket" or not status
            else (status if status in _KINDS else code)
        )
    told = getattr(error, "error_code", None)  # azure; an enumeration at times
    if (told := str(getattr(told, "value", told))) in {*_KINDS, *_NO_BUCKET}:
        return told
    for attribute in ("status", "status_code", "code"):  # aiohttp, azure, gcsfs
        value = getattr(error, attribute, None)
        if str(value).isdigit() and 400 <= int(str(value)) < 600:
            return str(value)
    return ""


def _detail(error: BaseException) -> str:
    response: Any = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return str(response.get("Error", {}).get("Message") or "")
    if _is_native(error):
        found = _XML_MESSAGE.search(str(error))
        return found[1].partition("\n")[0] if found else ""
    # Azure's go on with the request's ID, its time and the whole answer.
    return str(getattr(error, "message", "") or "").partition("\n")[0]


def _is_native(error: BaseException) -> bool:
    """Whether an error is obstore's: some of them are Python's own classes."""
    text = str(error)
    return "Debug source" in text and ("Error performing " in text or "StartTooLarge" in text)


def _is_plain(error: BaseException) -> bool:
    """Whether it is the operating system's own error, with a number that says more."""
    return isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.EACCES, errno.EEXIST}


def _from_os(error: OSError, key: str, endpoint: str) -> StorageError:
    # fsspec raises many of these with a text in place of the number.
    for kind, number in (
        (FileNotFoundError, errno.ENOENT),
        (FileExistsError, errno.EEXIST),
        (PermissionError, errno.EACCES),
        (IsADirectoryError, errno.EISDIR),
        (NotADirectoryError, errno.ENOTDIR),
    ):
        if isinstance(error, kind):
            return from_os_error(OSError(number, ""), key)
    if error.errno is None:
        text = redact(str(error)).strip().replace("\n", " ")
        if text.startswith("Forbidden"):  # gcsfs
            return AccessDenied("These credentials do not allow it", path=key)
        return StorageError(text or f"The store at {redact(endpoint)} failed", path=key)
    return from_os_error(error, key)
