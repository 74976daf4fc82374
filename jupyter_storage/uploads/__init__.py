"""Uploads: resumable ones, staged on disk and published whole; and many small files at once."""

from jupyter_storage.uploads.batches import BatchFile, write_batch
from jupyter_storage.uploads.conflicts import find_in_the_way
from jupyter_storage.uploads.piece import Piece
from jupyter_storage.uploads.uploads import LIFE, Uploads

__all__ = ["LIFE", "BatchFile", "Piece", "Uploads", "find_in_the_way", "write_batch"]
