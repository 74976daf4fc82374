"""A program that a command runs to its end, so that something can be done after it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from jupyter_storage.commands.command import refuse
from jupyter_storage.errors import os_errors

__all__ = ["Program"]

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


class Program:
    """One program with its arguments.

    Parameters
    ----------
    words : sequence of str

    Raises
    ------
    InvalidRequest
        If there is no such program.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if shutil.which(words[0]) is None:
            raise refuse(
                f"There is no program '{words[0]}'", "Write its path, or install it.", path=words[0]
            )
        self._words = list(words)
        self._child: subprocess.Popen[bytes] | None = None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """As long as the context lasts, a request to end is the program's, and not ours.

        Before it has begun, it is as Ctrl-C.
        """
        if threading.current_thread() is not threading.main_thread():
            # Signals come to the main thread alone.
            yield
            return
        before = {
            number: signal.signal(number, self._pass_on)
            for number in _PASSED_ON
            # With nohup it is not to end with its terminal.
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self) -> int:
        """Run it to its end.

        Returns
        -------
        int
            Its exit status, as a shell gives it.
        """
        with _deaf_to_interrupts(), os_errors(self._words[0]):
            self._child = subprocess.Popen(self._words)  # noqa: S603  a person's own words
            status = self._child.wait()
        return status if status >= 0 else 128 - status

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            raise KeyboardInterrupt
        # Nothing happens if it has ended: what is to be done after it is done first.
        self._child.send_signal(number)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C reaches all that runs in a terminal: the program decides what comes of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not SIG_IGN, which the program would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
