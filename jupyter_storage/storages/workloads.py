"""The end of a workload: what it mounted is taken away, what is not persistent is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.errors import Cancelled, Conflict, StorageError
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.mounts.table import resolved
from jupyter_storage.storages.document import Document
from jupyter_storage.storages.homes import Home, Homes
from jupyter_storage.storages.keeper import Keeper
from jupyter_storage.storages.ledger import Ledger
from jupyter_storage.storages.marks import read_mark
from jupyter_storage.storages.model import Storage
from jupyter_storage.transfers.places import failure
from jupyter_storage.transfers.progress import Meter

__all__ = ["Workload", "Workloads", "carrying_on"]


@dataclass(frozen=True, slots=True)
class Workload:
    """What goes when a workload ends.

    Attributes
    ----------
    targets : tuple of Path
        Directories from which mounts, and copies in place of them, are taken.
    storages : tuple of str
        Names of those that are deleted.
    staying : tuple of str
        Of those that are not, although the document says so now: they were made to stay, or
        somebody works with them already.
    """

    targets: tuple[Path, ...]
    storages: tuple[str, ...]
    staying: tuple[str, ...]


class Workloads:
    """Ends workloads. Only storages that were created here are deleted.

    Parameters
    ----------
    homes : Homes
    keeper : Keeper
    ledger : Ledger
    mounts : Mounts
    """

    def __init__(self, homes: Homes, keeper: Keeper, ledger: Ledger, mounts: Mounts) -> None:
        self._homes, self._keeper = homes, keeper
        self._ledger, self._mounts = ledger, mounts

    def of(self, document: Document, under: Path | None = None) -> Workload:
        """Say what a document put up, whoever applied it here."""
        targets = [mount.path(under) for mount in document.mounts if mount.is_mounted]
        records = {name: self._ledger.get(name) for name in _passing(document)}
        stays = {name: record.persistent for name, record in records.items() if record}
        return _workload(targets, stays)

    def coming(self, document: Document, under: Path | None = None) -> Workload:
        """Say what a document would put up now: what is mounted already is somebody else's."""
        there = self._mounts.targets()
        targets = [
            target for target in self.of(document, under).targets if resolved(target) not in there
        ]
        stays = {}
        for name, storage in _passing(document).items():
            home = self._homes.find(name, storage.store)
            if home.kind != "external":
                mounted = bool(self._mounts.targets(home.uri))
                stays[name] = home.exists and (mounted or self._is_persistent(name, home))
        return _workload(targets, stays)

    def end(self, workload: Workload, meter: Meter, cancel: threading.Event) -> None:
        """Unmount, after all that was written has arrived, and delete. What fails stays.

        Parameters
        ----------
        workload : Workload
        meter : Meter
            Hears of what could not be taken away; the rest is.
        cancel : threading.Event
        """
        meter.run()
        for target in workload.targets:
            with carrying_on(meter, str(target)):
                self._mounts.unmount(target)
        records = [self._ledger.get(name) for name in workload.storages]
        # Somebody may have made one of that name to stay, meanwhile.
        self.delete([each.name for each in records if each and not each.persistent], meter, cancel)

    def delete(self, names: Sequence[str], meter: Meter, cancel: threading.Event) -> None:
        """Delete storages, unless they are mounted: somebody works with them."""
        meter.run()
        for name in names:
            with carrying_on(meter, name):
                record = self._keeper.get(name)
                targets = self._mounts.targets(record.uri)
                if targets:
                    raise Conflict(
                        f"'{name}' is mounted at {', '.join(targets)}",
                        path=name,
                        hint=f"Unmount it first: jupyter storage unmount {' '.join(targets)}.",
                    )
                meter.begin(name)
                self._keeper.delete(name, progress=meter.done, cancel=cancel)

    def _is_persistent(self, name: str, home: Home) -> bool:
        made = read_mark(self._homes.place(home.uri)) or self._ledger.get(name)
        return made is None or made.persistent


def _passing(document: Document) -> dict[str, Storage]:
    return {name: each for name, each in document.storages().items() if not each.persistent}


def _workload(targets: Sequence[Path], stays: Mapping[str, bool]) -> Workload:
    going = tuple(name for name in stays if not stays[name])
    return Workload(tuple(targets), going, tuple(name for name in stays if stays[name]))


@contextmanager
def carrying_on(meter: Meter, name: str) -> Iterator[None]:
    """Do one of several things; what it fails with does not stop the others."""
    try:
        yield
    except Cancelled:
        raise
    except StorageError as error:
        meter.fail(failure(error, name))
