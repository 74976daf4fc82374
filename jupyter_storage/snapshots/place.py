"""Where a workspace's repository is, and what opens it.

The repository lies at ``<uri>/snapshots``; where credentials deny the bucket's system area, at
``<fallback>/snapshots``. One that exists wins, so that all machines agree. The password lies
beside it, so that a new machine can open it, unless a person keeps it elsewhere.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from jupyter_storage.errors import (
    AccessDenied,
    AlreadyExists,
    CredentialsMissing,
    NotConfigured,
    NotFound,
    Unsupported,
    from_os_error,
)
from jupyter_storage.paths import TEMPORARY_PREFIX, split_uri
from jupyter_storage.snapshots.repository import Repository
from jupyter_storage.stores.opening import open_store

__all__ = [
    "PASSWORD_VARIABLE",
    "Place",
    "check_replaceable",
    "find_place",
    "replace_shared_password",
    "restic_environment",
]

PASSWORD_VARIABLE = "JUPYTER_STORAGE_SNAPSHOT_PASSWORD"  # noqa: S105

_REPOSITORY = "snapshots"
_PASSWORD = "snapshots.password"  # noqa: S105


@dataclass(frozen=True)
class Place:
    """A repository's place.

    Attributes
    ----------
    uri : str
        Of the repository.
    options : mapping
        For :func:`open_store`.
    password_file : Path
        On this machine, for this user only.
    origin : {'shared', 'file', 'environment', 'none'}
        Where the password comes from: the file beside the repository, a file of a person's own, an
        environment variable; or it is empty.
    """

    uri: str
    options: Mapping[str, Any]
    password_file: Path
    origin: Literal["shared", "file", "environment", "none"] = "shared"

    def password(self) -> str:
        """Read the password."""
        return _read_password(self.password_file)


def find_place(
    uris: Sequence[str],
    options: Mapping[str, Any],
    *,
    state: Path,
    password_file: str | None,
    create: bool,
) -> Place | None:
    """Find the repository of a workspace.

    Parameters
    ----------
    uris : sequence of str
        Where it may be, the preferred one first.
    options : mapping
        For :func:`open_store`.
    state : Path
        Directory on this machine that keeps a copy of the password.
    password_file : str or None
        A person's own; empty for the one beside the repository; None for an empty password.
    create : bool
        Whether to choose a place, and make a password, where there is none yet.

    Returns
    -------
    Place or None
        None where there is none and ``create`` is not set.

    Raises
    ------
    AccessDenied
        If every place is denied.
    NotConfigured
        If there is a repository, and its password cannot be had.
    """
    denied: AccessDenied | None = None
    allowed = []
    for uri in uris:
        try:
            if _exists(f"{uri}/{_REPOSITORY}", options):
                return _place(uri, options, state, password_file, exists=True)
            allowed.append(uri)
        except CredentialsMissing:
            raise
        except AccessDenied as error:
            denied = denied or error
    if not create and (allowed or not denied):
        return None
    for uri in allowed:
        try:
            return _place(uri, options, state, password_file, exists=False)
        except CredentialsMissing:
            raise
        except AccessDenied as error:
            denied = denied or error
    raise denied or NotFound("There is no place for snapshots")


def _exists(uri: str, options: Mapping[str, Any]) -> bool:
    store = open_store(uri, options)
    try:
        return Repository.exists(store)
    finally:
        store.close()


def _place(
    uri: str, options: Mapping[str, Any], state: Path, password_file: str | None, *, exists: bool
) -> Place:
    here = f"{uri}/{_REPOSITORY}"
    if password_file is None:
        _keep(state / "no-password", "")
        return Place(here, options, state / "no-password", "none")
    if password_file:
        path = Path(password_file).expanduser()
        _read_password(path)
        return Place(here, options, path, "file")
    cached = state / f"password-{sha256(uri.encode()).hexdigest()[:16]}"
    if chosen := os.environ.get(PASSWORD_VARIABLE):
        _keep(cached, chosen)
        return Place(here, options, cached, "environment")
    _keep(cached, _shared_password(uri, options, cached, exists=exists))
    return Place(here, options, cached)


def _shared_password(uri: str, options: Mapping[str, Any], cached: Path, *, exists: bool) -> str:
    """Password beside the repository; the copy on this machine puts it back if it is gone."""
    store = open_store(uri, options)
    try:
        with suppress(NotFound):
            return store.read(_PASSWORD).decode().strip()
        known = _read_password(cached) if cached.exists() else ""
        if exists and not known:
            raise NotConfigured(
                "The password of the snapshot repository is missing beside it",
                path=f"{uri}/{_PASSWORD}",
                hint=f"Put it back, or set {PASSWORD_VARIABLE} or snapshot_password_file.",
            )
        if (root := store.local_path("")) is not None:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(AlreadyExists):
            store.write(
                _PASSWORD, (known or secrets.token_urlsafe(32)).encode() + b"\n", exclusive=True
            )
        if (path := store.local_path(_PASSWORD)) is not None:
            path.chmod(0o600)
        # Read it back: not every store refuses the second of two who write at once.
        return store.read(_PASSWORD).decode().strip()
    finally:
        store.close()


def check_replaceable(place: Place) -> None:
    """Make sure that the password lies beside the repository, for us to replace.

    Raises
    ------
    Unsupported
        If it comes from elsewhere.
    """
    if place.origin != "shared":
        where = {
            "file": f"the file {place.password_file}",
            "environment": f"the environment variable {PASSWORD_VARIABLE}",
            "none": "the option snapshot_no_password",
        }[place.origin]
        raise Unsupported(
            f"The password comes from {where}, which only you can change",
            hint="Add the new one with 'jupyter storage snapshot key add', put it there, then "
            "remove the old key.",
        )


def replace_shared_password(place: Place, password: str) -> None:
    """Put another password beside the repository; one that opens it already."""
    store = open_store(place.uri.removesuffix(f"/{_REPOSITORY}"), place.options)
    try:
        store.write(_PASSWORD, password.encode() + b"\n")
        if (path := store.local_path(_PASSWORD)) is not None:
            path.chmod(0o600)
    finally:
        store.close()
    _keep(place.password_file, password)


def _read_password(path: Path) -> str:
    try:
        return path.read_text().strip("\r\n")
    except OSError as error:
        # Not AccessDenied: it says nothing about the place.
        raise NotConfigured(
            "The password file of the snapshots cannot be read: "
            f"{from_os_error(error, str(path)).message}",
            path=str(path),
            hint="Check the option snapshot_password_file.",
        ) from error


def _keep(path: Path, password: str) -> None:
    with suppress(OSError):
        if path.read_text() == password + "\n":
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
        temporary.replace(path)
    except OSError as error:
        raise from_os_error(error, str(path)) from error


def restic_environment(place: Place) -> dict[str, str]:
    """Variables with which stock restic opens the repository.

    Raises
    ------
    Unsupported
        If restic does not know this kind of store.
    """
    scheme, bucket, key = split_uri(place.uri)
    options = place.options
    # An empty password has no variable: --insecure-no-password says it.
    values = {} if place.origin == "none" else {"RESTIC_PASSWORD_FILE": str(place.password_file)}
    if scheme == "file":
        values["RESTIC_REPOSITORY"] = "/" + key
    elif scheme == "s3":
        values["RESTIC_REPOSITORY"] = f"s3:{_endpoint(options)}/{bucket}/{key}"
        if profile := options.get("profile"):
            values["AWS_PROFILE"] = str(profile)
        if region := options.get("region"):
            values["AWS_DEFAULT_REGION"] = str(region)
    elif scheme == "gs":
        values["RESTIC_REPOSITORY"] = f"gs:{bucket}:/{key}"
    else:
        raise Unsupported(
            f"restic cannot open '{scheme}://' by itself",
            path=place.uri,
            hint="Use rclone between them: https://restic.readthedocs.io, 'Other Services'.",
        )
    return values


def _endpoint(options: Mapping[str, Any]) -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    found = options.get("endpoint_url") or next(filter(None, map(os.environ.get, names)), "")
    if found:
        return str(found).rstrip("/")
    region = options.get("region") or os.environ.get("AWS_REGION")
    region = region or os.environ.get("AWS_DEFAULT_REGION")
    return f"https://s3.{region}.amazonaws.com" if region else "https://s3.amazonaws.com"
