"""The only place that decodes, joins and contains paths.

A path is decoded once (by whoever received it), joined once, and the value that was checked is
the value that is used. Keys are what stores take: parts joined by ``/``, no leading or trailing
slash, no empty part, no ``.`` or ``..``; the root's key is the empty string.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from jupyter_storage.errors import InvalidPath

__all__ = [
    "TEMPORARY_PREFIX",
    "Address",
    "basename",
    "clean_key",
    "contained",
    "distinct",
    "is_below",
    "is_temporary",
    "join",
    "parent",
    "parse",
    "split_uri",
]

# A file under this prefix is a write under way. Stores hide such names and refuse them from faces.
TEMPORARY_PREFIX = ".~jupyter_storage-"

_TIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.S)
_MAX_KEY = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed path.

    Attributes
    ----------
    root : str
        ``shared:`` for a tier, ``s3://bucket`` for a URI, ``file://`` for a local path.
    tier : str or None
        The tier's name where one was named.
    key : str
        What lies below the root; for a local path, the absolute path without its first slash.
    directory : bool
        Whether it was written with a trailing slash (or is a root).
    """

    root: str
    tier: str | None
    key: str
    directory: bool

    def __str__(self) -> str:
        if self.tier is not None:
            return f"{self.tier}:{self.key}"
        if self.root == "file://":
            return f"/{self.key}"
        return f"{self.root}/{self.key}"


def clean_key(key: str) -> str:
    """Check a key from outside and give it back in its one form.

    Parameters
    ----------
    key : str
        Already decoded. A leading or trailing slash is dropped.

    Returns
    -------
    str
        Parts joined by single slashes.

    Raises
    ------
    InvalidPath
        For ``..``, ``.``, empty parts, NUL, too long a key, or the name of a write under way.
    """
    key = key.strip("/")
    if not key:
        return ""
    if "\0" in key:
        raise InvalidPath("A path cannot contain a NUL character", path=key.replace("\0", "␀"))
    if len(key) > _MAX_KEY:
        raise InvalidPath(f"The path is longer than {_MAX_KEY} characters", path=key[:80] + "…")
    parts = key.split("/")
    for part in parts:
        if part in {"..", "."}:
            raise InvalidPath(
                f"'{part}' is not allowed in a path, it could leave the tier", path=key
            )
        if not part:
            raise InvalidPath("The path has an empty part ('//')", path=key)
        if part.startswith(TEMPORARY_PREFIX):
            raise InvalidPath(f"Names that begin with '{TEMPORARY_PREFIX}' are reserved", path=key)
    return "/".join(parts)


def join(*keys: str) -> str:
    """Join keys; empty ones (roots) leave no trace."""
    return "/".join(key for key in keys if key)


def basename(key: str) -> str:
    """Last part of a key."""
    return key.rpartition("/")[2]


def parent(key: str) -> str:
    """Key of the directory that holds this one."""
    return key.rpartition("/")[0]


def is_below(key: str, directory: str) -> bool:
    """Whether ``key`` is ``directory`` or lies in it, by whole parts: ``a.bak`` is not in ``a``."""
    return not directory or key == directory or key.startswith(directory + "/")


def is_temporary(name: str) -> bool:
    """Whether this name is a write under way."""
    return name.startswith(TEMPORARY_PREFIX)


def contained(root: Path, key: str) -> Path:
    """Place a key below a directory, links resolved.

    Parameters
    ----------
    root : Path
        A directory, already resolved.
    key : str
        A clean key.

    Returns
    -------
    Path
        ``root / key``. Its last part is not resolved, so that links can be handled as links.

    Raises
    ------
    InvalidPath
        Where a symbolic link on the way leads out of the root.
    """
    if not key:
        return root
    path = root / key
    if not _links_between(str(root), key):
        return path
    above = path.parent.resolve()
    if above != root and root not in above.parents:
        raise InvalidPath(
            "A symbolic link on the way leads out of the tier",
            path=key,
            hint="Use the path that the link points to.",
        )
    return above / path.name


