"""Copies, moves and deletions that run in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_storage.errors import NotFound
from jupyter_storage.records import ConflictPolicy, TransferRecord, to_wire
from jupyter_storage.service.distribution import Distribution
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.records import Bench, Failure, Plan, SyncChange, UnfinishedUpload
    from jupyter_storage.transfers.crews import Crew
    from jupyter_storage.transfers.progress import Meter
    from jupyter_storage.transfers.sync import SyncOptions

__all__ = ["Transfers"]


class Transfers(Distribution):
    """The service's part that moves bytes."""

    def estimate(
        self,
        sources: Sequence[str],
        destination: str,
        *,
        recursive: bool = False,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
    ) -> Plan:
        """Say what :meth:`copy` would do, without doing it."""
        from jupyter_storage.advice import Weighing

        places = [self._locations.place(source) for source in sources]
        target = self._locations.place(destination)
        cargo = Weighing()
        plan = self._engine.estimate(
            places,
            target,
            recursive=recursive,
            policy=conflict,
            into=into,
            inspect=cargo.add,
        )
        return self._advised(plan, cargo.sum(), places, target)

    def copy(
        self,
        sources: Sequence[str],
        destination: str,
        *,
        recursive: bool = False,
        move: bool = False,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
        into: bool = False,
        force: bool = False,
        verify: bool = False,
        crew: Crew | None = None,
    ) -> TransferRecord:
        """Start to copy or move; ``docs/transfers.md`` says what lands where.

        Whoever gives a ``crew`` got it from :meth:`crew` for the same paths.

        Returns
        -------
        TransferRecord
            Of a transfer that runs in the background: see :meth:`wait`.
        """
        places = [self._locations.place(source) for source in sources]
        target = self._locations.place(destination)
        if move:
            for place in places:
                self._locations.guard(place, force=force, deletes=True)
        self._locations.guard(target, force=force)
        request = {
            "operation": "move" if move else "copy",
            "sources": [_spelled(place) for place in places],
            "destination": _spelled(target),
            "options": {
                "recursive": recursive,
                "conflict": conflict.value,
                "into": into,
                "force": force,
                "verify": verify,
            },
            "places": [place.store.uri + "/" + place.key for place in (*places, target)],
        }

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                self._engine.copy(
                    places,
                    target,
                    recursive=recursive,
                    policy=conflict,
                    move=move,
                    into=into,
                    verify=verify,
                    meter=meter,
                    cancel=cancel,
                    journal=self._journals.open(request),
                    crew=crew,
                )
            finally:
                self._changed(target, itself=True)
                if move:
                    for place in places:
                        self._changed(place)

        return self._jobs.start("move" if move else "copy", sources, destination, work)

    def sync(
        self,
        source: str,
        destination: str,
        options: SyncOptions,
        *,
        force: bool = False,
        crew: Crew | None = None,
    ) -> TransferRecord:
        """Start to make a directory like another, as a transfer with progress.

        Parameters
        ----------
        source, destination : str
        options : SyncOptions
        force : bool
            Also where system data is.
        crew : Crew, optional
            From :meth:`crew`, for the same paths.
        """
        place, target, options = self._sync_ends(source, destination, options, force=force)
        request = {
            "operation": "sync",
            "sources": [_spelled(place)],
            "destination": _spelled(target),
            "options": {**to_wire(options), "force": force, "max_delete": None},
            # Another number is no other request, and the one that was agreed to holds.
            "limit": options.max_delete,
            "places": [end.store.uri + "/" + end.key for end in (place, target)],
        }

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                journal = self._journals.open(request)
                self._engine.sync(
                    place,
                    target,
                    options,
                    meter=meter,
                    cancel=cancel,
                    journal=journal,
                    crew=crew,
                )
            finally:
                self._changed(target, itself=True)

        return self._jobs.start("sync", [source], destination, work)

    def sync_changes(
        self, source: str, destination: str, options: SyncOptions, *, force: bool = False
    ) -> Iterator[SyncChange | Failure]:
        """Say what :meth:`sync` would do, one thing after the other."""
        from jupyter_storage.transfers.sync import changes

        place, target, options = self._sync_ends(source, destination, options, force=force)
        return changes(place, target, options, threading.Event())

    def check(
        self,
        source: str,
        destination: str,
        options: SyncOptions,
        *,
        one_way: bool = False,
        crew: Crew | None = None,
    ) -> TransferRecord:
        """Start to compare two directories by content; what differs is a failure of the record.

        Parameters
        ----------
        source, destination : str
        options : SyncOptions
            What is compared.
        one_way : bool
            Whether the destination may have more.
        crew : Crew, optional
            From :meth:`crew`, for the same paths.
        """
        from jupyter_storage.transfers.checking import check

        place, target = self._locations.place(source), self._locations.place(destination)
        options = replace(options, kept=self._locations.system_below(target))

        def work(meter: Meter, cancel: threading.Event) -> None:
            check(
                place,
                target,
                options,
                one_way=one_way,
                concurrency=self.settings.concurrency,
                meter=meter,
                cancel=cancel,
                crew=crew,
            )

        return self._jobs.start("check", [source], destination, work)

    def _sync_ends(
        self, source: str, destination: str, options: SyncOptions, *, force: bool
    ) -> tuple[Place, Place, SyncOptions]:
        place, target = self._locations.place(source), self._locations.place(destination)
        self._locations.guard(target, force=force)
        if not force:
            options = replace(options, kept=self._locations.system_below(target))
        return place, target, options

    def remove(
        self, paths: Sequence[str], *, recursive: bool = False, force: bool = False
    ) -> TransferRecord:
        """Start to delete, as a transfer with progress."""
        places = [self._locations.place(path) for path in paths]
        for place in places:
            self._locations.guard(place, force=force, deletes=True)

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                self._engine.delete(places, recursive=recursive, meter=meter, cancel=cancel)
            finally:
                for place in places:
                    self._changed(place)

        return self._jobs.start("delete", paths, None, work)

    def interrupted(self) -> Sequence[TransferRecord]:
        """List transfers that were cut off and can be gone on with, the newest first."""
        return [
            TransferRecord(
                left.id,
                left.request["operation"],
                tuple(left.request["sources"]),
                left.request["destination"],
                "cancelled",
                bytes_done=left.size,
                files_done=left.files,
                started=left.started,
            )
            for left in self._journals.left()
        ]

    def resume(self, identifier: str) -> TransferRecord:
        """Go on with a transfer that was cut off.

        Raises
        ------
        NotFound
            If there is none, or somebody else goes on with it.
        """
        left = self._journals.find(identifier)
        if left is None:
            raise NotFound(
                f"There is no interrupted transfer '{identifier[:64]}'",
                hint="It is done, under way or forgotten; start it again.",
            )
        request, options = left.request, dict(left.request["options"])
        if request["operation"] == "sync":
            from jupyter_storage.transfers.sync import SyncOptions

            source, force = request["sources"][0], options.pop("force", False)
            chosen = SyncOptions(**{**options, "max_delete": request.get("limit")})
            return self.sync(source, request["destination"], chosen, force=force)
        options["conflict"] = ConflictPolicy(options["conflict"])
        move = request["operation"] == "move"
        return self.copy(request["sources"], request["destination"], move=move, **options)

    def forget(self, identifier: str) -> None:
        """Forget a transfer that was cut off."""
        self._journals.forget(identifier)

    def unfinished(self, path: str) -> Iterator[UnfinishedUpload]:
        """Find uploads below a path that nobody has completed."""
        place = self._locations.place(path)
        with place.naming():
            for upload in place.store.unfinished(place.key):
                yield replace(upload, path=place.label + upload.path)

    def discard(self, upload: UnfinishedUpload) -> None:
        """Throw away what :meth:`unfinished` found."""
        place = self._locations.place(upload.path)
        with place.naming():
            place.store.discard(replace(upload, path=place.key))

    def bench(self, path: str, *, size: int, files: int) -> Bench:
        """Try out how fast a directory is; see :func:`jupyter_storage.transfers.bench.bench`."""
        from jupyter_storage.transfers.bench import bench

        place = self._locations.place(path)
        self._locations.guard(place, force=False)
        return bench(
            place,
            size=size,
            files=files,
            concurrency=self.settings.concurrency,
            cancel=threading.Event(),
        )

    def transfers(self) -> Sequence[TransferRecord]:
        """List transfers of this process, newest first."""
        return self._jobs.list()

    def transfer(self, identifier: str) -> TransferRecord:
        """Describe one transfer."""
        return self._jobs.get(identifier)

    def wait(self, identifier: str, timeout: float | None = None) -> TransferRecord:
        """Wait for a transfer to end, for at most ``timeout`` seconds."""
        return self._jobs.wait(identifier, timeout)

    def cancel(self, identifier: str) -> TransferRecord:
        """Ask a transfer to stop."""
        return self._jobs.cancel(identifier)


def _spelled(place: Place) -> str:
    """Write a place such that it means the same in another directory."""
    return f"{place.path}/" if place.directory and place.key else place.path
