"""What goes into a zip: files and directories as they were found, and as the zip names them."""

from __future__ import annotations

import os
import stat
import struct
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from jupyter_storage.records import Entry
from jupyter_storage.stores.local_reader import SmallFiles
from jupyter_storage.stores.store import Store

__all__ = [
    "SMALL",
    "UTC_TIME",
    "Found",
    "Member",
    "link_of",
    "read_members",
    "readable",
    "seconds_of",
    "size_of",
]

SMALL = 2**20
"""Bytes of a file that is read as a whole."""

UTC_TIME = struct.Struct("<HHBl")
"""Field ID, length, flags (1: mtime), seconds since 1970."""

_BATCH = 64  # small files that are read before the first of them is written
_BYTES = 2**20  # and how much they may have together


class Found(NamedTuple):
    """A file or directory, the name that it gets, and its path where it is on this machine."""

    store: Store
    entry: Entry
    name: str
    path: str | None


class Member(NamedTuple):
    """The same, described as zips do."""

    store: Store
    entry: Entry
    info: zipfile.ZipInfo
    content: bytes | None
    """Of a small file on this machine, read already."""


def link_of(entry: Entry) -> bytes:
    """Give what a symbolic link has as its content."""
    return (entry.link or "").encode("utf-8", "surrogateescape")


def read_members(found: Iterable[Found], near: SmallFiles) -> Iterator[Member]:
    """Read small files of this machine in advance.

    Some are read and then written: in turns each would find the processor's caches full of the
    other, which costs a quarter more.
    """
    batch: list[Found] = []
    size = 0
    for each in found:
        batch.append(each)
        size += size_of(each.entry)
        if each.path is None or len(batch) >= _BATCH or size >= _BYTES:
            yield from _read_batch(batch, near)
            batch, size = [], 0
    yield from _read_batch(batch, near)


def _read_batch(batch: Sequence[Found], near: SmallFiles) -> list[Member]:
    read = [
        near.read(store, entry.path)
        if path is not None and entry.type == "file" and size_of(entry) <= SMALL
        else None
        for store, entry, _, path in batch
    ]
    return [
        _member(found, *(small or (None, None))) for found, small in zip(batch, read, strict=True)
    ]


def _member(found: Found, content: bytes | None, mode: int | None) -> Member:
    store, entry, name, path = found
    name = readable(name)
    info = zipfile.ZipInfo(name + "/" if entry.is_directory else name)
    info.create_system = 3  # Unix: the upper half of external_attr is a mode
    info.external_attr = (_mode(entry, path) if mode is None else _shown(mode)) << 16
    if entry.is_directory:
        info.external_attr |= 0x10  # MS-DOS's directory flag
    info.file_size = size_of(entry)
    if entry.modified is not None:
        _set_time(info, entry.modified)
    return Member(store, entry, info, content)


def readable(name: str) -> str:
    """Names that are not UTF-8 on disk cannot be told to an unpacker: show that with U+FFFD."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)
    return name


def size_of(entry: Entry) -> int:
    """Bytes that it has in the zip."""
    return len(link_of(entry)) if entry.type == "symlink" else entry.size or 0


def _mode(entry: Entry, path: str | None) -> int:
    if entry.type == "symlink":
        return stat.S_IFLNK | 0o777
    try:
        if path is not None:
            return _shown(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        # Gone since it was listed: reading it will say so.
        return stat.S_IFREG | 0o644
    return stat.S_IFDIR | 0o755 if entry.is_directory else stat.S_IFREG | 0o644


def _shown(mode: int) -> int:
    """The sticky and set-ID bits are nobody's business on another machine."""
    return stat.S_IFMT(mode) | (mode & 0o777)


def _set_time(info: zipfile.ZipInfo, modified: datetime) -> None:
    local = time.localtime(modified.timestamp())[:6]
    first, last = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
    info.date_time = min(max(local, first), last)
    seconds = seconds_of(modified)
    if seconds is not None:
        info.extra = UTC_TIME.pack(0x5455, 5, 1, seconds)


def seconds_of(modified: datetime | None) -> int | None:
    """Seconds since 1970, where they fit into the field for them."""
    if modified is None:
        return None
    seconds = int(modified.timestamp() // 1)
    return seconds if -(2**31) <= seconds < 2**31 else None
