"""For tests of stores: the suite that each must pass, and a store that fails on purpose."""

from __future__ import annotations

from jupyter_storage.testing.faulty_store import Fault, FaultyStore

__all__ = ["Fault", "FaultyStore"]
