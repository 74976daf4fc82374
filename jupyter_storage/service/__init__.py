"""The facade that every face calls."""

from jupyter_storage.service.base import Listener
from jupyter_storage.service.service import Service

__all__ = ["Listener", "Service"]
