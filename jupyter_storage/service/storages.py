"""Storages as documents declare them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_storage.errors import StorageError
from jupyter_storage.paths import join
from jupyter_storage.service.base import Base, Listener

if TYPE_CHECKING:
    from jupyter_storage.config import Settings
    from jupyter_storage.mounts.mounts import Mounts
    from jupyter_storage.records import (
        ApplyPlan,
        MountRecord,
        Plan,
        StorageRecord,
        TransferRecord,
    )
    from jupyter_storage.storages.applying import Applier
    from jupyter_storage.storages.document import Document
    from jupyter_storage.storages.keeper import Keeper
    from jupyter_storage.storages.reach import Reach
    from jupyter_storage.storages.workloads import Workload, Workloads
    from jupyter_storage.tiers import Tier
    from jupyter_storage.transfers.progress import Meter

__all__ = ["Storages"]


class Storages(Base):
    """The service's part that creates storages, and knows which ones it created."""

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._keeper: Keeper | None = None
        self._applier: Applier | None = None
        self._workloads: Workloads | None = None
        self._mounts: Mounts | None = None

    def storages(self) -> Sequence[StorageRecord]:
        """List the storages that were created here, each as it is now."""
        return self._storages()[0].all()

    def storage(self, name: str) -> StorageRecord:
        """Describe one.

        Raises
        ------
        NotFound
        """
        return self._storages()[0].get(name)

    def measure_storage(self, name: str) -> Plan:
        """Say how much deleting one would lose."""
        return self._storages()[0].measure(name)

    def plan_document(
        self, document: Document, *, under: Path | None = None, copied: bool = False
    ) -> ApplyPlan:
        """Say what :meth:`apply_document` would do."""
        return self._storages()[1].plan(document, under, copied=copied)

    def apply_document(
        self,
        document: Document,
        *,
        command: str,
        under: Path | None = None,
        copied: bool = False,
        every: float | None = None,
    ) -> TransferRecord:
        """Start to do what a document says, as a transfer with progress.

        Parameters
        ----------
        document : Document
        command : str
            What a person typed, for the list of storages.
        under : Path, optional
            Directory below which all targets are put.
        copied : bool
            Whether copies stand in for what is to be mounted.
        every : float, optional
            See :meth:`Mounts.copy`.
        """
        applier = self._storages()[1]

        def work(meter: Meter, cancel: threading.Event) -> None:
            applier.apply(
                document,
                command=command,
                under=under,
                copied=copied,
                every=every,
                meter=meter,
                cancel=cancel,
            )

        return self._jobs.start("apply", [document.path], None, work)

    def mounts_below(self) -> Path | None:
        """The directory below which targets are put for who may not write to ``/``, else None."""
        return None if os.access("/", os.W_OK) else self.settings.project / "mounts"

    def plan_file(self, path: str, *, under: Path | None = None, copied: bool = False) -> ApplyPlan:
        """Say what :meth:`apply_file` would do."""
        from jupyter_storage.storages.document import load

        return self.plan_document(load(path), under=under, copied=copied)

    def apply_file(
        self, path: str, *, under: Path | None = None, copied: bool = False
    ) -> TransferRecord:
        """Start to do what a YAML file says, as a transfer with progress."""
        from jupyter_storage.storages.document import load

        command = f"jupyter storage apply {path}"
        return self.apply_document(load(path), command=command, under=under, copied=copied)

    def end_workload(self, workload: Workload) -> TransferRecord:
        """Start to take down what a document put up, as a transfer; see :meth:`Workloads.end`."""
        return self._jobs.start(
            "delete",
            [*map(str, workload.targets), *workload.storages],
            None,
            lambda meter, cancel: self.workloads.end(workload, meter, cancel),
        )

    def delete_storages(self, names: Sequence[str]) -> TransferRecord:
        """Start to delete storages with all that is in them, as a transfer with progress."""
        for name in names:
            self._storages()[0].get(name)
        return self._jobs.start(
            "delete",
            names,
            None,
            lambda meter, cancel: self.workloads.delete(names, meter, cancel),
        )

    def mount(
        self,
        path: str,
        target: Path,
        *,
        read_only: bool = False,
        cached: bool = False,
        mounter: str | None = None,
    ) -> MountRecord:
        """Mount object storage, or a tier, at a directory; see :meth:`Mounts.mount`.

        Parameters
        ----------
        path : str
            ``tier:relative/path``, a URI or a local path.
        target : Path
        read_only, cached : bool
        mounter : str, optional
        """
        reached = self._reached(path, to_write=not read_only)
        return self.mounts.mount(
            target,
            reached.uri,
            reached.options,
            read_only=read_only or reached.read_only,
            cached=cached,
            mounter=mounter,
        )

    def bring_back(self) -> None:
        """Put back what is to be there when a server starts: mounts, tiers, declared storages.

        Raises
        ------
        StorageError
            If one of them could not be; the others are there.
        """
        errors: list[StorageError] = []
        self.mounts.reconcile()
        tiers = [tier for tier in self._locations.tiers.values() if tier.mounted is not None]
        if tiers:
            with ThreadPoolExecutor(len(tiers)) as pool:
                errors += filter(None, pool.map(self._mount_tier, tiers))
        if self.settings.apply_at_start:
            path = str(self.settings.project / Path(self.settings.apply_at_start).expanduser())
            try:
                self.apply_file(path, under=self.mounts_below())
            except StorageError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def mounted_path(self, path: str) -> Path | None:
        """Where a tier on object storage is mounted and alive, as a path of this machine."""
        place = self._locations.place(path)
        for tier in self._locations.tiers.values():
            if tier.mounted is not None and place.label == f"{tier.name}:":
                return tier.mounted / place.key if self.mounts.mounted(tier.mounted) else None
        return None

    def _mount_tier(self, tier: Tier) -> StorageError | None:
        """Mount a tier; gives why it could not be."""
        assert tier.mounted is not None  # noqa: S101  the caller looked
        mode = self.settings.mount_tiers
        try:
            there = self.mounts.mounted(tier.mounted)
            if there is not None and (there.uri, there.mode) != (tier.uri, mode):
                # The configuration says something else by now.
                self.mounts.unmount(tier.mounted)
            cached = mode == "MOUNT_CACHED"
            self.mounts.mount(tier.mounted, tier.uri, tier.options, cached=cached)
        except StorageError as error:
            return error
        return None

    def mount_copy(
        self, path: str, target: Path, *, read_only: bool = False, every: float | None = None
    ) -> TransferRecord:
        """Start to fetch a copy in place of a mount, as a transfer with progress.

        Parameters
        ----------
        path : str
            As for :meth:`mount`.
        target : Path
        read_only : bool
        every : float, optional
            See :meth:`Mounts.copy`.
        """
        reached = self._reached(path, to_write=not read_only)

        def work(meter: Meter, cancel: threading.Event) -> None:
            self.mounts.copy(
                target,
                reached.uri,
                reached.options,
                read_only=read_only or reached.read_only,
                every=every,
                meter=meter,
                cancel=cancel,
            )

        return self._jobs.start("copy", [path], str(target), work)

    def _reached(self, path: str, *, to_write: bool) -> Reach:
        from jupyter_storage.storages.reach import reach

        place = self._locations.place(path)
        local = place.store.local_path(place.key)
        uri = join(place.store.uri, place.key) if local is None else local.absolute().as_uri()
        return reach(self._locations, uri, to_write=to_write)

    @property
    def mounts(self) -> Mounts:
        """Object storage as directories of this machine."""
        from jupyter_storage.mounts.mounts import Mounts

        with self._lock:
            if self._mounts is None:
                self._mounts = Mounts(self.settings.data_directory / "mounts")
            return self._mounts

    @property
    def workloads(self) -> Workloads:
        """What goes when workloads end."""
        return self._storages()[2]

    def _storages(self) -> tuple[Keeper, Applier, Workloads]:
        from jupyter_storage.storages.applying import Applier
        from jupyter_storage.storages.homes import Homes
        from jupyter_storage.storages.keeper import Keeper
        from jupyter_storage.storages.ledger import Ledger
        from jupyter_storage.storages.workloads import Workloads

        mounts = self.mounts
        with self._lock:
            if self._keeper is None or self._applier is None or self._workloads is None:
                ledger = Ledger(self.settings.data_directory / "storages")
                homes = Homes(self._locations, ledger)
                self._keeper = Keeper(self._locations, ledger, homes)
                self._applier = Applier(self._locations, self._engine, homes, ledger, mounts)
                self._workloads = Workloads(homes, self._keeper, ledger, mounts)
            return self._keeper, self._applier, self._workloads
