"""What differs between the file systems of fsspec: how they describe files, who brings them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from jupyter_storage.paths import basename
from jupyter_storage.records import Entry

__all__ = ["entry_of", "installation"]

_TIMES = ("mtime", "modified", "LastModified", "last_modified", "updated", "created")
_PACKAGES = {
    "abfs": "adlfs",
    "abfss": "adlfs",
    "box": "boxfs",
    "dropbox": "dropboxdrivefs",
    "gdrive": "gdrivefs",
    "hdfs": "pyarrow",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
    "lakefs": "lakefs-spec",
    "oci": "ocifs",
    "oss": "ossfs",
    "sftp": "paramiko",
    "smb": "smbprotocol",
    "ssh": "paramiko",
    "webdav": "webdav4",
    "webhdfs": "requests",
}


def entry_of(key: str, info: Mapping[str, Any]) -> Entry:
    """Describe a file or directory by what a file system says of it."""
    if info.get("type") == "directory":
        return Entry(key, basename(key), "directory", modified=_time(info))
    return Entry(key, basename(key), "file", info.get("size"), _time(info))


def _time(info: Mapping[str, Any]) -> datetime | None:
    """The modification time, by whichever name and in whichever form a file system gives it."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            # Naive ones are in UTC in all file systems of fsspec that give such.
            return (
                value.astimezone(timezone.utc)
                if value.tzinfo
                else value.replace(tzinfo=timezone.utc)
            )
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, timezone.utc)
        if isinstance(value, str):
            with suppress(ValueError):
                moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
                return moment.astimezone(timezone.utc)
    return None


def installation(protocol: str) -> str:
    """Say how to come by what a protocol needs."""
    package = _PACKAGES.get(protocol)
    if package:
        return f"Install its package: pip install {package}"
    return (
        "Check the URI. If fsspec has a package for this protocol, install it: "
        "pip install <the package>"
    )
