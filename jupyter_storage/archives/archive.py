"""Files and directories as one zip, streamed.

The zip is stored, not deflated: deflating costs more time than it saves on any link faster than
some 35 MB/s, and a stored zip's size is known before the first byte. Format: PKWARE's APPNOTE
6.3.10, written by :mod:`zipfile` to a stream that cannot seek, so that sizes and CRCs follow each
file's bytes and zip64 is used where a size, an offset or the number of files needs it. Times are
also kept in UTC, in Info-ZIP's extra field 0x5455.
"""

from __future__ import annotations

import struct
import threading
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase

from jupyter_storage.archives.members import (
    SMALL,
    UTC_TIME,
    Found,
    Member,
    link_of,
    read_members,
    readable,
    seconds_of,
    size_of,
)
from jupyter_storage.errors import Conflict
from jupyter_storage.paths import distinct
from jupyter_storage.stores.local_reader import SmallFiles
from jupyter_storage.stores.store import Store
from jupyter_storage.transfers.buffers import ahead

__all__ = ["PIECE", "Archive", "ArchivePlan"]

PIECE = 2**20
"""Most bytes in one piece of the stream."""

_FETCHED = 8
_ALWAYS = 500
_DEPTH = 4  # pieces that wait for a slow client

_SIZES = struct.Struct("<4sLLL")  # signature, CRC, and the size twice
_LIMIT = zipfile.ZIP64_LIMIT
_MANY = zipfile.ZIP_FILECOUNT_LIMIT


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """What a zip will hold.

    Attributes
    ----------
    files : int
        Files and links; directories are not counted.
    bytes : int
        Of the files' contents.
    content_length : int
        Exact size of the zip, in bytes.
    """

    files: int
    bytes: int
    content_length: int


class Archive:
    """Some files and directories as a zip.

    Parameters
    ----------
    items : sequence of (Store, str, str)
        A store, a key in it, and the name that it gets in the zip. Of items that would get the
        same name, all but the first are numbered: ``a (2).txt``.
    name : str
        File name of the zip.

    Notes
    -----
    Memory does not depend on the size of files; the zip's table of contents takes about 1 KB a
    file.
    """

    def __init__(self, items: Sequence[tuple[Store, str, str]], name: str) -> None:
        self.name = name
        self._items = list(zip(items, distinct([name for _, _, name in items]), strict=True))
        self._plan: ArchivePlan | None = None

    @property
    def content_length(self) -> int | None:
        """Exact size of the zip in bytes, once it was planned."""
        return None if self._plan is None else self._plan.content_length

    def plan(self) -> ArchivePlan:
        """Look at everything and work out the size.

        Raises
        ------
        StorageError
            If something cannot be listed.
        """
        self._plan = _weigh(self._found())
        return self._plan

    def plan_within(self, seconds: float) -> ArchivePlan | None:
        """As :meth:`plan`; None where that takes longer, and the zip then goes without a size.

        The first five hundred files and directories are looked at in any case.
        """
        try:
            self._plan = _weigh(_until(time.monotonic() + seconds, self._found()))
        except _OutOfTime:
            return None
        return self._plan

    def __iter__(self) -> Iterator[bytes]:
        """Yield the zip in pieces of at most :data:`PIECE` bytes.

        A thread reads a few pieces ahead, and no more, however slow the reader is. Close the
        iterator to stop early.

        Raises
        ------
        Conflict
            If a file, or the whole, no longer has the size that was planned. The zip is then
            incomplete, such that no program takes it for a whole one.
        StorageError
            If a file cannot be read; with the same consequence.
        """
        with ahead(self._pieces(), depth=_DEPTH) as pieces:
            yield from pieces

    def _pieces(self) -> Iterator[bytes]:
        sink = _Sink()
        # Not in a with statement, which would write the table of contents after an error too,
        # and so make a short zip valid.
        writer = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True)
        near = SmallFiles()
        try:
            with _fetching(read_members(self._found(), near)) as members:
                # Of a large one the first piece goes at once: who waits sees that it works.
                least = 1 if self._plan is None else PIECE
                for member, content in members:
                    if member.content is not None:
                        _write_small(writer, member, member.content)
                    else:
                        with writer.open(member.info, "w") as target:
                            for piece in _content(member, content):
                                target.write(piece)
                                yield from sink.take(PIECE)
                    yield from sink.take(least)
                    least = PIECE
            writer.close()
            expected = self.content_length
            if expected is not None and sink.tell() != expected:
                raise Conflict(
                    "Files came or went while they were zipped",
                    path=self.name,
                    hint="Download it again when nothing writes to it.",
                )
            yield from sink.take(1)
        finally:
            near.close()
            writer.close()

    def _found(self) -> Iterator[Found]:
        for (store, key, _), name in self._items:
            entry, base = store.stat(key), store.local_path(key)
            yield Found(store, entry, name, None if base is None else str(base))
            if entry.is_directory:
                for below in store.walk(key):
                    # Of strings, for paths of pathlib cost more than all the rest.
                    inside = below.path[len(key) :].lstrip("/")
                    path = None if base is None else f"{base}/{inside}"
                    yield Found(store, below, f"{name}/{inside}" if name else inside, path)


