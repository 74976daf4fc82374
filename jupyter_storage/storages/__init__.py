"""Storages as SkyPilot declares them: a source, a bucket, and where they appear."""

from jupyter_storage.storages.document import Document, FileMount, load
from jupyter_storage.storages.model import Mode, Storage

__all__ = ["Document", "FileMount", "Mode", "Storage", "load"]
