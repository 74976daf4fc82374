"""Tickets for downloads that a browser starts by itself, where no header can be set."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_storage.errors import NotFound

if TYPE_CHECKING:
    from jupyter_storage.archives import Archive

__all__ = ["LIFE", "Ticket", "Tickets"]

LIFE = 3600.0  # seconds
MOST = 1000  # tickets that are kept; the oldest go first


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to download something.

    Attributes
    ----------
    content : Archive or str
        A planned zip, which can be sent once; or the path of one file.
    name : str
        File name of the download.
    owner : str or None
        Who may use it; None where the server does not know its users apart.
    """

    content: Archive | str
    name: str
    owner: str | None


class Tickets:
    """Issues tickets and takes them back. Lives on the event loop: not for several threads.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: OrderedDict[str, tuple[float, Ticket]] = OrderedDict()

    def issue(self, ticket: Ticket) -> str:
        """Keep a ticket for :data:`LIFE` seconds and return its ID, which cannot be guessed."""
        self._forget_old()
        identifier = secrets.token_urlsafe(32)
        self._tickets[identifier] = (self._clock() + LIFE, ticket)
        return identifier

    def redeem(self, identifier: str, owner: str | None) -> Ticket:
        """Use a ticket: one for a zip is gone with that.

        Parameters
        ----------
        identifier : str
            From :meth:`issue`.
        owner : str or None
            Who asks.

        Raises
        ------
        NotFound
            If there is none, or it is somebody else's: the two cannot be told apart.
        """
        self._forget_old()
        _, ticket = self._tickets.get(identifier, (0.0, None))
        if ticket is None or ticket.owner not in (None, owner):
            raise NotFound(
                "This download link is not valid, or no longer",
                hint="A link is good for one hour, for a zip only once: start the download again.",
            )
        if not isinstance(ticket.content, str):
            del self._tickets[identifier]
        return ticket

    def _forget_old(self) -> None:
        now = self._clock()
        while self._tickets:
            oldest, (expires, _) = next(iter(self._tickets.items()))
            if expires > now and len(self._tickets) < MOST:
                break
            del self._tickets[oldest]
