"""Ray Tune and Ray Train on tiers: ``pip install jupyter-storage[ray]``; see ``docs/ray.md``."""

from jupyter_storage.ray.configuration import location, run_config
from jupyter_storage.ray.environment import runtime_env

__all__ = ["location", "run_config", "runtime_env"]
