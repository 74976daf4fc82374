"""Counts in the background: one for each tier at a time, the last one kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from jupyter_storage.errors import Conflict
from jupyter_storage.records import UsageReport
from jupyter_storage.transfers.places import Place
from jupyter_storage.usage.survey import Survey

__all__ = ["Surveys"]

_AT_ONCE = 2


class Surveys:
    """Runs counts, and remembers the last of each tier until the process ends.

    Parameters
    ----------
    finished : callable
        Hears of each report that is complete.
    """

    def __init__(self, finished: Callable[[UsageReport], None]) -> None:
        self._finished = finished
        self._lock = threading.Lock()
        self._running: dict[str, Survey] = {}
        self._last: dict[str, UsageReport] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="jupyter-storage-usage")
        self._closed = False

    def start(self, root: Place, trash_bytes: Callable[[], int]) -> UsageReport:
        """Begin to count a tier, unless that is under way."""
        tier = root.label.removesuffix(":")
        with self._lock:
            if self._closed:
                raise Conflict("The server is stopping", hint="Try again when it is back.")
            survey = self._running.get(tier)
            if survey is None:
                survey = self._running[tier] = Survey(root)
                self._pool.submit(self._run, tier, survey, trash_bytes)
        return survey.report()

    def report(self, tier: str) -> UsageReport:
        """Give the count that goes on, else the last one."""
        with self._lock:
            survey, last = self._running.get(tier), self._last.get(tier)
        return survey.report() if survey else last or UsageReport(tier)

    def last(self, tier: str) -> UsageReport | None:
        """Give the last count that came to its end."""
        with self._lock:
            found = self._last.get(tier)
        return found if found is not None and found.state == "done" else None

    def cancel(self, tier: str) -> UsageReport:
        """Ask a count to stop."""
        with self._lock:
            survey = self._running.get(tier)
        if survey is not None:
            survey.cancel()
        return self.report(tier)

    def close(self) -> None:
        """Stop all of them."""
        with self._lock:
            self._closed = True
            for survey in self._running.values():
                survey.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, tier: str, survey: Survey, trash_bytes: Callable[[], int]) -> None:
        try:
            report = survey.run(trash_bytes())
        except BaseException:
            report = UsageReport(tier, "failed", error="It could not be counted.")
            raise
        finally:
            with self._lock:
                self._running.pop(tier, None)
                self._last[tier] = report
        if report.state == "done":
            self._finished(report)
