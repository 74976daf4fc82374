"""A bar in a terminal that shows how far a transfer is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

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
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[files]}"),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=None, files="")

        def show(record: TransferRecord) -> None:
            files = f"{record.files_done:,}"
            if record.files_total is not None:
                files += f" of {record.files_total:,}"
            progress.update(
                task,
                completed=record.bytes_done,
                total=record.bytes_total,
                files=f"{files} files" if record.files_done or record.files_total else "",
            )

        yield show
