"""A bar in a terminal that shows how far a transfer is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jupyter_storage.commands.rendering import fraction, progress_text
from jupyter_storage.records import TransferRecord

__all__ = ["bar"]


@contextmanager
def bar(title: str) -> Iterator[Callable[[TransferRecord], None]]:
    """Draw a bar on standard error until the context ends.

    Parameters
    ----------
    title : str
        What is being done.

    Yields
    ------
    callable
        To be called with the transfer as it is now.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=None, text="")

        def show(record: TransferRecord) -> None:
            done = fraction(record)
            progress.update(
                task,
                completed=done,
                total=None if done is None else 1.0,
                text=progress_text(record),
            )

        yield show
