"""One family of errors: each knows its HTTP status, its exit status and a way out."""

from __future__ import annotations

import errno
from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "Cancelled",
    "ChecksumMismatch",
    "Conflict",
    "CredentialsMissing",
    "HoldsMount",
    "InvalidPath",
    "InvalidRequest",
    "IsADirectory",
    "NoSpace",
    "NotADirectory",
    "NotConfigured",
    "NotFound",
    "PartialFailure",
    "Protected",
    "StorageError",
    "Throttled",
    "Unreachable",
    "Unsupported",
    "from_os_error",
    "os_errors",
]


class StorageError(Exception):
    """Something that a person can be told, and can do something about.

    Parameters
    ----------
    message : str
        What happened, as one sentence without a final full stop.
    path : str, optional
        The file that it happened to, as a person would type it.
    hint : str, optional
        What to do about it. Each class has a default.

    Attributes
    ----------
    status : int
        HTTP status of a response that carries this error.
    exit_status : int
        Exit status of a command that ends with it: 1 failed, 2 unusable arguments.
    retryable : bool
        Whether the same request may succeed a moment later.
    named : bool
        Whether ``path`` is the path that a person knows, and no longer a store's key.
    """

    status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = "Run 'jupyter storage doctor' to look for the cause."

    def __init__(self, message: str, *, path: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.named = False
        self.hint = self.default_hint if hint is None else hint

    @property
    def kind(self) -> str:
        """Name of the error's class, as it stands in JSON."""
        return type(self).__name__

    def __str__(self) -> str:
        if self.path and self.path not in self.message:
            return f"{self.path}: {self.message}"
        return self.message

    def at(self, path: str) -> StorageError:
        """Name the file by the path that a person knows it by.

        Parameters
        ----------
        path : str
            For example ``shared:checkpoints/m.pt`` where the store only knew a key.

        Returns
        -------
        StorageError
            This error, changed in place.
        """
        self.path = path
        self.named = True
        return self


class NotFound(StorageError):
    """There is no such file, directory, tier, transfer or snapshot."""

    status = 404
    default_hint = "Check the spelling; 'jupyter storage ls' shows what is there."


class AlreadyExists(StorageError):
    """The target exists and was not to be replaced."""

    status = 409
    default_hint = "Choose another name, or replace it with --overwrite."


class AccessDenied(StorageError):
    """The store knows who is asking and says no."""

    status = 403
    default_hint = "Ask the owner of the tier for access, or choose other credentials."


class CredentialsMissing(AccessDenied):
    """No credentials, or ones that are expired or unknown to the store."""

    default_hint = (
        "Sign in again (for example 'aws sso login' or 'gcloud auth application-default login'), "
        "or name a profile for this bucket in the configuration."
    )


class Protected(StorageError):
    """System data that the product refuses to delete or overwrite."""

    status = 403
    default_hint = "Use --force if you are sure; it cannot be undone."


class InvalidPath(StorageError):
    """A path that cannot be understood, or that leaves its tier."""

    status = 400
    exit_status = 2
    default_hint = "Paths are 'tier:relative/path', a URI such as 's3://bucket/key', or local."


class InvalidRequest(StorageError):
    """Arguments that make no sense together."""

    status = 400
    exit_status = 2
    default_hint = "See 'jupyter storage --help'."


class IsADirectory(InvalidRequest):
    """A file was needed and this is a directory."""

    exit_status = 1
    default_hint = "Add -r to work on a whole directory."


class NotADirectory(InvalidRequest):
    """A directory was needed and this is a file."""

    exit_status = 1
    default_hint = "Name the directory that holds the file."


class Conflict(StorageError):
    """The target changed, or is in use, since the request was planned."""

    status = 409
    default_hint = "Reload and try again."


class HoldsMount(Conflict):
    """A directory that was to be deleted or moved has storage mounted in it."""

    default_hint = "Unmount it first: jupyter storage unmount."


class NoSpace(StorageError):
    """The disk or the quota is full."""

    status = 507
    default_hint = (
        "Free some space ('jupyter storage du' shows what is large) or use another tier, "
        "for example the object store 'artifacts:'."
    )


class NotConfigured(StorageError):
    """The tier, bucket or feature has not been set up."""

    status = 404
    default_hint = "Configure it: 'jupyter storage doctor' shows what is missing."


class Unreachable(StorageError):
    """No answer from the store: network, endpoint or mount."""

    status = 502
    retryable = True
    default_hint = "Check the network and the endpoint, then try again."


class Throttled(Unreachable):
    """The store asks for fewer requests."""

    status = 503
    default_hint = "The store is busy; try again in a moment."


class ChecksumMismatch(StorageError):
    """The bytes that arrived are not the bytes that were sent."""

    status = 422
    retryable = True
    default_hint = "Try again; if it stays so, the disk or the connection damages data."


class Cancelled(StorageError):
    """A person stopped it."""

    status = 409
    default_hint = "Start it again to go on."


class PartialFailure(StorageError):
    """Some files failed; the rest was done."""

    default_hint = "Fix what is listed and run the same again: what is done is skipped with --skip."


class Unsupported(StorageError):
    """This store cannot do that."""

    status = 501
    exit_status = 2
    default_hint = "Copy the data to a tier that can."


_BY_ERRNO: dict[int, tuple[type[StorageError], str]] = {
    errno.ENOENT: (NotFound, "No such file or directory"),
    errno.EEXIST: (AlreadyExists, "It exists already"),
    errno.ENOTEMPTY: (AlreadyExists, "The directory is not empty"),
    errno.EACCES: (AccessDenied, "Permission denied"),
    errno.EPERM: (AccessDenied, "Operation not permitted"),
    errno.EROFS: (AccessDenied, "The file system is read-only"),
    errno.ENOSPC: (NoSpace, "No space left on the device"),
    errno.EDQUOT: (NoSpace, "The disk quota is used up"),
    errno.EFBIG: (NoSpace, "The file is larger than this file system allows"),
    errno.EISDIR: (IsADirectory, "It is a directory"),
    errno.ENOTDIR: (NotADirectory, "Part of the path is a file, not a directory"),
    errno.ENAMETOOLONG: (InvalidPath, "The name is too long for this file system"),
    errno.ELOOP: (InvalidPath, "Symbolic links form a loop"),
    errno.EILSEQ: (InvalidPath, "The name has characters that this file system cannot store"),
    errno.EIO: (Unreachable, "The device reported an input/output error"),
    errno.ESTALE: (Unreachable, "The network disk went away"),
    errno.ETIMEDOUT: (Unreachable, "The store did not answer in time"),
    errno.ECONNREFUSED: (Unreachable, "The connection was refused"),
    errno.ECONNRESET: (Unreachable, "The connection was cut"),
    errno.ENOTCONN: (Unreachable, "The mount is not connected"),
    errno.EHOSTUNREACH: (Unreachable, "The host cannot be reached"),
}


def from_os_error(error: OSError, path: str) -> StorageError:
    """Say an operating system's error in our words.

    Parameters
    ----------
    error : OSError
        What was raised.
    path : str
        The file that it was about.

    Returns
    -------
    StorageError
        To be raised ``from error``.
    """
    kind, message = _BY_ERRNO.get(
        error.errno or 0, (StorageError, error.strerror or type(error).__name__)
    )
    return kind(message, path=path)


class os_errors:  # noqa: N801  it is used as a function; a generator costs too much for each file
    """Say the operating system's errors about a file in our words.

    Parameters
    ----------
    path : str
        The file.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, StorageError):
            return
        if isinstance(error, UnicodeError):
            raise from_os_error(OSError(errno.EILSEQ, str(error)), self._path) from error
        if isinstance(error, OSError):
            raise from_os_error(error, self._path) from error
        if isinstance(error, RuntimeError):
            # pathlib's word for links that form a loop, before Python 3.13.
            raise from_os_error(OSError(errno.ELOOP, str(error)), self._path) from error
