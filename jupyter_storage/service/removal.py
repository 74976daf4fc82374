"""Deletions that can be undone, and the trash that they go to."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from jupyter_storage.errors import Conflict, IsADirectory, StorageError, Unsupported
from jupyter_storage.service.base import Base
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.records import RemovalPlan, TransferRecord, TrashRecord
    from jupyter_storage.transfers.progress import Meter
    from jupyter_storage.trash import Trash, Weight
    from jupyter_storage.trash.bundles import Bundle

__all__ = ["Removal"]

_LISTED = 100  # paths of one deletion that a record has


class Removal(Base):
    """The service's part that deletes such that it can be undone."""

    def removal(self, paths: Sequence[str], *, force: bool = False) -> RemovalPlan:
        """Say what a deletion would take away, counted for two seconds, and if it can be undone.

        Raises
        ------
        NotFound
            If something is not there.
        Protected
            For system data without ``force``.
        """
        return self._planned(self._doomed(paths, force=force))

    def trash(self, paths: Sequence[str]) -> TransferRecord:
        """Start to move files and directories to the trash of their tiers.

        Where that cannot be (see :meth:`removal`) the transfer fails, and nothing is deleted.
        """
        from jupyter_storage.trash import Weight

        places = self._doomed(paths, force=False)

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                plan = self._planned(places)
                if not plan.undoable:
                    raise Unsupported(
                        f"It cannot go to the trash: {plan.reason[:1].lower()}{plan.reason[1:]}",
                        path=paths[0],
                        hint="Delete it for good, or keep it.",
                    )
                weight = Weight(plan.files, plan.bytes, plan.complete)
                for tier, own in _by_tier(places).items():
                    self._trash(tier).put(own, weight, meter=meter, cancel=cancel)
                    # A server may run for months: what is old goes when something comes.
                    with suppress(StorageError):
                        self._expire(tier)
            finally:
                for place in places:
                    self._changed(place)

        return self._jobs.start("delete", paths, None, work)

    def trash_at_once(self, path: str, *, recursive: bool = False) -> bool:
        """Move one thing to the trash of its tier, at once; False where that cannot be.

        Raises
        ------
        NotFound
            If it is not there.
        IsADirectory
            For a directory without ``recursive``.
        """
        from jupyter_storage.trash import weigh

        [place] = places = self._doomed([path], force=False)
        with place.naming():
            entry = place.store.stat(place.key)
        if entry.is_directory and entry.link is None and not recursive:
            raise IsADirectory("It is a directory", path=place.path)
        weight = weigh(places)
        if self._problem(places, weight):
            return False
        [tier] = _by_tier(places)
        try:
            self._trash(tier).put_one(place, weight)
        finally:
            self._changed(place)
        with suppress(StorageError):
            self._expire(tier)
        return True

    def trashed(self, tier: str | None = None) -> Iterator[TrashRecord]:
        """List what is in the trash of one tier, or of all that answer, the newest first."""
        for name in [tier] if tier else list(self._locations.tiers):
            try:
                for bundle in self._trash(name).bundles():
                    yield self._described(name, bundle)
            except StorageError:
                # One that does not answer says so in the list of tiers.
                if tier:
                    raise

    def restore_trash(self, tier: str, identifier: str) -> TransferRecord:
        """Start to bring back what one deletion took away; nothing is replaced.

        Raises
        ------
        NotFound
            If it is not in the trash.
        """
        trash = self._trash(tier)
        bundle = trash.bundle(identifier)
        places = [self._locations.place(f"{tier}:{key}") for key in bundle.keys]
        for place in places:
            self._locations.guard(place, force=False)

        def work(meter: Meter, cancel: threading.Event) -> None:
            try:
                trash.restore(bundle, meter=meter, cancel=cancel)
            finally:
                for place in places:
                    self._changed(place)

        sources = [place.path for place in places]
        return self._jobs.start("undelete", sources, f"{tier}:", work)

    def empty_trash(
        self,
        tier: str | None = None,
        identifiers: Sequence[str] | None = None,
        *,
        before: datetime | None = None,
    ) -> TransferRecord:
        """Start to delete for good: some of a tier's trash, what is old, or all of it.

        Parameters
        ----------
        tier : str, optional
            All that answer unless given.
        identifiers : sequence of str, optional
            Only these, of one tier.
        before : datetime, optional
            Only what was deleted earlier.
        """
        if identifiers is not None and tier is None:
            raise Conflict("IDs are those of one tier", hint="Name the tier.")
        names = [tier] if tier else list(self._locations.tiers)
        trashes = [self._trash(name) for name in names] if tier else []

        def work(meter: Meter, cancel: threading.Event) -> None:
            for name in names:
                try:
                    trash = trashes[0] if trashes else self._trash(name)
                    trash.empty(identifiers, before=before, meter=meter, cancel=cancel)
                except StorageError:
                    if tier or cancel.is_set():
                        raise

        return self._jobs.start("empty trash", [f"{name}:" for name in names], None, work)

    def expire_trash(self) -> None:
        """Delete for good what has been in the trash for its time."""
        for name in list(self._locations.tiers):
            try:
                self._expire(name)
            except StorageError:
                # A tier that does not answer is looked at again next time.
                continue

    def _expire(self, tier: str) -> None:
        from jupyter_storage.transfers.progress import Meter

        days = self.settings.trash_days
        if days:
            before = datetime.now(timezone.utc) - timedelta(days=days)
            self._trash(tier).empty(before=before, meter=Meter(), cancel=threading.Event())

    def _planned(self, places: Sequence[Place]) -> RemovalPlan:
        from jupyter_storage.records import RemovalPlan
        from jupyter_storage.trash import weigh

        weight = weigh(places)
        problem = self._problem(places, weight)
        return RemovalPlan(
            weight.files,
            weight.bytes,
            weight.complete,
            not problem,
            problem,
            self.settings.trash_days,
        )

    def _problem(self, places: Sequence[Place], weight: Weight) -> str:
        if not self.settings.trash_days:
            return "The trash is turned off"
        if not all(place.label.endswith(":") for place in places):
            return "It lies on no tier"
        problems = (
            self._trash(tier).problem(own, weight, self.settings.trash_copy_limit)
            for tier, own in _by_tier(places).items()
        )
        return next(filter(None, problems), "")

    def _trash(self, tier: str) -> Trash:
        from jupyter_storage.trash import Trash

        store = self._locations.open_tier(self._locations.tier(tier))
        root = Place(store, "", f"{tier}:")
        return Trash(root, self.settings.user_id, concurrency=self.settings.concurrency)

    def _described(self, tier: str, bundle: Bundle) -> TrashRecord:
        from jupyter_storage.records import TrashRecord

        days = self.settings.trash_days
        return TrashRecord(
            bundle.id,
            tier,
            tuple(f"{tier}:{key}" for key in bundle.keys[:_LISTED]),
            len(bundle.keys),
            bundle.weight.files,
            bundle.weight.bytes,
            bundle.deleted,
            bundle.deleted + timedelta(days=days) if days else None,
        )

    def _doomed(self, paths: Sequence[str], *, force: bool) -> list[Place]:
        places = [self._locations.place(path) for path in paths]
        for place in places:
            self._locations.guard(place, force=force, deletes=True)
        return [replace(place, directory=False) for place in places]


def _by_tier(places: Sequence[Place]) -> dict[str, list[Place]]:
    tiers: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        tiers[place.label.removesuffix(":")].append(place)
    return tiers
