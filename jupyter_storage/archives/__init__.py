"""Files and directories as one zip, streamed."""

from jupyter_storage.archives.archive import PIECE, Archive, ArchivePlan

__all__ = ["PIECE", "Archive", "ArchivePlan"]
