"""From a document to what it says: planned first, then done, again and again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_storage.errors import Unsupported
from jupyter_storage.locations import Locations
from jupyter_storage.mounts.mounters import choose
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.records import ApplyPlan, ApplyStep, ConflictPolicy, Plan
from jupyter_storage.storages.document import Document, FileMount
from jupyter_storage.storages.homes import Home, Homes
from jupyter_storage.storages.ledger import Ledger
from jupyter_storage.storages.model import Mode, Storage
from jupyter_storage.storages.reach import reach
from jupyter_storage.storages.sources import sources_of
from jupyter_storage.storages.workloads import carrying_on
from jupyter_storage.transfers.engine import Engine
from jupyter_storage.transfers.places import Place
from jupyter_storage.transfers.progress import Meter

__all__ = ["Applier"]

# What changed at the source replaces what is there; what is there alone stays.
_POLICY = ConflictPolicy.NEWER


@dataclass(frozen=True, slots=True)
class _Upload:
    storage: Storage
    home: Home
    sources: list[Place]
    plan: Plan


class Applier:
    """Carries out documents.

    Parameters
    ----------
    locations : Locations
    engine : Engine
    homes : Homes
    ledger : Ledger
    mounts : Mounts
    """

    def __init__(
        self,
        locations: Locations,
        engine: Engine,
        homes: Homes,
        ledger: Ledger,
        mounts: Mounts,
    ) -> None:
        self._locations, self._engine = locations, engine
        self._homes, self._ledger, self._mounts = homes, ledger, mounts

    def plan(
        self, document: Document, under: Path | None = None, *, copied: bool = False
    ) -> ApplyPlan:
        """Say what :meth:`apply` would do. Nothing is changed.

        Parameters
        ----------
        document : Document
        under : Path, optional
            Directory below which all targets are put, for who may not write to ``/``.
        copied : bool
            As in :meth:`apply`.

        Raises
        ------
        InvalidRequest
            Where a local path is not there.
        """
        for mount in document.mounts:
            mount.check()
        steps: list[ApplyStep] = []
        uploads: dict[str, _Upload] = {}
        for name, storage in document.storages().items():
            upload = self._planned(name, storage)
            uploads[name] = upload
            steps += _upload_steps(name, upload)
        for mount in document.mounts:
            steps.append(self._mount_step(mount, uploads, under, copied=copied))
        moving = [step for step in steps if step.action in {"upload", "copy"}]
        return ApplyPlan(
            tuple(steps),
            sum(step.files for step in moving),
            sum(step.bytes for step in moving),
            next(filter(None, map(_obstacle, steps)), ""),
        )

    def apply(
        self,
        document: Document,
        *,
        command: str,
        under: Path | None = None,
        copied: bool = False,
        every: float | None = None,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        """Do what a document says. What is done already is left as it is.

        Parameters
        ----------
        document : Document
        command : str
            What a person typed, for the list of storages.
        under : Path, optional
            As in :meth:`plan`.
        copied : bool
            Whether copies stand in for what is to be mounted.
        every : float
            See :meth:`Mounts.copy`.
        meter : Meter
            Hears of progress, and of entries that failed: the others are carried on with.
        cancel : threading.Event
        """
        for mount in document.mounts:
            mount.check()
        meter.run()
        homes: dict[str, Home] = {}
        for name, storage in document.storages().items():
            with carrying_on(meter, name):
                homes[name] = self._provide(name, storage, command, meter, cancel)
        for mount in document.mounts:
            needed = mount.storage.name if mount.storage is not None else None
            if needed is None or needed in homes:
                with carrying_on(meter, mount.where):
                    home, target = homes[needed] if needed else None, mount.path(under)
                    # What was copied before stays a copy.
                    there = self._mounts.mounted(target)
                    stands_in = copied or (there is not None and there.mode == "COPY")
                    if mount.is_mounted and stands_in:
                        self._stand_in(mount, home, target, every, meter=meter, cancel=cancel)
                    else:
                        self._attach(mount, home, target, meter=meter, cancel=cancel)

    # Storages

    def _planned(self, name: str, storage: Storage) -> _Upload:
        home = self._homes.find(name, storage.store)
        if not storage.local_sources:
            return _Upload(storage, home, [], Plan(0, 0))
        listed = not isinstance(storage.source, str)
        sources = sources_of(storage.local_sources, listed=listed)
        plan = self._engine.estimate(
            sources, self._homes.place(home.uri), recursive=True, policy=_POLICY, into=listed
        )
        return _Upload(storage, home, sources, plan)

    def _provide(
        self, name: str, storage: Storage, command: str, meter: Meter, cancel: threading.Event
    ) -> Home:
        """Make the storage if need be, and bring it up to its source."""
        home = self._homes.find(name, storage.store)
        if not home.exists:
            home = self._homes.make(name, storage, home, command)
        record = None
        if home.kind != "external":
            record = self._homes.claim(name, storage, home, command)
        failed = meter.snapshot().failure_count
        if storage.local_sources:
            listed = not isinstance(storage.source, str)
            self._engine.copy(
                sources_of(storage.local_sources, listed=listed),
                self._homes.place(home.uri),
                recursive=True,
                policy=_POLICY,
                into=listed,
                meter=meter,
                cancel=cancel,
            )
        if record is not None:
            whole = meter.snapshot().failure_count == failed
            self._ledger.put(replace(record, status="READY" if whole else "UPLOAD_FAILED"))
        return home

    # Targets

    def _mount_step(
        self,
        mount: FileMount,
        uploads: dict[str, _Upload],
        under: Path | None,
        *,
        copied: bool,
    ) -> ApplyStep:
        target = mount.path(under)
        storage = mount.storage
        if storage is None or storage.mode is Mode.COPY:
            return self._copy_step(mount, uploads, target)
        uri = uploads[storage.name].home.uri if storage.name else str(storage.source)
        mounted = self._mounts.mounted(target)
        if mounted is not None and mounted.uri == uri and mounted.mode != "COPY":
            return ApplyStep("keep", uri, str(target), note=f"mounted by {mounted.mounter}")
        note = storage.mode.value
        if storage.name is None and reach(self._locations, uri, to_write=True).read_only:
            note += ", read-only: the bucket is not ours to write to"
        if copied or (mounted is not None and mounted.mode == "COPY"):
            return self._stand_in_step(mount, uploads, target, note)
        return ApplyStep("mount", uri, str(target), note=note)

    def _stand_in_step(
        self, mount: FileMount, uploads: dict[str, _Upload], target: Path, note: str
    ) -> ApplyStep:
        step = self._copy_step(mount, uploads, target)
        return replace(step, note=f"in place of {note}: 'flush' brings changes back")

    def _copy_step(self, mount: FileMount, uploads: dict[str, _Upload], target: Path) -> ApplyStep:
        upload = uploads.get(mount.storage.name or "") if mount.storage else None
        source = self._source(mount, upload.home.uri if upload else None)
        if upload is not None and upload.plan.files:
            # Nobody lists what is not there yet: what is on its way is about what will come.
            return ApplyStep("copy", source.path, str(target), upload.plan.files, upload.plan.bytes)
        if upload is not None and not upload.home.exists:
            return ApplyStep("copy", source.path, str(target))
        place = self._locations.place(str(target))
        plan = self._engine.estimate([source], place, recursive=True, policy=_POLICY)
        return ApplyStep(
            "copy" if plan.files else "keep", source.path, str(target), plan.files, plan.bytes
        )

    def _attach(
        self,
        mount: FileMount,
        home: Home | None,
        target: Path,
        *,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        storage = mount.storage
        if storage is None or storage.mode is Mode.COPY:
            self._engine.copy(
                [self._source(mount, home.uri if home else None)],
                self._locations.place(str(target)),
                recursive=True,
                policy=_POLICY,
                meter=meter,
                cancel=cancel,
            )
            return
        uri = home.uri if home else str(storage.source)
        cached = storage.mode is Mode.MOUNT_CACHED
        reached = reach(self._locations, uri, to_write=home is None)
        self._mounts.mount(target, uri, reached.options, read_only=reached.read_only, cached=cached)

    def _stand_in(
        self,
        mount: FileMount,
        home: Home | None,
        target: Path,
        every: float | None,
        *,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        """Fetch a copy in place of a mount."""
        storage = mount.storage
        assert storage is not None  # noqa: S101  only storages are mounted
        uri = home.uri if home else str(storage.source)
        reached = reach(self._locations, uri, to_write=home is None)
        self._mounts.copy(
            target,
            uri,
            reached.options,
            read_only=reached.read_only,
            every=every,
            meter=meter,
            cancel=cancel,
        )

    def _source(self, mount: FileMount, uri: str | None) -> Place:
        if uri is not None:
            return self._homes.place(uri)
        if mount.storage is not None:
            return reach(self._locations, str(mount.storage.source)).place
        source = str(mount.copies)
        if "://" in source:
            return reach(self._locations, source).place
        return self._locations.place(str(Path(source).expanduser().absolute()))


def _obstacle(step: ApplyStep) -> str:
    """Say why something cannot be mounted on this machine, if that is so."""
    if step.action != "mount":
        return ""
    try:
        choose(step.target, step.source, cached=step.note.startswith(Mode.MOUNT_CACHED.value))
    except Unsupported as error:
        return error.message
    return ""


def _upload_steps(name: str, upload: _Upload) -> list[ApplyStep]:
    steps = []
    uri = upload.home.uri
    if not upload.home.exists:
        what = "a bucket" if upload.home.kind == "bucket" else "a part of the artifacts"
        steps.append(ApplyStep("create", name, uri, note=what))
    note = "" if upload.home.kind != "external" else "the bucket is not ours, and never deleted"
    if upload.sources:
        source = ", ".join(place.path.rstrip("/") for place in upload.sources)
        files, size = upload.plan.files, upload.plan.bytes
        steps.append(ApplyStep("upload" if files else "keep", source, uri, files, size, note))
    return steps