class _OutOfTime(Exception):
    """There is more than can be looked at in the time."""


def _until(deadline: float, found: Iterable[Found]) -> Iterator[Found]:
    for number, each in enumerate(found):
        if number >= _ALWAYS and time.monotonic() > deadline:
            raise _OutOfTime
        yield each


def _weigh(found: Iterable[Found]) -> ArchivePlan:
    files = size = offset = directory = count = 0
    for _, entry, path, _ in found:
        name = len(readable(path).encode()) + entry.is_directory
        extra = 0 if seconds_of(entry.modified) is None else UTC_TIME.size
        content = size_of(entry)
        large = content * 1.05 > _LIMIT  # as zipfile decides it
        central = 16 * (content > _LIMIT) + 8 * (offset > _LIMIT)
        directory += 46 + name + extra + (central and central + 4)
        offset += 30 + name + 20 * large + extra
        offset += content + (24 if large else 16)
        count += 1
        if not entry.is_directory:
            files += 1
            size += entry.size or 0
    zip64 = count > _MANY or offset > _LIMIT or directory > _LIMIT
    return ArchivePlan(files, size, offset + directory + 22 + 76 * zip64)


class _Sink(RawIOBase):
    """Collects what zipfile writes. It cannot seek, which is what zipfile asks it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._waiting = self._position = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        self._waiting += len(piece)
        self._position += len(piece)
        return len(piece)

    def take(self, least: int) -> Iterator[bytes]:
        """Give what was collected, if it is at least so many bytes."""
        if self._waiting < least:
            return
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        collected = memoryview(b"".join(pieces))
        for start in range(0, len(collected), PIECE):
            yield bytes(collected[start : start + PIECE])


@contextmanager
def _fetching(
    members: Iterable[Member],
) -> Iterator[Iterator[tuple[Member, Future[bytes] | None]]]:
    """Fetch small files a few ahead, where each costs a request, without changing the order."""
    stopped = threading.Event()

    def read(member: Member) -> bytes:
        return b"" if stopped.is_set() else member.store.read(member.entry.path)

    pool = ThreadPoolExecutor(_FETCHED, thread_name_prefix="jupyter-storage-zip")

    def fetched() -> Iterator[tuple[Member, Future[bytes] | None]]:
        waiting: deque[tuple[Member, Future[bytes] | None]] = deque()
        for member in members:
            size = member.entry.size
            small = member.entry.type == "file" and size is not None and size <= SMALL
            remote = member.content is None and member.store.local_path("") is None
            waiting.append((member, pool.submit(read, member) if small and remote else None))
            if len(waiting) > _FETCHED:
                yield waiting.popleft()
        yield from waiting

    try:
        yield fetched()
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _content(member: Member, fetched: Future[bytes] | None) -> Iterator[bytes]:
    entry, done = member.entry, 0
    if entry.is_directory:
        return
    if entry.type == "symlink":
        yield link_of(entry)
        return
    for piece in _read(member) if fetched is None else (fetched.result(),):
        done += len(piece)
        if done > member.info.file_size:
            break
        yield piece
    _check_size(member, done)


def _write_small(writer: zipfile.ZipFile, member: Member, content: bytes) -> None:
    """Write a member as zipfile's own handle does, without the handle: it takes twice as long."""
    info, out = member.info, writer.fp
    assert out is not None  # noqa: S101  it is open
    _check_size(member, len(content))
    info.header_offset, info.flag_bits = out.tell(), 0x08  # sizes follow the bytes
    info.CRC, info.compress_size = zlib.crc32(content), info.file_size
    out.write(info.FileHeader(zip64=False))
    out.write(content)
    out.write(_SIZES.pack(b"PK\x07\x08", info.CRC, info.compress_size, info.file_size))
    writer.filelist.append(info)
    writer.NameToInfo[info.filename] = info
    writer.start_dir = out.tell()


def _check_size(member: Member, size: int) -> None:
    if size != member.info.file_size:
        raise Conflict(
            f"It changed while it was zipped: {member.info.file_size:,} bytes were expected",
            path=member.entry.path,
            hint="Download it again when nothing writes to it.",
        )


def _read(member: Member) -> Iterator[bytes]:
    with member.store.open(member.entry.path) as pieces:
        yield from pieces