def _links_between(root: str, key: str) -> bool:
    """Whether a directory between the root and the key's last part is a link.

    Resolving looks at every part from the file system's root on; the root is resolved already, and
    this is called for every file of a transfer.
    """
    here = root
    for part in key.split("/")[:-1]:
        here = f"{here}/{part}"
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            # What is not there leads nowhere.
            return False
        if stat.S_ISLNK(mode):
            return True
    return False


def split_uri(uri: str) -> tuple[str, str, str]:
    """Split a URI into scheme, bucket and key.

    Parameters
    ----------
    uri : str
        ``s3://bucket/a/b``; ``file:///a/b`` has an empty bucket.

    Returns
    -------
    tuple of str
        Scheme in lower case (``gcs`` as ``gs``, ``s3a`` and ``s3n`` as ``s3``), bucket, and the
        rest without slashes around it.

    Raises
    ------
    InvalidPath
        Where it is no URI, or lacks a bucket.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise InvalidPath("This is no URI", path=uri, hint="Write it as 's3://bucket/prefix'.")
    scheme, rest = match[1].lower(), match[2]
    scheme = {"gcs": "gs", "s3a": "s3", "s3n": "s3"}.get(scheme, scheme)
    if scheme == "file":
        if not rest.startswith("/"):
            raise InvalidPath("A file URI needs an absolute path", path=uri, hint="file:///a/b")
        return scheme, "", unquote(rest).strip("/")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise InvalidPath("The URI names no bucket", path=uri, hint="Write 's3://bucket/prefix'.")
    return scheme, bucket, key.strip("/")


def parse(text: str, *, tiers: frozenset[str] | set[str], cwd: Path | None = None) -> Address:
    """Read a path as a person writes it.

    Parameters
    ----------
    text : str
        ``tier:relative/path``, a URI, or a local path (``~`` is expanded). A local file whose
        name looks like a tier's is written ``./name:rest``.
    tiers : set of str
        Names of the tiers that exist.
    cwd : Path, optional
        What relative local paths are relative to; the current directory unless told.

    Returns
    -------
    Address

    Raises
    ------
    InvalidPath
        Where it leaves its tier, or names a tier that does not exist.
    """
    if not text:
        raise InvalidPath("The path is empty", path="''")
    directory = text.endswith("/")
    if "://" in text:
        scheme, bucket, key = split_uri(text)
        if scheme == "file":
            return Address("file://", None, clean_key(key), directory or not key)
        return Address(f"{scheme}://{bucket}", None, clean_key(key), directory or not key)
    name, colon, rest = text.partition(":")
    if colon and _TIER.fullmatch(name):
        if name in tiers:
            key = clean_key(rest)
            return Address(f"{name}:", name, key, directory or not key)
        if not (cwd or Path.cwd()).joinpath(text).exists():
            known = ", ".join(sorted(tiers))
            raise InvalidPath(
                f"There is no tier '{name}'",
                path=text,
                hint=f"The tiers are: {known}. A local file is written './{text}'.",
            )
    # normpath, not resolve: '..' is fine in a local path, and links stay links.
    local = os.path.normpath((cwd or Path.cwd()) / Path(text).expanduser())
    return Address("file://", None, local.strip("/"), directory)


def distinct(names: Iterable[str]) -> list[str]:
    """Number names that come again, before the extension: ``a.txt``, ``a (2).txt``."""
    names = list(names)
    taken = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        chosen = name
        if name in seen:
            stem, dot, extension = name.rpartition(".")
            if not stem:
                stem, dot, extension = name, "", ""
            number = 2
            while (chosen := f"{stem} ({number}){dot}{extension}") in taken:
                number += 1
            taken.add(chosen)
        seen.add(name)
        result.append(chosen)
    return result
