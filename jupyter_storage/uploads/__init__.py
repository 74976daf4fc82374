"""Resumable uploads: pieces are staged on disk, and published whole at the end."""

from jupyter_storage.uploads.piece import Piece
from jupyter_storage.uploads.uploads import LIFE, Uploads

__all__ = ["LIFE", "Piece", "Uploads"]
