"""The one interface that every store has.

A store is a root (a directory, or a prefix in a bucket) and the few verbs that everything above
is built from. Keys are clean (see :mod:`jupyter_storage.paths`): callers check them once, on the
way in. All verbs block: faces call them in worker threads. Stores are safe to use from several
threads at once.

Contract
--------
- Every failure is a :class:`~jupyter_storage.errors.StorageError` whose ``path`` is the key.
- A file is visible under its name only when it is whole: writers write elsewhere and publish
  last (rename, or the completion of a multi-part upload).
- Directories are exact: ``data`` never includes ``data2`` or ``data.bak``.
- Listings are as fresh as the store can make them; nothing is cached here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.errors import IsADirectory, NotFound, Unsupported
from jupyter_storage.records import Entry, Page, UnfinishedUpload, Usage
from jupyter_storage.stores.checksums import Checksum
from jupyter_storage.stores.writer import CHUNK, Fill, Progress, Writer

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["CHUNK", "Fill", "Progress", "Store", "Writer"]


class Store(ABC):
    """A root and its verbs.

    Attributes
    ----------
    uri : str
        The root, without a trailing slash: ``s3://bucket/prefix``, ``file:///mnt/x``.
    keeps_links : bool
        Whether symbolic links can be stored (directories only).
    keeps_directories : bool
        Whether a directory exists on its own; else an empty one is a marker object.
    """

    keeps_links: bool = False
    keeps_directories: bool = False

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/") or uri

    # Looking

    @abstractmethod
    def stat(self, key: str) -> Entry:
        """Describe one file or directory.

        Raises
        ------
        NotFound
            If there is neither. The root always exists as a directory unless the store is
            unreachable.
        """

    def details(self, key: str) -> Mapping[str, str]:
        """Tell what is known of a file besides :meth:`stat`, for a person to read.

        Names are ``owner``, ``group``, ``permissions``, ``storage_class``, ``content_type``,
        ``etag``, ``version`` and ``encryption``; what the store does not know is left out.
        """
        return {}

    @abstractmethod
    def list(self, key: str = "", *, cursor: str | None = None, limit: int = 1000) -> Page:
        """List one level of a directory, a page at a time, sorted by key.

        Object stores count the slash at a directory's end: ``data.bak`` comes before ``data/``.

        Parameters
        ----------
        key : str
            The directory.
        cursor : str, optional
            From the page before.
        limit : int
            Most entries in a page, from 1; fewer may come while a cursor says that there is more.

        Raises
        ------
        NotFound
            If there is no such directory.
        NotADirectory
            If it is a file.
        """

    @abstractmethod
    def walk(self, key: str = "") -> Iterator[Entry]:
        """Yield everything below a directory: files, links as links, and directories.

        They come in the order of their keys, where a directory's ends with a slash: ``a-b`` comes
        before what is in ``a``. So two walks can be compared as they come.

        Object stores yield directories only where a marker object stands for one; a directory
        comes before what is in it where both are yielded. Links are not followed.

        Raises
        ------
        NotFound, NotADirectory
            As :meth:`list`.
        """

    def checksums(self, key: str) -> Sequence[Checksum]:
        """What is known of a file's content without reading it, the cheapest to compare first.

        Empty where nothing is known. ``checksum.matches(pieces)`` compares other bytes.

        Raises
        ------
        NotFound, IsADirectory
        """
        entry = self.stat(key)
        if entry.is_directory:
            raise IsADirectory("It is a directory", path=key)
        known = Checksum.parse(entry.checksum)
        return () if known is None else (known,)

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Path on this machine, or None where there is none. The file need not exist."""

    # Bytes

    @abstractmethod
    def open(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a file, or a range of it, in pieces of at most :data:`CHUNK` bytes.

        ``length`` None means to the end. A range beyond the end gives what there is. A stream
        that ends early raises :class:`~jupyter_storage.errors.Unreachable` instead of ending.
        """

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a file, or a range of it, into memory. For small things."""
        with self.open(key, offset=offset, length=length) as pieces:
            return b"".join(pieces)

    def fill(self, key: str, size: int, write: Fill, *, progress: Progress) -> bool:
        """Fetch a file in pieces of any order, where that is faster than :meth:`open`.

        Parameters
        ----------
        key : str
        size : int
            As it was listed.
        write : callable
        progress : callable
            Hears of bytes, and often of none: an exception of its ends it.

        Returns
        -------
        bool
            False where nothing was done: read it in order.
        """
        return False

    @abstractmethod
    def create(
        self,
        key: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer:
        """Begin to write a file; directories above it come into being.

        Parameters
        ----------
        key : str
            Where it will be.
        exclusive : bool
            Fail with AlreadyExists where something is there at the moment of commit.
        size : int, optional
            If it is known: lets the store choose the size of parts, and refuse early what
            cannot fit.
        modified : datetime, optional
            Modification time to keep, where the store can.

        Raises
        ------
        IsADirectory
            If a directory has that name. Object stores may say so at the commit.
        """

    def resume(
        self,
        key: str,
        token: str,
        *,
        exclusive: bool = False,
        size: int | None = None,
        modified: datetime | None = None,
    ) -> Writer | None:
        """Go on with a file that an earlier writer left; see :meth:`create`.

        The writer takes the file from its beginning: it compares what is there already, and does
        not send it again.

        Parameters
        ----------
        token : str
            The earlier writer's :attr:`Writer.token`.

        Returns
        -------
        Writer or None
            None where that cannot be gone on with: begin anew.
        """
        return None

    def unfinished(self, key: str = "") -> Iterator[UnfinishedUpload]:
        """Find uploads below a directory that nobody has completed, their paths being keys."""
        return iter(())

    def discard(self, upload: UnfinishedUpload) -> None:
        """Throw away what :meth:`unfinished` found; nothing happens if it is gone."""
        return

    def creates_exclusively(self) -> bool:
        """Whether of two that create the same file at the same moment one surely fails.

        May ask the service, the first time.
        """
        return True

    def write(
        self,
        key: str,
        data: bytes | memoryview,
        *,
        exclusive: bool = False,
        modified: datetime | None = None,
    ) -> Entry:
        """Write a small file whole."""
        with self.create(key, exclusive=exclusive, size=len(data), modified=modified) as writer:
            writer.write(data)
            return writer.commit()

    # Changing

    @abstractmethod
    def make_directory(self, key: str) -> None:
        """Make a directory and those above it; nothing happens if it exists.

        Raises
        ------
        AlreadyExists
            If a file has that name.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete one file or link.

        Raises
        ------
        NotFound, IsADirectory
        """

    def delete_files(self, keys: Sequence[str]) -> None:
        """Delete files and links; what is not there any more is as it should be."""
        for key in keys:
            with suppress(NotFound):
                self.delete(key)

    @abstractmethod
    def delete_directory(self, key: str, *, progress: Progress | None = None) -> int:
        """Delete exactly this directory with all that is in it, and return how many files.

        ``progress`` is called with numbers of files. With the root's key the content goes and
        the root stays.
        """

    def delete_empty(self, key: str) -> None:
        """Delete a directory, unless something is in it: then it stays, and nothing is said."""
        page = self.list(key, limit=1)
        if not page.entries and page.cursor is None:
            self.delete_directory(key)

    def can_copy_from(self, source: Store) -> bool:
        """Whether :meth:`copy_from` moves no byte through this process for that source."""
        return False

    def copy_from(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        """Copy one file inside the service or the kernel.

        Only where :meth:`can_copy_from`. The modification time goes along where it can.
        """
        raise Unsupported("This store cannot copy by itself", path=key)

    @abstractmethod
    def rename(self, key: str, to: str, *, exclusive: bool = True) -> None:
        """Rename a file or an exact directory inside the store.

        Raises
        ------
        AlreadyExists
            If the target exists and ``exclusive``, or is a directory that is not empty.
        InvalidRequest
            If a directory would move into itself.
        """

    # The rest

    @abstractmethod
    def filesystem(self) -> tuple[AbstractFileSystem, str]:
        """An fsspec file system for a person's own code, and the root's path in it."""

    def url(self, key: str, *, expires: int = 3600) -> str:
        """Make a link that works without credentials for ``expires`` seconds."""
        raise Unsupported(
            "This tier has no links that work without credentials",
            path=key,
            hint="Copy the file to an object store first.",
        )

    def usage(self) -> Usage:
        """Room in the root, where it is cheap to tell."""
        return Usage()

    @abstractmethod
    def check(self) -> None:
        """Do the cheapest thing that shows that the root can be used; raise why it cannot."""

    def close(self) -> None:
        """Give back connections."""
        return
