"""How full tiers are, what fills them, and what a copy would mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_storage.config import Settings
from jupyter_storage.errors import StorageError
from jupyter_storage.service.base import Listener
from jupyter_storage.service.removal import Removal
from jupyter_storage.tiers.registry import options_for
from jupyter_storage.transfers.places import Place

if TYPE_CHECKING:
    from jupyter_storage.advice import Cargo
    from jupyter_storage.records import Advice, Plan, TierRecord, UsageReport
    from jupyter_storage.usage import Points, Surveys

__all__ = ["UsageOf"]

_TELLING = 1_000_000  # bytes; what is less says nothing about speed


class UsageOf(Removal):
    """The service's part that counts, thinks ahead and gives advice."""

    def __init__(self, settings: Settings, *, listener: Listener | None = None) -> None:
        super().__init__(settings, listener=listener)
        self._counts: Surveys | None = None
        self._kept: Points | None = None

    def usage(self, tier: str) -> UsageReport:
        """Give the count of a tier that goes on, else the last one."""
        self._locations.tier(tier)
        return self._surveys.report(tier)

    def count_usage(self, tier: str) -> UsageReport:
        """Begin to count a tier in the background, unless that is under way."""
        return self._surveys.start(self._root(tier), lambda: self._trash_bytes(tier))

    def cancel_usage(self, tier: str) -> UsageReport:
        """Ask a count to stop; what was counted stays."""
        self._locations.tier(tier)
        return self._surveys.cancel(tier)

    def survey(self, tier: str) -> UsageReport:
        """Count a tier now, to the end."""
        from jupyter_storage.usage.survey import Survey

        report = Survey(self._root(tier)).run(self._trash_bytes(tier))
        self._counted(report)
        return report

    def _with_usage(self, record: TierRecord) -> TierRecord:
        """Add what only counting tells, and when the tier will be full."""
        from jupyter_storage.usage import days_until_full

        if record.name in self.settings.added:
            options = self.settings.tiers[record.name].get("options", {})
            record = replace(record, options=dict(options))
        if record.state != "ok":
            return record
        if record.used is not None:
            self._points.note(record.uri, record.used)
        points = self._points.of(record.uri)
        used = record.used if record.used is not None else points[-1][1] if points else None
        total = record.quota or (
            None if used is None or record.free is None else used + record.free
        )
        days = None
        if used is not None and total is not None:
            days = days_until_full(points, total - used)
        return replace(record, used=used, full_in_days=days)

    def _advised(self, plan: Plan, cargo: Cargo, sources: Sequence[Place], target: Place) -> Plan:
        """Add to a plan how long it will take, and what speaks against it."""
        return replace(
            plan,
            seconds=self._seconds(plan, target),
            advice=tuple(self._advice(cargo, sources, target)),
            cost=self._cost(plan, sources, target),
        )

    def _advice(self, cargo: Cargo, sources: Sequence[Place], target: Place) -> list[Advice]:
        from jupyter_storage.advice import advise

        on_tier = target.label.endswith(":")
        ends = {place.label: self._region(place) for place in (*sources, target)}
        return advise(
            cargo,
            target.label[:-1] if on_tier else None,
            directory=target.store.local_path("") is not None,
            regions={label: region for label, region in ends.items() if region},
        )

    def _cost(self, plan: Plan, sources: Sequence[Place], target: Place) -> float | None:
        from jupyter_storage.costs import estimate_cost, is_billed

        def billed(place: Place) -> bool:
            uri = place.store.uri
            return is_billed(uri, options_for(uri, self.settings), os.environ)

        reads, writes = any(map(billed, sources)), billed(target)
        if not reads and not writes:
            return None
        regions = {self._region(place) for place in (*sources, target)} - {""}
        crosses = len(regions) > 1
        return estimate_cost(plan.files, plan.bytes, reads=reads, writes=writes, crosses=crosses)

    def _region(self, place: Place) -> str:
        if place.store.local_path("") is not None:
            return ""
        return str(options_for(place.store.uri, self.settings).get("region") or "")

    def _seconds(self, plan: Plan, target: Place) -> float | None:
        """At the speed of the last transfer to the same place, by bytes and by files."""
        for record in self._jobs.list() if self._started is not None else []:
            if (
                record.operation in {"copy", "move"}
                and record.state == "done"
                and record.started is not None
                and record.finished is not None
                and record.bytes_done >= _TELLING
                and (record.destination or "").startswith(target.label)
            ):
                took = max(0.001, (record.finished - record.started).total_seconds())
                by_bytes = plan.bytes * took / record.bytes_done
                large = record.bytes_done / max(1, record.files_done) > _TELLING
                # Of a few large files nothing is learnt about many small ones.
                by_files = 0.0 if large else plan.files * took / max(1, record.files_done)
                return max(by_bytes, by_files)
        return None

    @property
    def _surveys(self) -> Surveys:
        from jupyter_storage.usage import Surveys

        with self._lock:
            if self._counts is None:
                self._counts = Surveys(self._counted)
            return self._counts

    @property
    def _points(self) -> Points:
        from jupyter_storage.usage import Points

        with self._lock:
            if self._kept is None:
                self._kept = Points(self.settings.data_directory / "usage.json")
            return self._kept

    def _counted(self, report: UsageReport) -> None:
        tier = self._locations.tier(report.tier)
        # What a disk holds is asked of the disk; only the others are known by counting.
        if report.state == "done" and (tier.quota or tier.path is None):
            self._points.note(tier.uri, report.bytes + report.trash_bytes)

    def _root(self, tier: str) -> Place:
        return Place(self._locations.open_tier(self._locations.tier(tier)), "", f"{tier}:")

    def _trash_bytes(self, tier: str) -> int:
        try:
            return self._trash(tier).size()
        except StorageError:
            return 0

    def _stop_counting(self) -> None:
        if self._counts is not None:
            self._counts.close()
