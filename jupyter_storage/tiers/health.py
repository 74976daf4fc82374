"""Looking at tiers without waiting for the ones that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from jupyter_storage.errors import NotConfigured, NotFound, StorageError
from jupyter_storage.records import TierRecord, Usage
from jupyter_storage.redact import redact
from jupyter_storage.stores.store import Store
from jupyter_storage.tiers.tier import Tier

__all__ = ["Health"]


class Health:
    """Checks tiers side by side, each within a time limit.

    Parameters
    ----------
    open_tier : callable
        Opens the store of a tier; may fail and may hang.
    timeout : float
        Seconds after which a tier is called unreachable.

    Notes
    -----
    A dead network disk can hold a thread for ever in the kernel. Such a thread is a daemon, and
    while it hangs no second one is started for the same tier.
    """

    def __init__(self, open_tier: Callable[[Tier], Store], timeout: float) -> None:
        self._open_tier = open_tier
        self._timeout = timeout
        self._probes: dict[str, _Probe] = {}
        self._lock = threading.Lock()

    def look(self, tiers: Iterable[Tier], *, wait: float | None = None) -> list[TierRecord]:
        """Describe tiers as they are now.

        Parameters
        ----------
        tiers : iterable of Tier
        wait : float, optional
            Seconds after which a tier that may still answer is said to be ``checking``. Without
            it, all are waited for.

        Returns
        -------
        list of TierRecord
            In the same order, after at most ``timeout`` seconds.
        """
        patient = wait is None or wait >= self._timeout
        deadline = time.monotonic() + (self._timeout if patient else wait or 0.0)
        probes = [self._probe(tier) for tier in tiers]
        return [
            probe.result(max(0.0, deadline - time.monotonic()), patient=patient) for probe in probes
        ]

    def _probe(self, tier: Tier) -> _Probe:
        with self._lock:
            probe = self._probes.get(tier.name)
            if probe is None or probe.done.is_set():
                probe = self._probes[tier.name] = _Probe(tier, self._open_tier, self._timeout)
                threading.Thread(
                    target=probe.run, name=f"storage-check-{tier.name}", daemon=True
                ).start()
            return probe


class _Probe:
    def __init__(self, tier: Tier, open_tier: Callable[[Tier], Store], timeout: float) -> None:
        self.done = threading.Event()
        self._started = time.monotonic()
        self._open_tier, self._tier, self._timeout = open_tier, tier, timeout
        self._record = TierRecord(
            name=tier.name,
            uri=redact(tier.uri),
            scope=tier.scope,
            lifetime=tier.lifetime,
            purpose=tier.purpose,
            path=str(tier.path or tier.mounted) if tier.path or tier.mounted else None,
            state="unreachable",
            quota=tier.quota,
        )

    def run(self) -> None:
        try:
            store = self._open_tier(self._tier)
            store.check()
            usage = store.usage()
        except StorageError as error:
            self._failed(error)
        except Exception as error:
            self._failed(StorageError(f"{type(error).__name__}: {error}"))
        else:
            self._succeeded(usage)
        finally:
            self.done.set()

    def result(self, timeout: float, *, patient: bool) -> TierRecord:
        if self.done.wait(timeout):
            return self._record
        if not patient and time.monotonic() - self._started < self._timeout:
            return replace(self._record, state="checking")
        return replace(
            self._record,
            reason=f"It did not answer within {self._timeout:g} seconds",
            hint="Check the network and the mount, then try again.",
        )

    def _succeeded(self, usage: Usage) -> None:
        # What a quota is for is the tier's own use, which a disk cannot tell.
        used = None if self._tier.quota else usage.used
        self._record = replace(self._record, state="ok", used=used, free=usage.free)

    def _failed(self, error: StorageError) -> None:
        missing = isinstance(error, (NotConfigured, NotFound))
        self._record = replace(
            self._record,
            state="not configured" if missing else "unreachable",
            reason=redact(error.message),
            hint=redact(error.hint),
        )
