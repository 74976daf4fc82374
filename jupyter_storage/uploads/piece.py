"""A piece of an upload on its way."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from jupyter_storage.errors import ChecksumMismatch, Conflict, InvalidRequest, NotFound, os_errors
from jupyter_storage.uploads.staging import hold
from jupyter_storage.uploads.states import BEGIN_AGAIN, State

__all__ = ["Piece"]


class Piece:
    """A run of bytes on its way. As a context manager it aborts unless it was committed.

    Parameters
    ----------
    state : State
        Of the upload that it belongs to.
    crc : int or None
        Its CRC-32, where the sender gave one.
    end : callable
        Told where the next piece begins, or None where that could not be made sure of.
    """

    def __init__(self, state: State, crc: int | None, end: Callable[[int | None], None]) -> None:
        self._state, self._expected, self._ended = state, crc, end
        self._crc = self._written = 0
        self._open = True
        with os_errors(state.path):
            try:
                self._file = Path(state.staged).open("r+b", buffering=0)  # noqa: SIM115
            except FileNotFoundError:
                raise NotFound(
                    "What had arrived is gone", path=state.path, hint=BEGIN_AGAIN
                ) from None
            try:
                hold(self._file, state)
                length = self._file.seek(0, os.SEEK_END)
                if length < state.offset:
                    raise Conflict(
                        f"The disk kept only {length:,} of {state.offset:,} bytes",
                        path=state.path,
                        hint=BEGIN_AGAIN,
                    )
                self._file.truncate(state.offset)
                self._file.seek(state.offset)
            except BaseException:
                self._file.close()
                raise

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes.

        Raises
        ------
        InvalidRequest
            If there are more than the upload has. Those up to then count as arrived.
        NoSpace
        """
        view = memoryview(data)
        room = self._state.size - self._state.offset - self._written
        if len(view) > room:
            raise InvalidRequest(
                f"More bytes came than the {self._state.size:,} that were announced",
                path=self._state.path,
                hint="Begin again with the right size.",
            )
        if self._expected is not None:
            self._crc = zlib.crc32(view, self._crc)
        with os_errors(self._state.path):
            while view:
                written = self._file.write(view)
                self._written += written
                view = view[written:]

    def commit(self) -> int:
        """Accept the piece.

        Returns
        -------
        int
            Where the next one begins.

        Raises
        ------
        ChecksumMismatch
            If the checksum differs. Nothing of the piece is kept.
        NotFound
            If the upload was aborted meanwhile.
        """
        if self._expected is not None and self._crc != self._expected:
            self.abort()
            raise ChecksumMismatch(
                f"The piece's checksum is {self._crc:08x}, not {self._expected:08x}",
                path=self._state.path,
                hint=f"Nothing of it was kept: send it again from byte {self._state.offset}.",
            )
        return self._end(self._written)

    def abort(self) -> None:
        """The rest will not come: keep what arrived, if no checksum was to tell about it.

        Does nothing after :meth:`commit` or a second time.
        """
        if self._open:
            with suppress(NotFound):
                self._end(self._written if self._expected is None else 0)

    def __enter__(self) -> Piece:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()

    def _end(self, kept: int) -> int:
        self._open = False
        offset = self._state.offset + kept
        reached = None
        try:
            with os_errors(self._state.path):
                self._file.truncate(offset)
                self._file.close()
            reached = offset
        finally:
            self._file.close()
            self._ended(reached)
        return offset
