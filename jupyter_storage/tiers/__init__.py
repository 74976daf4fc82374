"""Tiers: named roots with a scope, a lifetime and a backing."""

from jupyter_storage.tiers.health import Health
from jupyter_storage.tiers.registry import build_tiers, workload_prefix
from jupyter_storage.tiers.tier import Tier

__all__ = ["Health", "Tier", "build_tiers", "workload_prefix"]
